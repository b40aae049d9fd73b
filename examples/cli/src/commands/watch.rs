//! `watch`: the progress of a run, whichever process drives it.

use futures::select;
use futures::stream::StreamExt as _;
use signal_hook::consts::SIGINT;
use workflow_core::status::RunStatus;
use workflow_service::runs::{GetRun, RunDetail};
use workflow_service::{FollowRun, Subscribe};

use crate::display::{self, Feed, Shown, Style};
use crate::error::Error;
use crate::exit::Exit;
use crate::foreground;
use crate::host::Host;
use crate::reference::RunRef;
use crate::store_url::Place;
use crate::text::word;
use crate::{print, signals, words};

/// Shows a run from now on until it ends, or until a signal arrives, which the run does not notice.
pub(crate) async fn watch(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let mut signals = signals::listen()?;
    let (host, run) = Host::of_run(place, run).await?;
    let store = host.engine.store();
    // First, so that nothing that happens meanwhile is left out.
    let shown = Shown::from_now(&**store, &run).await?;
    let follow =
        FollowRun { run_id: run.clone(), after: shown.known(), after_output: Some(shown.known_output()) };
    let mut batches = host.subscribe(Subscribe { runs: vec![follow], heads: false }).await?.fuse();
    let RunDetail { run: before, holder, .. } = host.ask(GetRun { run_id: run.clone() }).await?;
    if before.status.is_terminal() {
        print::to_stderr(&format!("run {run} has ended already ({})", word(before.status)));
    } else if let Some(holder) = holder {
        print::to_stderr(&format!("watching run {run} ({holder} drives it); Ctrl-C stops only the display"));
    } else {
        print::to_stderr(&format!(
            "watching run {run} (no process drives it); Ctrl-C stops only the display"
        ));
    }
    let asked = before.waits.iter().filter(|wait| wait.number.is_some()).count();
    for wait in before.waits.iter().filter(|wait| words::is_told(wait)) {
        let command = words::command(&run, wait, asked);
        print::to_stderr(&format!("run {run} waits for {} (`{command}`)", words::asks(wait)));
    }
    if before.status == RunStatus::Paused
        && !before.waits.iter().any(words::is_told)
        && before.wait.as_ref().is_none_or(|wait| wait.until.is_none())
    {
        print::to_stderr(&format!("run {run} is paused: `workflow resume {run}` resumes it"));
    }
    let style = if json { Style::Json } else { Style::OneRun };
    let feed = Feed::begin(&host.bell, store.clone(), vec![shown], display::of(style, store))?;
    let stopped = loop {
        select! {
            batch = batches.next() => match batch {
                Some(_) => host.bell.news(),
                None => break None,
            },
            signal = signals.select_next_some() => break Some(signal),
        }
    };
    let is_written = feed.close();
    let mut exit = if let Some(signal) = stopped {
        print::to_stderr(&format!(
            "{}: run {run} is no longer watched, and continues",
            foreground::name(signal)
        ));
        if signal == SIGINT { Exit::DONE } else { Exit::signal(signal) }
    } else {
        let view = host.ask(GetRun { run_id: run }).await?.run;
        if json {
            print::json(&view)?;
        }
        Exit::of(&view).unwrap_or(Exit::UNAVAILABLE)
    };
    if !is_written {
        exit = exit.max(Exit::UNAVAILABLE);
    }
    Ok(exit)
}
