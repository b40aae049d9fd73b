//! `logs`: the output of the calls of a run.

use std::collections::{HashSet, VecDeque};

use futures::stream::StreamExt as _;
use workflow_core::definition::did_you_mean;
use workflow_core::event::EventBody;
use workflow_core::ids::{NodePath, RunId, StageId};
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_service::runs::{GetRun, GetRunPlan, LogLevel, RunEvents, RunLogs};
use workflow_service::{FollowRun, Subscribe};

use crate::args::LogsArgs;
use crate::display::{Pieces, entry_line};
use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::store_url::Place;

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// Shows the output entries of a run, and with `--follow` new ones until the run has ended.
pub(crate) async fn logs(place: &Place, json: bool, args: &LogsArgs) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, &args.run).await?;
    if let Some(stage) = &args.stage {
        check_stage(&host, &run, stage).await?;
    }
    let failed = if args.failed { Some(failed_attempts(&host, &run).await?) } else { None };
    let mut printer = Printer {
        json,
        args,
        failed,
        pieces: Pieces::default(),
        tail: args.tail.map(|lines| (lines, VecDeque::new())),
    };
    let mut reader = Reader { host: &host, request: request(args, &run), event: 0 };
    reader.read(&mut printer).await?;
    if args.follow {
        printer.end_of_tail()?;
        let follow = FollowRun {
            run_id: run,
            after: reader.event,
            after_output: Some(reader.request.after.unwrap_or(0)),
        };
        let mut batches = host.subscribe(Subscribe { runs: vec![follow], heads: false }).await?;
        while batches.next().await.is_some() {
            reader.read(&mut printer).await?;
        }
    }
    printer.end()
}

/// Which entries are read.
fn request(args: &LogsArgs, run: &RunId) -> RunLogs {
    // Dropped entries are reported for each stream: they may have belonged to it.
    let kinds = args.stream.map(|stream| vec![stream.kind(), OutputKind::Dropped]).unwrap_or_default();
    RunLogs {
        kinds,
        level: args.level.map(Into::into),
        text: args.search.clone(),
        stage: args.stage.clone(),
        after: Some(0),
        limit: Some(PAGE),
        ..RunLogs::of(run.clone())
    }
}

/// Reads the output of a run, page by page.
struct Reader<'a> {
    host: &'a Host,
    /// The next page.
    request: RunLogs,
    /// The event before the last entry.
    event: u64,
}

impl Reader<'_> {
    /// Prints all that is stored and was not read yet.
    async fn read(&mut self, printer: &mut Printer<'_>) -> Result<(), Error> {
        loop {
            let page = self.host.ask(self.request.clone()).await?.entries;
            let Some(entry) = page.last() else { return Ok(()) };
            (self.request.after, self.event) = (Some(entry.number), entry.after_event);
            printer.take(page)?;
        }
    }
}

/// Checks that the run has the stage, so that a mistyped name is an error and not a stage without output.
async fn check_stage(host: &Host, run: &RunId, stage: &StageId) -> Result<(), Error> {
    let stages = host.ask(GetRunPlan { run_id: run.clone() }).await?.stages;
    if stages.iter().any(|known| known.id == *stage) {
        return Ok(());
    }
    // A definition that the run followed earlier may have had it.
    if host.ask(GetRun { run_id: run.clone() }).await?.run.context.stages.contains_key(stage) {
        return Ok(());
    }
    let known = stages.iter().map(|stage| stage.id.as_str());
    let near = did_you_mean(stage.as_str(), known.clone());
    let known = known.collect::<Vec<_>>().join(", ");
    Err(Error::NoStage(format!("run `{run}` has no stage `{stage}`{near} (it has: {known})")))
}

/// The attempts that failed.
async fn failed_attempts(host: &Host, run: &RunId) -> Result<HashSet<(NodePath, u32)>, Error> {
    let (mut failed, mut after) = (HashSet::new(), 0);
    loop {
        let request =
            RunEvents { run_id: run.clone(), after, limit: Some(PAGE), level: Some(LogLevel::Warn) };
        let page = host.ask(request).await?;
        failed.extend(page.events.into_iter().filter_map(|event| match event.body {
            EventBody::AttemptFailed { path, attempt, .. } => Some((path, attempt)),
            _ => None,
        }));
        match page.next {
            Some(next) => after = next,
            None => return Ok(failed),
        }
    }
}

/// Selects and prints entries.
struct Printer<'a> {
    json: bool,
    args: &'a LogsArgs,
    /// The attempts whose entries are shown; all if absent.
    failed: Option<HashSet<(NodePath, u32)>>,
    pieces: Pieces,
    /// How many of the last entries are shown; all if absent.
    tail: Option<(usize, VecDeque<OutputEntry>)>,
}

impl Printer<'_> {
    fn take(&mut self, mut entries: Vec<OutputEntry>) -> Result<(), Error> {
        entries.retain(|entry| self.is_asked_for(entry));
        let whole = if self.json {
            entries
        } else {
            entries.into_iter().flat_map(|entry| self.pieces.push(entry)).collect()
        };
        self.print(whole)
    }

    fn is_asked_for(&self, entry: &OutputEntry) -> bool {
        self.args.since.is_none_or(|since| entry.at >= since)
            && self.failed.as_ref().is_none_or(|failed| failed.contains(&(entry.path.clone(), entry.attempt)))
    }

    fn print(&mut self, entries: Vec<OutputEntry>) -> Result<(), Error> {
        if let Some((most, kept)) = &mut self.tail {
            kept.extend(entries);
            kept.drain(..kept.len().saturating_sub(*most));
            return Ok(());
        }
        if self.json { print::objects(&entries) } else { print::lines(entries.iter().map(entry_line)) }
    }

    /// Prints the last entries that were kept back. Later entries are printed at once.
    fn end_of_tail(&mut self) -> Result<(), Error> {
        match self.tail.take() {
            Some((_, kept)) => self.print(kept.into()),
            None => Ok(()),
        }
    }

    fn end(mut self) -> Result<Exit, Error> {
        let begun = std::mem::take(&mut self.pieces).finish();
        self.print(begun)?;
        self.end_of_tail()?;
        Ok(Exit::DONE)
    }
}
