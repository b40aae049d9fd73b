//! Runs whose drivers' processes repeatedly die before an event is stored: for lack of memory, or because of
//! a bug. After a number of such deaths the run waits for a person, so that it does not crash one worker
//! after another.
//!
//! The store counts the deaths, because the process cannot: see [`Lease::deaths`](workflow_core::store::Lease::deaths).

use tracing::warn;
use workflow_core::event::{Event, EventBody};
use workflow_core::status::{RunStatus, Wait};
use workflow_core::store::StoreError;

use crate::engine::Engine;
use crate::shared::Hold;
use workflow_core::runs::EngineError;

/// After this many deaths in a row, no worker drives the run.
pub(crate) const MOST: u32 = 5;

/// After this many deaths the run may be their cause. A worker drives only one such run at a time, and starts
/// no other run until it has stored an event. This clears runs that were only held by the same process.
pub(crate) const SUSPECT: u32 = 2;

impl Engine {
    /// Makes a run wait for a person. Its log is not read, since reading it may be what crashes the process.
    pub(crate) async fn hold_back(&self, hold: Hold, deaths: u32) -> Result<(), EngineError> {
        let (shared, lease) = (&self.shared, hold.lease());
        let mut head = shared.store.get(&lease.run).await?.head;
        let wait = Wait::after_crashes(deaths);
        let waiting = |seq| {
            let body = EventBody::RunWaiting { wait: Box::new(wait.clone()) };
            Event { seq, at: shared.clock.now(), body }
        };
        // A run has at least one event, so the store refuses this append with the number of the last one.
        let last = match shared.store.append(&lease, 0, &[waiting(1)].into(), None).await {
            Err(StoreError::Conflict { actual, .. }) => actual,
            refused => {
                refused?;
                return Ok(hold.release().await?);
            }
        };
        head.status = RunStatus::Paused;
        head.wait = Some(Box::new(wait.clone()));
        let events = [waiting(last + 1)].into();
        shared.store.append(&lease, last, &events, Some(&head)).await?;
        shared.sinks.events(&lease.run, &events);
        hold.entered().inbox.changed.notify();
        let question = wait.question.as_deref().unwrap_or_default();
        warn!(run = %lease.run, deaths, "the run is left to a person: {question}");
        Ok(hold.release().await?)
    }
}
