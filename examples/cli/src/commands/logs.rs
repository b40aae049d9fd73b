//! `logs`: what the providers of a run said.

use futures::stream::StreamExt as _;
use workflow_core::output::{OutputEntry, OutputKind};

use crate::args::{LogsArgs, Stream};
use crate::display::{Pieces, entry_line};
use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::place::Place;
use crate::print;

/// Entries are read in steps of so many.
const PAGE: usize = 1_000;

/// Shows output entries: those there are, and with `--follow` those to come until the run has ended.
pub(crate) async fn logs(place: &Place, json: bool, args: &LogsArgs) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, &args.run).await?;
    let mut pieces = Pieces::default();
    if args.follow {
        let mut pages = Box::pin(host.engine.handle(&run).output(0).ready_chunks(PAGE));
        while let Some(page) = pages.next().await {
            show(page.into_iter().collect::<Result<_, _>>()?, &mut pieces, json, args)?;
        }
        return end(pieces);
    }
    let (store, mut last) = (host.engine.store(), 0);
    loop {
        let page = store.output(&run, last, PAGE).await?;
        let Some(entry) = page.last() else { return end(pieces) };
        last = entry.number;
        show(page, &mut pieces, json, args)?;
    }
}

fn end(pieces: Pieces) -> Result<Exit, Error> {
    print::lines(pieces.finish().iter().map(entry_line))?;
    Ok(Exit::DONE)
}

fn show(
    mut entries: Vec<OutputEntry>,
    pieces: &mut Pieces,
    json: bool,
    args: &LogsArgs,
) -> Result<(), Error> {
    entries.retain(|entry| {
        // That entries are missing is told whichever stream is asked for: they may have been of it.
        let of_stream = |stream: Stream| stream.is(entry.kind) || entry.kind == OutputKind::Dropped;
        args.stage.as_ref().is_none_or(|stage| *stage == entry.path.stage)
            && args.stream.is_none_or(of_stream)
    });
    if json {
        return print::objects(&entries);
    }
    let lines: Vec<_> = entries.into_iter().flat_map(|entry| pieces.push(entry)).collect();
    print::lines(lines.iter().map(entry_line))
}
