//! The heartbeat of an engine's leases: one for all runs that are driven here.
//!
//! Every driver and worker has a [`Heartbeat::beat`] beside its work. Whoever's turn comes first renews for
//! all; the others see that it was done. So the heart beats as long as anything is driven, without a
//! spawner. Time is told by the timer alone: a clock may jump.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::future::{Either, select};
use tracing::{error, warn};
use workflow_core::ids::RunId;
use workflow_core::store::{Lease, NewRun, StoreError};

use crate::engine::Shared;

/// A lease is renewed after this part of its time …
const EVERY: u32 = 5;
/// … a renewal that failed, or did not end, is tried again after this part …
const AGAIN: u32 = 10;
/// … and so often, before the leases are taken for lost: in the worst case when two of the first and
/// three of the second parts are over, so that three tenths are left to stop what runs.
const TRIES: u32 = 3;

/// Which renewal is the last one, and whether one is under way.
#[derive(Default)]
pub(crate) struct Heartbeat {
    renewals: AtomicU64,
    renewing: AtomicBool,
    /// Leases were given up, and the store has not said what became of them.
    unsettled: AtomicBool,
}

/// Somebody renews until this is dropped.
struct Renewing<'h>(&'h AtomicBool);

impl Drop for Renewing<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

impl Heartbeat {
    fn begin(&self) -> Option<Renewing<'_>> {
        (!self.renewing.swap(true, Ordering::AcqRel)).then_some(Renewing(&self.renewing))
    }
}

/// Renews the leases of `engine` for as long as it is polled; ends when they are lost, after every driver
/// was told to stop its calls at once.
pub(crate) async fn beat(engine: &Shared, lease_time: Duration) {
    let heartbeat = &engine.heartbeat;
    loop {
        let seen = heartbeat.renewals.load(Ordering::Acquire);
        engine.timer.sleep(lease_time / EVERY).await;
        if heartbeat.renewals.load(Ordering::Acquire) != seen {
            continue;
        }
        let Some(_renewing) = heartbeat.begin() else { continue };
        if let Err(error) = renew(engine, lease_time).await {
            // What the store does not know to be lost it would call lost later, with all that was taken since.
            heartbeat.unsettled.store(true, Ordering::Release);
            error!(%error, "the right to drive runs is lost: what runs is stopped");
            engine.active.lose_leases();
            return;
        }
        heartbeat.renewals.fetch_add(1, Ordering::AcqRel);
    }
}

impl Shared {
    /// [Claims](workflow_core::store::RunStore::claim) a run.
    pub(crate) async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.settle().await?;
        self.store.claim(run).await
    }

    /// [Claims](workflow_core::store::RunStore::claim_next) runs that nobody drives.
    pub(crate) async fn claim_next(&self, most: usize) -> Result<Vec<Lease>, StoreError> {
        self.settle().await?;
        self.store.claim_next(most, self.clock.now()).await
    }

    /// [Creates](workflow_core::store::RunStore::create) a run.
    pub(crate) async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        self.settle().await?;
        self.store.create(run).await
    }

    /// Waits until the store has said what became of leases that were given up: whatever is taken before that
    /// is lost with them.
    async fn settle(&self) -> Result<(), StoreError> {
        if self.heartbeat.unsettled.load(Ordering::Acquire) {
            match self.store.renew().await {
                Ok(()) | Err(StoreError::Expired) => {}
                Err(error) => return Err(error),
            }
            self.heartbeat.unsettled.store(false, Ordering::Release);
        }
        Ok(())
    }
}

async fn renew(engine: &Shared, lease_time: Duration) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        let pause = engine.timer.sleep(lease_time / AGAIN);
        let failed = match select(engine.store.renew(), pause).await {
            Either::Left((Ok(()), _)) => return Ok(()),
            Either::Left((Err(lost @ (StoreError::Expired | StoreError::Closed(_))), _)) => return Err(lost),
            Either::Left((Err(error), pause)) => {
                warn!(%error, "the right to drive runs could not be renewed");
                pause.await;
                error
            }
            Either::Right(_) => StoreError::Expired,
        };
        tries += 1;
        if tries >= TRIES {
            return Err(failed);
        }
    }
}
