//! `answer`: shows what a run asks, and answers it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt as _;
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::ids::RunId;
use workflow_core::status::{Wait, WaitReason};
use workflow_core::store::{Answer, Control, StoreError};
use workflow_core::view::RunView;
use workflow_exec::{ControlOutcome, EngineError};
use workflow_service::runs::{AnswerRun, GetRun, RunDetail};

use super::{control, drive};
use crate::args::AnswerArgs;
use crate::display::Shown;
use crate::error::Error;
use crate::exit::Exit;
use crate::foreground::Driven;
use crate::host::{Host, actor};
use crate::said::Said;
use crate::store_url::Place;
use crate::text::{date, word};
use crate::{own_call, print, words};

/// Shows what a run asks, or answers it and drives the run until it ends or pauses.
pub(crate) async fn answer(place: &Place, json: bool, args: &AnswerArgs) -> Result<Exit, Error> {
    let (mut host, run) = Host::of_run(place, &args.run).await?;
    let run = &run;
    let RunDetail { run: view, holder, .. } = host.ask(GetRun { run_id: run.clone() }).await?;
    let Some(said) = given(args) else { return show(json, args, &view) };
    if own_call::is_within(run) {
        return Err(Error::OwnCall(run.clone()));
    }
    if view.status.is_terminal() {
        return Err(Error::Ended { run: run.to_string(), what: "answered", status: word(view.status) });
    }
    let (number, wait) = asked(args, &view)?;
    let value = said.value(wait).map_err(|problem| {
        let accepted = words::accepted(wait);
        Error::NoAnswer(format!(
            "{number} waits for {}\n{problem}; answer with {accepted}",
            words::asks(wait)
        ))
    })?;
    if args.detach || holder.is_some() {
        leave(&host, json, run, number, value).await
    } else {
        host = host.trusted()?;
        answer_and_drive(&host, json, run, number, value).await
    }
}

/// Answers, and leaves the run to its driver or to a worker.
async fn leave(host: &Host, json: bool, run: &RunId, number: u64, value: Value) -> Result<Exit, Error> {
    let request = AnswerRun { run_id: run.clone(), wait: number, value: Data::new(&value) };
    match control::send(host, run, request).await? {
        None => return control::recorded(host, json, run).await,
        Some(view) if json => print::json(&view)?,
        Some(_) => {
            print::line(format!("run {run}: answered ({})", control::who_continues(host, run).await?))?;
        }
    }
    Ok(Exit::DONE)
}

/// Answers, and drives the run until it ends or pauses.
async fn answer_and_drive(
    host: &Host,
    json: bool,
    run: &RunId,
    number: u64,
    value: Value,
) -> Result<Exit, Error> {
    let store = host.engine.store();
    let shown = Shown::from_now(&**store, run).await?;
    let (sent, left) = (OnceLock::new(), AtomicBool::new(false));
    let future = async {
        // The answer is only recorded: were the run resumed already here, a worker could claim it first.
        let answer = Answer { wait: number, value: Data::new(&value) };
        let _ = sent.set(store.request(run, Control::Answer(answer).by(actor())).await?);
        match host.engine.drive(run).await {
            // A worker, or another `answer`, claimed the run first all the same, and reads this answer too.
            Err(EngineError::Store(StoreError::Held { .. })) => {
                left.store(true, Ordering::Relaxed);
                Ok(None)
            }
            result => result.map(Some),
        }
    };
    let driven = Driven { run: run.clone(), future: future.boxed() };
    let exit = drive::drive_one(host, json, shown, driven).await?;
    let Some(number) = sent.into_inner() else { return Ok(exit) };
    match control::settled(host, run, ControlOutcome::Recorded { number }).await? {
        ControlOutcome::Refused(refused) => Err(Error::ControlRefused { run: run.clone(), refused }),
        ControlOutcome::Recorded { .. } => control::recorded(host, json, run).await,
        _ => {
            if left.into_inner() {
                let who = control::who_continues(host, run).await?;
                print::to_stderr(&format!("run {run}: answered ({who})"));
            }
            Ok(exit)
        }
    }
}

/// The questions of the run, with their numbers.
fn all_asked(run: &RunView) -> Vec<(u64, &Wait)> {
    run.waits.iter().filter_map(|wait| Some((wait.number?, wait))).collect()
}

/// The question that is answered.
fn asked<'r>(args: &AnswerArgs, view: &'r RunView) -> Result<(u64, &'r Wait), Error> {
    let (all, run) = (all_asked(view), &view.run_id);
    let list = || {
        let lines = all.iter().map(|(number, wait)| format!("\n  --wait {number}  {}", words::asks(wait)));
        lines.collect::<String>()
    };
    match (args.wait, all.as_slice()) {
        (_, []) => {
            Err(Error::NothingAsked(format!("run `{run}` has no open question ({})", word(view.status))))
        }
        (None, [only]) => Ok(*only),
        (None, _) => {
            Err(Error::NoAnswer(format!("run `{run}` has several questions; choose one:{}", list())))
        }
        (Some(number), _) => {
            let found = all.iter().find(|(asked, _)| *asked == number);
            found.copied().ok_or_else(|| {
                Error::NothingAsked(format!(
                    "run `{run}` has no open question with the number {number}; it has:{}",
                    list()
                ))
            })
        }
    }
}

/// Shows the questions of a run, and its other waits.
fn show(json: bool, args: &AnswerArgs, view: &RunView) -> Result<Exit, Error> {
    let (run, mut waits) = (&view.run_id, view.waits.iter().collect::<Vec<_>>());
    if args.wait.is_some() {
        waits = vec![asked(args, view)?.1];
    }
    if json {
        print::objects(waits)?;
        return Ok(Exit::DONE);
    }
    let asks = all_asked(view).len();
    if asks == 0 {
        print::to_stderr(&format!("run {run} has no open question ({})", word(view.status)));
    }
    let mut lines = Vec::new();
    for wait in waits.into_iter().filter(|wait| wait.reason != WaitReason::Pause) {
        let number = wait.number.map(|number| format!("{number}  ")).unwrap_or_default();
        let since = wait.since.map(|since| format!(", since {}", date(since))).unwrap_or_default();
        lines.push(format!("{number}waits for {}{since}", words::waits_for(wait)));
        lines.extend(wait.question.iter().flat_map(|text| text.lines()).map(|line| format!("   {line}")));
        if wait.number.is_some() {
            let command = words::command(run, wait, asks);
            lines.push(format!("   `{command} …` with {}", words::accepted(wait)));
        }
    }
    print::lines(lines)?;
    Ok(Exit::DONE)
}

/// The answer on the command line.
fn given(args: &AnswerArgs) -> Option<Said<'_>> {
    let outcome = |outcome: &str| {
        Some(Said::Outcome(if args.new_session {
            json!({ "outcome": outcome, "session": "new" })
        } else {
            json!({ "outcome": outcome })
        }))
    };
    if let Some(text) = &args.answer {
        Some(Said::Typed(text))
    } else if let Some(result) = &args.happened {
        let result =
            Data::parse(result).map_or_else(|_| Value::from(result.as_str()), |data| data.exact_value());
        Some(Said::Outcome(json!({ "outcome": "happened", "result": result })))
    } else if args.not_happened {
        outcome("not_happened")
    } else if args.rerun {
        outcome("rerun")
    } else if args.approve {
        Some(Said::Approval(true.into()))
    } else if args.reject {
        Some(Said::Approval(match &args.comment {
            Some(comment) => json!({ "approved": false, "comment": comment }),
            None => false.into(),
        }))
    } else {
        None
    }
}
