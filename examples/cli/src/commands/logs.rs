//! `logs`: the output of the calls of a run.

use std::collections::{HashSet, VecDeque};

use futures::stream::StreamExt as _;
use workflow_core::definition::did_you_mean;
use workflow_core::event::EventBody;
use workflow_core::ids::{NodePath, RunId, StageId};
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::store::RunStore;

use crate::args::{LogsArgs, Stream};
use crate::display::{Pieces, entry_line};
use crate::error::Error;
use crate::exit::Exit;
use crate::history::History;
use crate::host::Host;
use crate::print;
use crate::store_url::Place;

/// How many entries are read at once.
const PAGE: usize = 1_000;

/// Shows the output entries of a run, and with `--follow` new ones until the run has ended.
pub(crate) async fn logs(place: &Place, json: bool, args: &LogsArgs) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, &args.run).await?;
    let store = &**host.engine.store();
    if let Some(stage) = &args.stage {
        check_stage(store, &run, stage).await?;
    }
    let failed = if args.failed { Some(failed_attempts(store, &run).await?) } else { None };
    let mut printer = Printer {
        json,
        args,
        failed,
        pieces: Pieces::default(),
        tail: args.tail.map(|lines| (lines, VecDeque::new())),
    };
    let mut last = 0;
    loop {
        let page = store.output(&run, last, PAGE).await?;
        let Some(entry) = page.last() else { break };
        last = entry.number;
        printer.take(page)?;
    }
    if args.follow {
        printer.end_of_tail()?;
        let mut pages = Box::pin(host.engine.handle(&run).output(last).ready_chunks(PAGE));
        while let Some(page) = pages.next().await {
            printer.take(page.into_iter().collect::<Result<_, _>>()?)?;
        }
    }
    printer.end()
}

/// Checks that the run has the stage, so that a mistyped name is an error and not a stage without output.
async fn check_stage(store: &dyn RunStore, run: &RunId, stage: &StageId) -> Result<(), Error> {
    let History { view, bundle, .. } = History::read(store, run).await?;
    let stages = &bundle.workflow.stages;
    if stages.contains_key(stage) || view.context.stages.contains_key(stage) {
        return Ok(());
    }
    let known = stages.keys().map(StageId::as_str);
    let near = did_you_mean(stage.as_str(), known.clone());
    let known = known.collect::<Vec<_>>().join(", ");
    Err(Error::NoStage(format!("run `{run}` has no stage `{stage}`{near} (it has: {known})")))
}

/// The attempts that failed.
async fn failed_attempts(store: &dyn RunStore, run: &RunId) -> Result<HashSet<(NodePath, u32)>, Error> {
    let (mut failed, mut last) = (HashSet::new(), 0);
    loop {
        let page = store.events(run, last, PAGE).await?;
        let Some(event) = page.last() else { return Ok(failed) };
        last = event.seq;
        failed.extend(page.into_iter().filter_map(|event| match event.body {
            EventBody::AttemptFailed { path, attempt, .. } => Some((path, attempt)),
            _ => None,
        }));
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
        // Dropped entries are reported for each stream: they may have belonged to it.
        let of_stream = |stream: Stream| stream.is(entry.kind) || entry.kind == OutputKind::Dropped;
        let args = self.args;
        args.stage.as_ref().is_none_or(|stage| *stage == entry.path.stage)
            && args.stream.is_none_or(of_stream)
            && args.since.is_none_or(|since| entry.at >= since)
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
