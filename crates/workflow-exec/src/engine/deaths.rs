//! Runs whose driver's process dies before an event is stored, time after time: for lack of memory, or by a bug. After
//! a number of such deaths the run waits for a person, so that it does not end one worker after another.
//!
//! The store counts the deaths, because the process cannot: see [`Lease::deaths`](workflow_core::store::Lease::deaths).

use tracing::warn;
use workflow_core::event::{Event, EventBody};
use workflow_core::status::{RunStatus, Wait};
use workflow_core::store::StoreError;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::shared::Hold;

/// After so many deaths in a row, no worker drives the run.
pub(crate) const MOST: u32 = 5;

/// After so many it is one of those that may be the cause. A worker drives one of them at a time and begins nothing
/// beside it until it has stored an event, so that runs which were only held by the same process are cleared.
pub(crate) const SUSPECT: u32 = 2;

impl Engine {
    /// Has a run wait for a person. Its log is not read: that may be what ends the process.
    pub(crate) async fn hold_back(&self, hold: Hold, deaths: u32) -> Result<(), EngineError> {
        let (shared, lease) = (&self.shared, hold.lease());
        let mut head = shared.store.get(&lease.run).await?.head;
        let wait = Wait::after_crashes(deaths);
        let waiting = |seq| {
            let body = EventBody::RunWaiting { wait: Box::new(wait.clone()) };
            Event { seq, at: shared.clock.now(), body }
        };
        // A run has an event, so this is refused, with the number of the last one.
        let last = match shared.store.append(&lease, 0, &[waiting(1)], None).await {
            Err(StoreError::Conflict { actual, .. }) => actual,
            refused => {
                refused?;
                return Ok(hold.release().await?);
            }
        };
        head.status = RunStatus::Paused;
        head.wait = Some(wait.clone());
        let events = [waiting(last + 1)];
        shared.store.append(&lease, last, &events, Some(&head)).await?;
        shared.sinks.events(&lease.run, &events);
        hold.entered().inbox.changed.notify(usize::MAX);
        let question = wait.question.as_deref().unwrap_or_default();
        warn!(run = %lease.run, deaths, "the run is left to a person: {question}");
        Ok(hold.release().await?)
    }
}
