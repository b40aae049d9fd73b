//! `run`, `resume` and `recover`: the commands that drive runs.

use std::sync::{Arc, OnceLock};

use futures::{FutureExt as _, TryFutureExt as _};
use indexmap::IndexMap;
use serde_json::Value;
use workflow_core::bundle::ProviderMap;
use workflow_core::data::Data;
use workflow_core::event::EventBody;
use workflow_core::ids::RunId;
use workflow_core::plan::Plan;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, RunStore, StoreError};
use workflow_core::view::RunView;
use workflow_exec::{ControlOutcome, EngineError, Limits, RunHandle, StartRun};

use super::{control, unique, variables, worktree};
use crate::args::RunArgs;
use crate::display::{self, Feed, Shown, Style};
use crate::error::Error;
use crate::exit::Exit;
use crate::foreground::{self, Driven};
use crate::host::{Host, actor};
use crate::reference::RunRef;
use crate::source::Source;
use crate::store_url::Place;
use crate::text::word;
use crate::{home, print, signals, words};

/// How many runs are recovered at the same time: each keeps files open.
const AT_ONCE: usize = 64;
const RECOVERY: &str = "recovery";

/// Starts a run, and drives it until it ends or pauses.
pub(crate) async fn run(place: &Place, json: bool, args: &RunArgs) -> Result<Exit, Error> {
    let labels = unique(&args.labels)?;
    // An invalid workflow creates neither a store nor a home.
    let definitions = Host::for_definitions(&place.home)?;
    let source = Source::read(&definitions, &args.workflow).await?;
    let providers = args.replaced();
    let checked = source.check(&definitions, args.strict, &providers).await?;
    checked.lines(&source.name).iter().for_each(|line| print::to_stderr(line));
    let plan = checked.plan.ok_or_else(|| Error::Invalid(source.name.clone()))?;
    let vars = variables::given(args, plan.workflow().inputs.as_ref());
    check_variables(&definitions, &source, args, &plan, &vars).await?;
    let host = Host::open(place)?;

    let known = match &args.run_id {
        Some(run) => is_known(&host, run).await?,
        None => false,
    };
    let run = args.run_id.clone().map_or_else(|| host.engine.new_run_id(), Ok)?;
    let mut start = StartRun::plan(&plan).run_id(run.clone()).labels(labels).by(actor());
    for (name, value) in vars {
        start = start.var(name, value);
    }
    if let Some(policy) = args.on_failure {
        start = start.on_failure(policy.into());
    }
    if args.interactive {
        start = start.interactive();
    }
    start.isolated = args.isolated();
    start.priority = args.priority;
    if start.is_isolated(&plan) {
        home::make(&place.home.path)?;
        let base = plan.workflow().worktree.as_ref().and_then(|worktree| worktree.base.as_deref());
        worktree::prepare(&host, &place.home.path, base).await?;
    }
    if args.detach {
        return detach(&host, json, start).await;
    }
    let shown = if known { Shown::from_now(&**host.engine.store(), &run).await? } else { Shown::new(&run) };
    let driven = Driven { run, future: host.engine.run(start).map_ok(Some).boxed() };
    drive_one(&host, json, shown, driven).await
}

/// Refuses variables that the roles of the workflow do not accept, and warns of unused ones.
async fn check_variables(
    definitions: &Host,
    source: &Source,
    args: &RunArgs,
    plan: &Arc<Plan>,
    vars: &IndexMap<String, Value>,
) -> Result<(), Error> {
    let data = vars.iter().map(|(name, value)| (name.clone(), Data::new(value))).collect();
    let wrong = plan.check_variables(&data);
    if !wrong.is_empty() {
        return Err(EngineError::Variables(wrong).into());
    }
    // With another provider, the options that may use them are left out.
    let plain = if args.replaced().is_empty() {
        Some(plan.clone())
    } else {
        source.check(definitions, args.strict, &ProviderMap::default()).await?.plan
    };
    for unused in plain.iter().flat_map(|plan| plan.unused_variables(vars.keys().map(String::as_str))) {
        print::to_stderr(&format!("warning: {unused}"));
    }
    Ok(())
}

/// Creates a run, and leaves it to a worker.
async fn detach(host: &Host, json: bool, start: StartRun) -> Result<Exit, Error> {
    left(&host.engine.create(start).await?, json).await
}

/// Reports a new run that is left to a worker.
pub(super) async fn left(handle: &RunHandle, json: bool) -> Result<Exit, Error> {
    if json {
        print::json(&handle.view().await?)?;
    } else {
        print::line(handle.id())?;
    }
    Ok(Exit::DONE)
}

/// Resumes a run, and drives it until it ends or pauses.
pub(crate) async fn resume(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let (host, run) = (host.trusted()?, &run);
    is_known(&host, run).await?;
    let status = host.engine.handle(run).status().await?;
    if status.is_terminal() {
        print::to_stderr(&words::instead(run, status == RunStatus::Failed));
    }
    let shown = Shown::from_now(&**host.engine.store(), run).await?;
    let handle = host.engine.handle(run);
    let (requested, held) = (OnceLock::new(), OnceLock::new());
    let future = async {
        let before = handle.view().await?;
        if !before.status.is_terminal() {
            // The request is only recorded: whichever process drives the run carries it out. Were the run resumed
            // already here, a worker could claim it first.
            let number = host.engine.store().request(run, Control::Resume.by(actor())).await?;
            let is_paused = before.status == RunStatus::Paused || before.requested.is_some();
            requested.get_or_init(|| (number, is_paused));
        }
        match host.engine.drive(run).await {
            Err(error @ EngineError::Store(StoreError::Held { .. })) if requested.get().is_some() => {
                held.get_or_init(|| error);
                Ok(None)
            }
            driven => driven.map(Some),
        }
    };
    let driven = Driven { run: run.clone(), future: future.boxed() };
    let exit = drive_one(&host, json, shown, driven).await?;
    let (Some((number, is_paused)), Some(held)) = (requested.into_inner(), held.into_inner()) else {
        return Ok(exit);
    };
    match control::settled(&host, run, ControlOutcome::Recorded { number }).await? {
        ControlOutcome::Refused(refused) => Err(Error::ControlRefused { run: run.clone(), refused }),
        ControlOutcome::Recorded { .. } => control::recorded(&host, json, run).await,
        _ if is_paused => {
            print::to_stderr(&format!("run {run}: resumed ({})", control::who_continues(&host, run).await?));
            Ok(exit)
        }
        // It was not paused: there was nothing to resume, and it is not driven here.
        _ => Err(held.into()),
    }
}

/// Drives the unfinished runs that no process drives.
pub(crate) async fn recover(place: &Place, json: bool) -> Result<Exit, Error> {
    let Some(host) = Host::existing(place)? else { return Ok(nothing_to_recover()) };
    let host = host.trusted()?;
    let runs: Vec<_> = host.engine.unfinished().await?.into_iter().map(|record| record.run_id).collect();
    if runs.is_empty() {
        return Ok(nothing_to_recover());
    }
    let (mut shown, mut damaged) = (Vec::new(), Exit::DONE);
    let mut readable = Vec::new();
    for run in runs {
        match Shown::from_now(&**host.engine.store(), &run).await {
            Ok(new) => {
                shown.push(new);
                readable.push(run);
            }
            // The other runs are recovered all the same.
            Err(error) => {
                let error = Error::from(error);
                print::to_stderr(&format!("error: run {run} cannot be recovered: {error}"));
                damaged = damaged.max(error.exit());
            }
        }
    }
    let runs = readable;
    let style = match (json, runs.len()) {
        (true, _) => Style::Nothing,
        (false, 1) => Style::OneRun,
        (false, _) => Style::ManyRuns,
    };
    let places = Limits::new().limit(RECOVERY, AT_ONCE);
    let driven = runs.iter().map(|run| {
        let future = async {
            let _place = places.acquire(RECOVERY).await;
            match host.engine.drive(run).await {
                // Another process claimed it first.
                Err(EngineError::Store(StoreError::Held { .. })) => Ok(None),
                result => result.map(Some),
            }
        };
        Driven { run: run.clone(), future: future.boxed() }
    });
    Ok(damaged.max(drive(&host, json, false, style, shown, driven.collect()).await?))
}

fn nothing_to_recover() -> Exit {
    print::to_stderr("no runs to recover");
    Exit::DONE
}

pub(super) async fn drive_one(
    host: &Host,
    json: bool,
    shown: Shown,
    driven: Driven<'_>,
) -> Result<Exit, Error> {
    let style = if json { Style::Json } else { Style::OneRun };
    drive(host, json, true, style, vec![shown], vec![driven]).await
}

/// Drives runs: one that was named, or all that `recover` found.
async fn drive(
    host: &Host,
    json: bool,
    is_one: bool,
    style: Style,
    shown: Vec<Shown>,
    driven: Vec<Driven<'_>>,
) -> Result<Exit, Error> {
    let signals = signals::listen()?;
    let store = host.engine.store();
    let feed = Feed::begin(&host.bell, store.clone(), shown, display::of(style, store))?;
    let mut views = Vec::new();
    let mut exit = foreground::drive(host, driven, signals, |run, result| match result {
        Ok(view) => {
            let ended = Exit::of(&view).unwrap_or(Exit::DONE);
            views.push(view);
            ended
        }
        Err(error) => {
            let taken = match &error {
                EngineError::TakenOver { run, .. } => Some(run.clone()),
                _ => None,
            };
            let error = Error::from(error);
            let which = if is_one { String::new() } else { format!("run {run} cannot be recovered: ") };
            host.bell.say(format!("error: {which}{error}"));
            if let Some(run) = taken {
                host.bell.say(format!("`workflow logs {run} --follow` shows its output"));
            }
            error.exit()
        }
    })
    .await;
    if !feed.close() {
        exit = exit.max(Exit::UNAVAILABLE);
    }
    for view in &views {
        if Exit::of(view).is_some() {
            advise(view);
        } else {
            let record = store.get(&view.run_id).await.ok();
            match record.and_then(|record| record.holder) {
                Some(holder) => {
                    print::to_stderr(&format!("run {} is driven by another process ({holder})", view.run_id));
                }
                None => advise(view),
            }
            let asking = asking_child(host, view).await;
            asking.iter().for_each(advise);
            exit = exit.max(if asking.is_some() { Exit::WAITS } else { Exit::UNAVAILABLE });
        }
        let printed = if json { print::json(view) } else { print_output(&**store, view).await };
        if let Err(Error::Output(error)) = printed
            && print::failed(&error)
        {
            exit = exit.max(Exit::UNAVAILABLE);
        }
    }
    Ok(exit)
}

/// Prints the output of a run whose definition says what it is. A text is printed as it is.
async fn print_output(store: &dyn RunStore, view: &RunView) -> Result<(), Error> {
    let last = store.events(&view.run_id, view.last_event.saturating_sub(1), 1).await?;
    let Some(EventBody::RunCompleted { output: Some(output), .. }) = last.first().map(|event| &event.body)
    else {
        return Ok(());
    };
    match output.value() {
        Value::String(text) => print::line(text),
        other => print::lines(format!("{other:#}").lines()),
    }
}

/// A run that waits for a person and that this one waits for, directly or because of another one.
async fn asking_child(host: &Host, view: &RunView) -> Option<RunView> {
    let children = |view: &RunView| view.waits.iter().filter_map(|wait| wait.run.clone()).collect();
    let mut next: Vec<RunId> = children(view);
    while let Some(run) = next.pop() {
        // A run that cannot be read is not what a person is asked about.
        let Ok(child) = host.engine.handle(&run).view().await else { continue };
        if Exit::of(&child) == Some(Exit::WAITS) {
            return Some(child);
        }
        next.extend(children(&child));
    }
    None
}

/// Prints how a run that has not ended can be continued.
fn advise(view: &RunView) {
    let run = &view.run_id;
    match (view.status, &view.wait) {
        (RunStatus::Paused, wait) if Exit::of(view).is_some() => {
            let asked = view.waits.iter().filter(|wait| wait.number.is_some()).count();
            for wait in view.waits.iter().filter(|wait| words::is_told(wait)) {
                let command = words::command(run, wait, asked);
                print::to_stderr(&format!("run {run} waits for {} (`{command}`)", words::asks(wait)));
            }
            if !wait.as_ref().is_some_and(|wait| words::is_told(wait)) {
                print::to_stderr(&format!("run {run} is paused: `workflow resume {run}` resumes it"));
            }
        }
        (RunStatus::Paused, Some(wait)) => {
            let what = words::waits_for(wait);
            let more =
                wait.run.as_ref().map(|other| format!(" (`workflow show {other}` says what that waits for)"));
            let more = more.unwrap_or_default();
            print::to_stderr(&format!(
                "run {run} was left and waits for {what}{more}: `workflow recover` resumes it then"
            ));
        }
        (RunStatus::Pending | RunStatus::Running | RunStatus::Paused, _) => {
            print::to_stderr(&format!("run {run} was left unfinished: `workflow recover` resumes it"));
        }
        (RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled, _) => {}
    }
}

/// Whether a run with that id exists. Reports it when it has ended, because then the command prints nothing else.
async fn is_known(host: &Host, run: &RunId) -> Result<bool, Error> {
    match host.engine.handle(run).status().await {
        Ok(status) => {
            if status.is_terminal() {
                print::to_stderr(&format!("run {run} has ended already ({})", word(status)));
            }
            Ok(true)
        }
        Err(EngineError::Store(StoreError::NotFound(_))) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
