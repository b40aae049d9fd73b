//! The driver's dealings with the store: one conditional append per decision.

use workflow_core::event::Event;
use workflow_core::store::{ControlRecord, StoreError};

use crate::driver::lease::Log;
use crate::driver::state::{Driver, Ending};
use crate::driver::watch::meanwhile;
use crate::outage::Outage;

impl Driver<'_> {
    /// Stores the events of the decision. Calls go on meanwhile.
    ///
    /// Where the store fails, it is tried again for as long as the lease is good and the engine is patient. An
    /// append of which the outcome is not known is read back first. What is found there may be the same by another
    /// driver, which decided on it at the same time: an append of nothing tells that the lease was good.
    pub(super) async fn append(&mut self) -> Result<(), Ending> {
        let engine = self.engine;
        let mut outage = Outage::new(engine, "storing events");
        let (mut in_doubt, mut is_found) = (false, false);
        loop {
            let log = match self.try_append(is_found).await {
                Some(Ok(controls)) => {
                    if is_found {
                        // Others came with the answer that was lost, and are not skipped.
                        self.entered.inbox.look_for_controls();
                    } else {
                        self.add_controls(controls);
                    }
                    return Ok(());
                }
                // In the middle of an append or before it.
                None => self.regain(false).await?,
                Some(Err(error)) if self.is_lost(&error) => self.regain(true).await?,
                // With what an earlier try has stored, perhaps.
                Some(Err(error @ StoreError::Conflict { .. })) if in_doubt && !is_found => {
                    match self.read_back().await {
                        Ok(Log::Unchanged | Log::Changed) => return Err(error.into()),
                        Ok(Log::Stored) => is_found = true,
                        Err(error) => self.pause(&mut outage, error).await?,
                    }
                    continue;
                }
                Some(Err(error)) => {
                    self.pause(&mut outage, error).await?;
                    in_doubt = true;
                    // Where reading fails the append is tried again, and is refused if it was stored. Whether another
                    // driver has written to the log, the next try tells too.
                    is_found |= matches!(self.read_back().await, Ok(Log::Stored));
                    continue;
                }
            };
            match log {
                Log::Unchanged => {}
                Log::Stored => {
                    self.entered.inbox.look_for_controls();
                    return Ok(());
                }
                Log::Changed => return Err(Ending::Changed),
            }
        }
    }

    /// Appends the events of the decision, or nothing where they are there. `None` when the lease was lost meanwhile.
    async fn try_append(&mut self, is_found: bool) -> Option<Result<Vec<ControlRecord>, StoreError>> {
        if self.entered.inbox.is_lost() {
            return None;
        }
        let (engine, lease) = (self.engine, &self.lease);
        let events: &[Event] = if is_found { &[] } else { &self.decision.events };
        let expected = self.state.last_event() - events.len() as u64;
        let has_head = self.decision.head_changed && !is_found;
        let head = has_head.then(|| Box::new(self.state.head()));
        let append = engine.store.append(lease, expected, events, head.as_deref());
        meanwhile(&mut self.underway, &mut self.watch, true, append).await
    }
}
