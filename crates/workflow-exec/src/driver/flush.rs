//! Stores the output of calls beside the events, in batches.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, Either, FutureExt as _, select};
use tracing::warn;
use workflow_core::output::OutputEntry;
use workflow_core::store::{Lease, StoreError};

use crate::active::{Inbox, Loss};
use crate::driver::output::RunIo;
use crate::driver::state::Driver;
use crate::driver::watch::meanwhile;
use crate::outage::Outage;
use crate::shared::Shared;

/// How long the end of a call waits for its output to be stored.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a driver that leaves tries to store the last output.
const LAST_OUTPUT: Duration = Duration::from_secs(30);

impl<'e> Driver<'e> {
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

    /// Stores the remaining output, and waits only briefly for a store that is unavailable.
    pub(super) async fn flush_last(&mut self) {
        if self.flushing.is_none() && !self.io.has_entries() {
            return;
        }
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

    /// Stores the output of calls up to now, so that a reader who sees the end of a call sees all its output.
    /// A store that takes longer than [`LAST_WORDS`] does not delay a state change further.
    pub(super) async fn store_last_words(&mut self) {
        let mut longest = None;
        // First the flush that is under way, then what was added meanwhile.
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

/// Where output is written to.
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
            inbox.changed.notify();
        }
        .boxed()
    }
}

/// Stores output entries. While the store is unavailable they wait, and the next ones queue behind them.
async fn store_output(
    engine: &Shared,
    lease: &Lease,
    io: &RunIo,
    inbox: &Inbox,
    mut entries: Vec<OutputEntry>,
) {
    let mut outage = Outage::new(engine, "storing output");
    // Whether the numbers were refused although the entries before them are stored.
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
            // An earlier try may have stored them.
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
