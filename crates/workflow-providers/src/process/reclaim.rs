//! Ends what a host that died has left running.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use workflow_core::provider::{CallId, ProviderError};
use workflow_core::stop::Stop;

use super::escalation::{Escalation, Step};
use super::family::Family;
use super::{Control, Marker, RunError, TERMINATE};

/// Stops the processes of `call` and of every earlier attempt at its node, and waits until they are gone.
///
/// Those of a later attempt are not ours: when this process was stopped for so long that another host took the run,
/// they are what that host has started since.
///
/// They are no children of this process, so there is nothing to wait for but the process table.
pub(crate) fn reclaim(call: &CallId, grace: Duration, control: &Arc<Control>) -> Result<(), ProviderError> {
    let mut escalation = Escalation::new(Family::of_marker(Marker::up_to(call)), TERMINATE, grace);
    loop {
        match escalation.step(None, control.asked() == Stop::AtOnce) {
            Ok(Step::Wait(time)) => thread::sleep(time),
            Ok(Step::Gone) => return Ok(()),
            Ok(Step::GaveUp(processes)) => {
                let error = RunError::Survivors(processes);
                return Err(ProviderError::transient(format!("of an interrupted call, {error}")));
            }
            Err(error) => {
                let message = format!("processes of an interrupted call cannot be looked for: {error}");
                return Err(ProviderError::transient(message));
            }
        }
    }
}
