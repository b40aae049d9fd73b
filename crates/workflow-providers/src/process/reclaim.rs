//! Stops processes that a dead host has left running.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use workflow_core::provider::{CallId, ProviderError};
use workflow_core::stop::Stop;

use super::escalation::{Escalation, Step};
use super::family::Family;
use super::{Control, Marker, RunError, TERMINATE};

/// Stops the processes of `call` and of every earlier attempt of its node, and waits until they are gone.
///
/// Those of a later attempt are not touched: if this process was suspended for so long that another host
/// acquired the run, that host has started them since.
///
/// They are not children of this process, so only the process table shows when they end.
pub(crate) fn reclaim(call: &CallId, grace: Duration, control: &Arc<Control>) -> Result<(), ProviderError> {
    let mut escalation = Escalation::new(Family::of_marker(Marker::up_to(call)), TERMINATE, grace);
    loop {
        match escalation.step(None, control.asked() == Stop::AtOnce) {
            Ok(Step::Wait(time)) => thread::sleep(time),
            Ok(Step::Gone) => return Ok(()),
            Ok(Step::GaveUp(processes)) => {
                let error = RunError::Survivors(processes);
                return Err(ProviderError::transient(format!("after an interrupted call, {error}")));
            }
            Err(error) => {
                let message = format!("cannot look for processes of an interrupted call: {error}");
                return Err(ProviderError::transient(message));
            }
        }
    }
}
