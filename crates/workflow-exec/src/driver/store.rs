//! The driver's dealings with the store: one conditional append per decision.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, Either, FutureExt as _, select};
use tracing::warn;
use workflow_core::event::Event;
use workflow_core::output::OutputEntry;
use workflow_core::store::{ControlRecord, Lease, StoreError};

use super::lease::{Log, meanwhile};
use super::output::RunIo;
use super::{Driver, Ending};
use crate::active::{Inbox, Loss};
use crate::engine::Shared;
use crate::outage::Outage;

/// So long the end of a call waits for its output to be stored.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a driver that leaves tries to store the last output.
const LAST_OUTPUT: Duration = Duration::from_secs(30);

impl<'e> Driver<'e> {
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

    pub(super) async fn read_controls(&mut self) -> Result<(), Ending> {
        let engine = self.engine;
        let mut outage = Outage::new(engine, "reading controls");
        loop {
            let after = self.last_control.max(self.state.last_control());
            let read = engine.store.controls(self.hold.run(), after);
            match meanwhile(&mut self.underway, &mut self.watch, true, read).await {
                Some(Ok(controls)) => {
                    self.add_controls(controls);
                    return Ok(());
                }
                Some(Err(error)) => self.pause(&mut outage, error).await?,
                None => {}
            }
            if self.entered.inbox.is_lost() && self.regain(false).await? == Log::Changed {
                return Err(Ending::Changed);
            }
        }
    }

    fn add_controls(&mut self, controls: Vec<ControlRecord>) {
        for mut control in controls {
            self.io.secrets.control(&mut control.control);
            if control.number > self.last_control {
                self.last_control = control.number;
                self.controls.push(control);
            }
        }
    }

    /// Begins to store output, unless that is under way.
    pub(super) fn flush(&mut self) {
        if self.flushing.is_some() || self.entered.inbox.is_lost() {
            return;
        }
        let entries = self.io.take();
        if !entries.is_empty() {
            self.flushing = Some(self.outlet().store(entries));
        }
    }

    /// Stores what output there is, and does not wait for a store that cannot be used for long.
    pub(super) async fn flush_last(&mut self) {
        let limit = self.engine.timer.sleep(LAST_OUTPUT);
        let (flushing, outlet) = (self.flushing.take(), self.outlet());
        let all = async move {
            if let Some(flushing) = flushing {
                flushing.await;
            }
            let entries = outlet.io.take();
            if !entries.is_empty() {
                outlet.store(entries).await;
            }
        };
        if let Either::Right(_) = select(all.boxed(), limit).await {
            warn!(run = %self.hold.run(), "the last output could not be stored and is dropped");
        }
    }

    /// Stores what calls have said up to now, so that a reader who sees the end of a call sees all its output. A
    /// store that takes longer than [`LAST_WORDS`] for it delays no state change any further.
    pub(super) async fn store_last_words(&mut self) {
        let mut longest = None;
        // First what is under way, then what came meanwhile.
        for _ in 0..2 {
            self.flush();
            let Some(mut flushing) = self.flushing.take() else { return };
            let limit = longest.get_or_insert_with(|| self.engine.timer.sleep(LAST_WORDS));
            let both = select(&mut flushing, limit).map(|first| matches!(first, Either::Left(_)));
            let stored = meanwhile(&mut self.underway, &mut self.watch, true, both.boxed()).await;
            if stored != Some(true) {
                self.flushing = Some(flushing);
                return;
            }
        }
    }

    fn outlet(&self) -> Outlet<'e> {
        let (engine, lease) = (self.engine, self.lease.clone());
        Outlet { engine, lease, io: self.io.clone(), inbox: self.entered.inbox.clone() }
    }
}

/// Where output goes.
struct Outlet<'e> {
    engine: &'e Shared,
    lease: Lease,
    io: Arc<RunIo>,
    inbox: Arc<Inbox>,
}

impl<'e> Outlet<'e> {
    fn store(self, entries: Vec<OutputEntry>) -> BoxFuture<'e, ()> {
        async move {
            let Self { engine, lease, io, inbox } = self;
            store_output(engine, &lease, &io, &inbox, entries).await;
            inbox.changed.notify(usize::MAX);
        }
        .boxed()
    }
}

/// Stores output entries. While the store cannot be used they wait, and the next ones are gathered behind them.
async fn store_output(
    engine: &Shared,
    lease: &Lease,
    io: &RunIo,
    inbox: &Inbox,
    mut entries: Vec<OutputEntry>,
) {
    let mut outage = Outage::new(engine, "storing output");
    // Whether the numbers were refused although the entries before them are there.
    let mut is_refused = false;
    while let Some(last) = entries.last().map(|entry| entry.number) {
        let error = match engine.store.append_output(lease, &entries).await {
            Ok(()) => {
                return engine.sinks.output(&lease.run, &entries);
            }
            Err(error) => error,
        };
        let lost = |error: StoreError| {
            warn!(%error, entries = entries.len(), "output could not be stored and is dropped");
            io.lost(&entries);
        };
        match error {
            StoreError::Fenced(_) | StoreError::Expired if engine.store.lease_time().is_some() => {
                // Stored with the next lease, if there is one.
                io.put_back(entries);
                return inbox.lose(Loss::Expired);
            }
            // What was tried before may be there.
            StoreError::Conflict { .. } if !is_refused => is_refused = true,
            error => match outage.failed(error) {
                Ok(pause) => pause.await,
                Err(error) => return lost(error),
            },
        }
        match engine.store.last_output(&lease.run).await {
            Ok(stored) if stored >= last => {
                return engine.sinks.output(&lease.run, &entries);
            }
            Ok(stored) => {
                let stored = entries.partition_point(|entry| entry.number <= stored);
                entries.drain(..stored);
            }
            Err(StoreError::Io { .. }) => {}
            Err(error) => return lost(error),
        }
    }
}
