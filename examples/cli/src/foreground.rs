//! Drives runs in the foreground until they end or pause, or until a signal stops them.

use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;
use futures::future::{BoxFuture, FutureExt as _};
use futures::select;
use futures::stream::{FuturesUnordered, StreamExt as _};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use workflow_core::ids::RunId;
use workflow_core::stop::Stop;
use workflow_core::store::{Control, StoreError};
use workflow_core::view::RunView;
use workflow_exec::{ControlOutcome, ControlRefusal, Engine, EngineError};

use crate::display::Bell;
use crate::exit::Exit;
use crate::host::{Host, actor};

/// A run, and the future that drives it.
pub(crate) struct Driven<'a> {
    /// The run.
    pub run: RunId,
    /// Drives it until it ends or pauses; `None` when another process drives it.
    pub future: BoxFuture<'a, Result<Option<RunView>, EngineError>>,
}

/// How long to wait before a request to a run that is still being created is repeated.
const CREATION: Duration = Duration::from_millis(10);

/// Drives runs at the same time, and passes each to `rested` when it has ended or paused.
///
/// The first SIGINT cancels them, the next kills their calls. SIGTERM and SIGHUP stop the calls and leave the runs to be
/// recovered; the exit code then names the signal.
pub(crate) async fn drive(
    Host { engine, bell, .. }: &Host,
    driven: Vec<Driven<'_>>,
    mut signals: UnboundedReceiver<i32>,
    mut rested: impl FnMut(&RunId, Result<RunView, EngineError>) -> Exit,
) -> Exit {
    let mut runs: Vec<_> = driven.iter().map(|driven| driven.run.clone()).collect();
    let mut under_way: FuturesUnordered<_> =
        driven.into_iter().map(|Driven { run, future }| future.map(|result| (run, result))).collect();
    let mut requests: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    let (mut interrupts, mut ended_by) = (0, None);
    let mut worst = Exit::DONE;
    loop {
        select! {
            next = under_way.next() => match next {
                Some((run, result)) => {
                    runs.retain(|under_way| *under_way != run);
                    let Some(result) = result.transpose() else { continue };
                    if let (Err(EngineError::ShutDown), Some(exit)) = (&result, ended_by) {
                        // It had not started when the program received the signal.
                        worst = worst.max(exit);
                        continue;
                    }
                    let unfinished = matches!(&result, Ok(view) if Exit::of(view).is_none());
                    let exit = rested(&run, result);
                    worst = worst.max(if unfinished { ended_by.unwrap_or(exit) } else { exit });
                }
                None => return worst,
            },
            signal = signals.select_next_some() => {
                if matches!(signal, SIGINT | SIGQUIT) {
                    // Ctrl-\ counts as Ctrl-C twice.
                    interrupts += if signal == SIGQUIT { 2 } else { 1 };
                    let control = if interrupts == 1 { Control::Cancel } else { Control::Kill };
                    bell.say(match control {
                        Control::Cancel => "cancelling; press Ctrl-C again to kill the calls",
                        _ => "killing the calls",
                    });
                    requests.extend(runs.iter().map(|run| ask(engine, bell, run.clone(), control.clone()).boxed()));
                } else {
                    let how = if ended_by.is_none() { Stop::Gracefully } else { Stop::AtOnce };
                    bell.say(format!("{}: stopping the calls", name(signal)));
                    ended_by.get_or_insert(Exit::signal(signal));
                    requests.push(engine.shutdown(how).boxed());
                }
            }
            () = requests.select_next_some() => {}
        }
    }
}

/// Sends a control request to a run, as soon as the run is created.
async fn ask(engine: &Engine, bell: &Bell, run: RunId, control: Control) {
    let handle = engine.handle(&run);
    loop {
        match handle.control(control.clone().by(actor())).await {
            Ok(ControlOutcome::Refused(refused)) if refused.code != ControlRefusal::Ended => {
                return bell.say(format!("run {run}: {refused}"));
            }
            Ok(_) => return,
            Err(EngineError::Store(StoreError::NotFound(_))) => futures_timer::Delay::new(CREATION).await,
            Err(EngineError::Store(error @ StoreError::Io { .. })) if control == Control::Cancel => {
                bell.say(format!("error: {error}"));
                return bell
                    .say("press Ctrl-C again to kill the calls, and leave the run to `workflow recover`");
            }
            Err(EngineError::Store(error @ StoreError::Io { .. })) if control == Control::Kill => {
                bell.say(format!("error: {error}"));
                return engine.shutdown(Stop::AtOnce).await;
            }
            Err(error) => return bell.say(format!("error: {error}")),
        }
    }
}

/// The name of a signal.
pub(crate) fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        SIGHUP => "SIGHUP",
        SIGQUIT => "SIGQUIT",
        _ => "signal",
    }
}
