//! `logs`: what the providers of a run said.

use std::path::Path;

use futures::stream::StreamExt as _;
use workflow_core::output::{OutputEntry, OutputKind};

use crate::args::LogsArgs;
use crate::display::entry_line;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;

/// Entries are read in steps of so many.
const PAGE: usize = 1_000;

/// Shows output entries: those there are, and with `--follow` those to come until the run has ended.
pub(crate) async fn logs(home: &Path, json: bool, args: &LogsArgs) -> Result<Exit, Error> {
    let host = Host::of_run(home, &args.run)?;
    if args.follow {
        let mut entries = Box::pin(host.engine.handle(&args.run).output(0));
        while let Some(entry) = entries.next().await {
            show(&entry?, json, args)?;
        }
        return Ok(Exit::DONE);
    }
    let (store, mut last) = (host.engine.store(), 0);
    loop {
        let page = store.output(&args.run, last, PAGE).await?;
        let Some(entry) = page.last() else { return Ok(Exit::DONE) };
        last = entry.number;
        page.iter().try_for_each(|entry| show(entry, json, args))?;
    }
}

fn show(entry: &OutputEntry, json: bool, args: &LogsArgs) -> Result<(), Error> {
    let of_stage = args.stage.as_ref().is_none_or(|stage| *stage == entry.path.stage);
    // That entries are missing is told whichever stream is asked for: they may have been of it.
    let of_stream =
        args.stream.is_none_or(|stream| stream.is(entry.kind) || entry.kind == OutputKind::Dropped);
    if !(of_stage && of_stream) {
        return Ok(());
    }
    if json { print::json(entry) } else { print::line(entry_line(entry)) }
}
