//! Runs one program with all that it starts, on a thread of its own, and leaves none of it behind.
//!
//! A call has two threads: one that feeds, hears and stops the program ([`supervisor`]), and one
//! that sleeps until the program has exited. Both end with the call. The future that the driver
//! polls only passes on the stop signal, so any executor will do.

mod control;
mod escalation;
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "family_linux.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "family_none.rs")]
mod family;
mod groups;
mod marker;
mod pipes;
mod reclaim;
mod supervisor;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::thread;

use futures::channel::oneshot;
use futures::future::{Either, pending, select};
use rustix::process::Signal;
use workflow_core::provider::ProviderError;
use workflow_core::stop::{Stop, StopSignal};

pub(crate) use control::Control;
pub use groups::{SuspendedCalls, suspend_calls, working_time};
pub(crate) use marker::Marker;
pub(crate) use pipes::Stream;
pub(crate) use reclaim::reclaim;
pub(crate) use supervisor::{Ended, Launch, RunError, run};

/// What programs are asked to stop with that need nothing else.
pub(crate) const TERMINATE: &[Signal] = &[Signal::TERM];

/// Does blocking `work` on a thread of its own, and passes the stop signal on to it.
///
/// Dropping the future tells the work to end at once; it does so on its own thread.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    stop: &StopSignal,
    work: impl FnOnce(&Arc<Control>) -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    let unable = |what: &str, error| ProviderError::transient(format!("{what}: {error}"));
    let control = Arc::new(Control::new().map_err(|error| unable("no pipe could be made", error))?);
    control.stop(stop.now());
    let (result, done) = oneshot::channel();
    let theirs = control.clone();
    thread::Builder::new()
        .name("workflow-call".to_owned())
        .spawn(move || {
            // Nobody waits for the result of a call whose future was dropped.
            let _ = result.send(catch_unwind(AssertUnwindSafe(|| work(&theirs))));
        })
        .map_err(|error| unable("no thread could be started", error))?;
    let abandon = AbandonOnDrop(control);

    let pass_on = async {
        for how in [Stop::Gracefully, Stop::AtOnce] {
            stop.wait(how).await;
            abandon.0.stop(how);
        }
        pending::<()>().await;
    };
    match select(done, pin!(pass_on)).await {
        Either::Left((Ok(Ok(result)), _)) => result,
        Either::Left((Ok(Err(panic)), _)) => resume_unwind(panic),
        _ => Err(ProviderError::permanent("the thread of the call ended without a result")),
    }
}

struct AbandonOnDrop(Arc<Control>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
