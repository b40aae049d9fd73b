//! How the driver writes to the store: one conditional append per decision.

use std::sync::Arc;

use futures::future::FutureExt as _;
use workflow_core::event::Event;
use workflow_core::store::{ControlRecord, StoreError};

use crate::driver::lease::Log;
use crate::driver::state::{Driver, Ending};
use crate::driver::watch::meanwhile;
use crate::outage::Outage;

impl Driver<'_> {
    /// Stores the events of the decision. Calls continue meanwhile.
    ///
    /// If the store fails, the append is repeated for as long as the lease is valid and the engine waits for
    /// its store. If the outcome of an append is unknown, the log is read back first. Equal events in the log
    /// may have been written by another driver that decided the same at the same time: an empty append shows
    /// whether the lease was still valid.
    pub(super) async fn append(&mut self) -> Result<(), Ending> {
        match self.try_append(false).await {
            Some(Ok(controls)) => {
                self.add_controls(controls);
                Ok(())
            }
            // What is boxed is rare, and larger than everything else that an append needs.
            failed => self.append_again(failed).boxed().await,
        }
    }

    /// Repeats an append that failed.
    async fn append_again(
        &mut self,
        failed: Option<Result<Vec<ControlRecord>, StoreError>>,
    ) -> Result<(), Ending> {
        let engine = self.engine;
        let mut outage = Outage::new(engine, "storing events");
        let (mut in_doubt, mut is_found) = (false, false);
        let mut tried = failed;
        loop {
            let log = match tried {
                Some(Ok(controls)) => {
                    if is_found || in_doubt {
                        // The lost answer contained controls too, which must not be skipped; that of an append without
                        // events as well.
                        self.entered.inbox.look_for_controls();
                    } else {
                        self.add_controls(controls);
                    }
                    return Ok(());
                }
                // In the middle of an append or before it.
                None => {
                    in_doubt = true;
                    self.regain(false).await?
                }
                Some(Err(error)) if self.is_lost(&error) => self.regain(true).await?,
                // The log may have what an earlier try stored.
                Some(Err(error @ StoreError::Conflict { .. })) if in_doubt && !is_found => {
                    match self.read_back().await {
                        Ok(Log::Unchanged | Log::Changed) => return Err(error.into()),
                        Ok(Log::Stored) => is_found = true,
                        Err(error) => self.pause(&mut outage, error).await?,
                    }
                    Log::Unchanged
                }
                Some(Err(error)) => {
                    self.pause(&mut outage, error).await?;
                    in_doubt = true;
                    // If reading fails, the append is tried again; the store refuses it if the events are
                    // stored already. The next try also shows whether another driver has written to the log.
                    is_found |= matches!(self.read_back().await, Ok(Log::Stored));
                    Log::Unchanged
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
            tried = self.try_append(is_found).await;
        }
    }

    /// Appends the events of the decision, or nothing if they are stored already. `None` if the lease was
    /// lost meanwhile.
    async fn try_append(&mut self, is_found: bool) -> Option<Result<Vec<ControlRecord>, StoreError>> {
        if self.entered.inbox.is_lost() {
            return None;
        }
        let (engine, lease) = (self.engine, &self.lease);
        let none = Arc::default();
        let events: &Arc<[Event]> = if is_found { &none } else { &self.events };
        let expected = self.state.last_event() - events.len() as u64;
        let has_head = self.decision.head_changed && !is_found;
        let head = has_head.then(|| Box::new(self.state.head()));
        let append = engine.store.append(lease, expected, events, head.as_deref());
        meanwhile(&mut self.underway, &mut self.watch, true, append).await
    }
}
