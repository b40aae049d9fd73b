//! Runs one program with all processes that it starts, on a separate thread, and leaves none of them running.
//!
//! A call has two threads: one that feeds, reads and stops the program ([`supervisor`]), and one that sleeps
//! until the program has exited. Both end with the call. The future that the driver polls only forwards the
//! stop signal, so any executor can be used.

mod control;
mod escalation;
#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "family_linux.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "family_none.rs")]
mod family;
mod groups;
#[cfg_attr(not(feature = "acp"), allow(dead_code))]
mod input;
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
#[cfg(feature = "acp")]
pub(crate) use input::Input;
pub(crate) use marker::Marker;
pub(crate) use pipes::Stream;
pub(crate) use reclaim::reclaim;
pub(crate) use supervisor::{Ended, Launch, RunError, run};

/// The signals for programs without special needs.
pub(crate) const TERMINATE: &[Signal] = &[Signal::TERM];

/// Executes blocking `work` on a separate thread, and forwards the stop signal to it.
///
/// Dropping the future tells the work to end at once; it does so on its own thread.
pub(crate) async fn on_own_thread<T: Send + 'static>(
    stop: &StopSignal,
    work: impl FnOnce(&Arc<Control>) -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    let unable = |what: &str, error| ProviderError::transient(format!("{what}: {error}"));
    let control = Arc::new(Control::new().map_err(|error| unable("cannot create a pipe", error))?);
    control.stop(stop.now());
    let (result, done) = oneshot::channel();
    let theirs = control.clone();
    thread::Builder::new()
        .name("workflow-call".to_owned())
        .spawn(move || {
            // The receiver is gone if the future of the call was dropped.
            let _ = result.send(catch_unwind(AssertUnwindSafe(|| work(&theirs))));
        })
        .map_err(|error| unable("cannot start a thread", error))?;
    let abandon = AbandonOnDrop(control);

    let pass_on = async {
        for how in [Stop::Gracefully, Stop::AtOnce] {
            stop.wait(how).await;
            abandon.0.stop(stop.now());
        }
        pending::<()>().await;
    };
    match select(done, pin!(pass_on)).await {
        Either::Left((Ok(Ok(result)), _)) => result,
        Either::Left((Ok(Err(panic)), _)) => resume_unwind(panic),
        _ => Err(ProviderError::permanent("the thread of the call stopped without a result")),
    }
}

struct AbandonOnDrop(Arc<Control>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
