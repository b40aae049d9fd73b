//! `worker`: drives the unclaimed runs of a store.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;
use futures::future::{BoxFuture, FutureExt as _};
use futures::select;
use futures::stream::{FuturesUnordered, StreamExt as _};
use signal_hook::consts::SIGQUIT;
use workflow_core::store::StoreError;
use workflow_exec::WorkOptions;

use crate::args::WorkerArgs;
use crate::display::{Log, Roll};
use crate::drain::Step;
use crate::error::Error;
use crate::exit::Exit;
use crate::foreground;
use crate::host::{Beside, Host};
use crate::monitoring::Monitoring;
use crate::notify::Notifying;
use crate::store_url::Place;
use crate::{print, signals};

/// Drives the runs that no process drives, until a signal arrives.
///
/// The first signal stops the calls, after it let them end where `--drain` says so, and leaves the runs to other processes; the
/// next one hurries.
pub(crate) async fn worker(place: &Place, json: bool, args: &WorkerArgs) -> Result<Exit, Error> {
    let mut signals = signals::listen()?;
    let roll = Roll::new();
    let monitoring = args.operating.metrics.map(Monitoring::bind).transpose()?;
    let metrics = monitoring.as_ref().map(|monitoring| monitoring.metrics.clone());
    let beside = Beside { notify: args.operating.notify, metrics };
    let Some(host) = open(place, &roll, &beside, &mut signals).await? else { return Ok(Exit::DONE) };
    let _monitoring = monitoring.map(|monitoring| monitoring.start(&host.engine)).transpose()?;
    let notifying = match host.notifier.clone() {
        Some(notifier) => Some(Notifying::start(notifier, &host.catalog).await?),
        None => None,
    };
    let log = Log::begin(&roll, host.engine.store().clone(), json)?;
    let selection = selection(args);
    print::to_stderr(&format!("working on {place}, on {} runs at a time{selection}", args.runs));

    let mut options = WorkOptions::default();
    options.runs = args.runs.into();
    options.workflows.clone_from(&args.workflow);
    options.providers.clone_from(&args.provider);
    options.only_catalog = args.only_catalog;
    options.per_label.clone_from(&args.limit_per_label);
    let mut work = Box::pin(host.engine.work(options).fuse());
    let mut requests: FuturesUnordered<BoxFuture<'static, ()>> = FuturesUnordered::new();
    let mut step = Step::first(args.operating.drain);
    let ended = loop {
        select! {
            ended = work => break ended,
            signal = signals.select_next_some() => {
                if signal == SIGQUIT {
                    step = Step::Kill;
                }
                print::to_stderr(&format!("{}: {}", foreground::name(signal), step.what()));
                requests.push(step.take(&host.engine));
                step = step.next();
            }
            () = requests.select_next_some() => {}
        }
    };
    drop(notifying);
    let is_written = log.close().await;
    ended?;
    Ok(if is_written { Exit::DONE } else { Exit::UNAVAILABLE })
}

/// Which runs the worker selects, unless it selects all.
fn selection(args: &WorkerArgs) -> String {
    let mut only = Vec::new();
    if !args.workflow.is_empty() {
        let names: Vec<_> = args.workflow.iter().map(AsRef::as_ref).collect();
        only.push(format!("of {}", names.join(", ")));
    }
    if !args.provider.is_empty() {
        only.push(format!("that call {}", args.provider.join(", ")));
    }
    if args.only_catalog {
        only.push("with the definitions of the home".to_owned());
    }
    if only.is_empty() { String::new() } else { format!(", only those {}", only.join(" and ")) }
}

/// How long to wait between two attempts to open an unavailable store.
const AGAIN: Duration = Duration::from_secs(1);

/// Opens the place as soon as its store is available; `None` when a signal arrives first.
async fn open(
    place: &Place,
    roll: &Arc<Roll>,
    beside: &Beside,
    signals: &mut UnboundedReceiver<i32>,
) -> Result<Option<Host>, Error> {
    let mut is_told = false;
    loop {
        match Host::open_for(place, roll.clone(), beside) {
            Ok(host) => return Ok(Some(host)),
            Err(Error::Store(error)) if is_away(&error) => {
                if !is_told {
                    print::to_stderr(&format!("{error}: waiting until {place} is available"));
                    is_told = true;
                }
                select! {
                    () = futures_timer::Delay::new(AGAIN).fuse() => {}
                    _ = signals.select_next_some() => return Ok(None),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether a store may become available again without a change of its configuration.
fn is_away(error: &StoreError) -> bool {
    let StoreError::Io { source, .. } = error else { return false };
    matches!(
        source.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::TimedOut
    )
}
