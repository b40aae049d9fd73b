//! The leases of an engine: how runs are claimed, and one heartbeat for all runs that are driven here.
//!
//! Every driver and worker has a [`beat`] beside its work. The first one whose turn it is renews all leases;
//! the others see that it was done. So the heartbeat runs as long as anything is driven, without a spawner.
//! Time is measured by the timer alone, because a clock may jump.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::future::{Either, FutureExt as _, TryFutureExt as _, pending, select};
use tracing::{error, warn};
use workflow_core::ids::RunId;
use workflow_core::store::{LabelLimit, NewRun, StoreError};

use crate::active::Loss;
use crate::heartbeat::{Counted, Deadline, Renewing};
use crate::shared::{Hold, Shared};

/// A lease is renewed after this fraction of its duration …
const EVERY: u32 = 5;
/// … a renewal without an answer after this fraction is tried again …
const ANSWER: u32 = 4;
/// … and so is a failed one after this fraction.
const AGAIN: u32 = 20;
/// Calls are stopped this fraction of the duration before a lease expires, unless it was renewed …
pub(crate) const TO_STOP: u32 = 10;
/// … after this further fraction it is known whether the process was suspended meanwhile …
const TO_SEE: u32 = 50;
/// … and then this fraction remains to ask the store about the lease, before calls are stopped.
pub(crate) const AWAKE: u32 = 5;

/// Polls `work` while renewing the leases of `engine`, if the store's leases expire. It is pinned, because it is
/// large and would be stored twice.
pub(crate) async fn beating<T>(engine: &Shared, work: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> T {
    let Some(lease_time) = engine.store.lease_time() else { return work.await };
    match select(work, beat(engine, lease_time).boxed()).await {
        Either::Left((done, _)) => done,
        Either::Right((never, _)) => match never {},
    }
}

/// Renews the leases of `engine` for as long as it is polled. When they are lost, or are about to be, it
/// tells every driver, and continues for the leases that the drivers claim next.
async fn beat(engine: &Shared, lease_time: Duration) -> std::convert::Infallible {
    let heartbeat = &engine.heartbeat;
    if heartbeat.beats.load(Ordering::Acquire) == 0 {
        // A lease that was just claimed has its full duration.
        *heartbeat.deadline() = Some(deadline(engine, lease_time));
    }
    let _beats = Counted::in_(&heartbeat.beats);
    let mut part = EVERY;
    loop {
        let seen = heartbeat.renewals.load(Ordering::Acquire);
        engine.timer.sleep(lease_time / part).await;
        if heartbeat.renewals.load(Ordering::Acquire) != seen {
            part = EVERY;
            continue;
        }
        // The task that renews may be dropped before the renewal is done.
        let Some(renewing) = heartbeat.begin() else {
            part = AGAIN;
            continue;
        };
        part = EVERY;
        renew(engine, lease_time, renewing).await;
    }
}

/// Ready when calls must stop, for leases that are valid from now on.
fn deadline(engine: &Shared, lease_time: Duration) -> Deadline {
    let timer = engine.timer.clone();
    let (stop, end) = (timer.sleep(lease_time.saturating_sub(lease_time / TO_STOP)), timer.sleep(lease_time));
    async move {
        stop.await;
        timer.sleep(lease_time / TO_SEE).await;
        // A process that was suspended finds that the deadline has passed: its calls have run too long
        // already, or were suspended too. So the store is asked first.
        if end.now_or_never().is_some() {
            timer.sleep(lease_time / AWAKE).await;
        }
    }
    .boxed()
}

/// Renews until the store has answered.
async fn renew(engine: &Shared, lease_time: Duration, mut renewing: Renewing<'_>) {
    let heartbeat = &engine.heartbeat;
    loop {
        if let Some(later) = heartbeat.deadline().take() {
            // Settled by another task, which has claimed a run.
            renewing.deadline = Some(later);
        }
        let next = deadline(engine, lease_time);
        let Some(answer) = in_time(&mut renewing.deadline, ask(engine, lease_time)).await else {
            engine.halt();
            continue;
        };
        match answer {
            Ok(()) => return heartbeat.settled(next),
            Err(StoreError::Expired) => {
                heartbeat.settled(next);
                warn!("the leases of this process have expired: claiming its runs again");
                return engine.active.lose_leases(Loss::Expired);
            }
            Err(error @ StoreError::Closed(_)) => {
                error!(%error, "leases cannot be renewed");
                return engine.active.lose_leases(Loss::Expired);
            }
            Err(error) => {
                warn!(%error, "leases could not be renewed; trying again");
                let pause = engine.timer.sleep(lease_time / AGAIN);
                if in_time(&mut renewing.deadline, pause).await.is_none() {
                    engine.halt();
                }
            }
        }
    }
}

async fn ask(engine: &Shared, lease_time: Duration) -> Result<(), StoreError> {
    let limit = engine.timer.sleep(lease_time / ANSWER);
    match select(engine.store.renew(), limit).await {
        Either::Left((answer, _)) => answer,
        Either::Right(_) => {
            let source = std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer");
            Err(StoreError::Io { place: "the store".to_owned(), source: Arc::new(source) })
        }
    }
}

/// Polls `work` until the deadline; then clears the deadline and returns nothing.
async fn in_time<T>(deadline: &mut Option<Deadline>, work: impl Future<Output = T>) -> Option<T> {
    let until = async {
        match deadline {
            Some(deadline) => deadline.await,
            None => pending().await,
        }
    };
    let done = match select(pin!(work), pin!(until)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    };
    if done.is_none() {
        *deadline = None;
    }
    done
}

impl Shared {
    /// The store is unavailable, and the leases are about to expire: no call may run that another driver may
    /// start again.
    fn halt(&self) {
        warn!(
            "the leases are about to expire and the store is unavailable: stopping the calls of this process"
        );
        self.heartbeat.unsettled.store(true, Ordering::Release);
        self.active.lose_leases(Loss::Unreachable);
    }

    /// [Claims](workflow_core::store::RunStore::claim) a run, and registers it as driven here.
    pub(crate) async fn claim(self: &Arc<Self>, run: &RunId) -> Result<Hold, StoreError> {
        self.settle().await?;
        // If its lease has expired, its driver claims it again.
        if self.store.lease_time().is_some() && self.active.get(run).is_some_and(|inbox| inbox.is_driven()) {
            return Err(held_here(run));
        }
        Hold::new(self, self.store.claim(run).await?).ok_or_else(|| held_here(run))
    }

    /// [Claims](workflow_core::store::RunStore::claim_next) runs that have no driver, and registers them as driven
    /// here.
    pub(crate) async fn claim_next(
        self: &Arc<Self>,
        most: usize,
        limit: Option<&LabelLimit>,
    ) -> Result<Vec<Hold>, StoreError> {
        self.settle().await?;
        let _claiming = Counted::in_(&self.heartbeat.claiming);
        let now = self.clock.now();
        let leases = match limit {
            None => self.store.claim_next(most, now).await?,
            Some(limit) => self.store.claim_within(most, now, limit).await?,
        };
        // One that is driven here has lost its lease, and its driver continues with this one.
        Ok(leases.into_iter().filter_map(|lease| Hold::new(self, lease)).collect())
    }

    /// [Creates](workflow_core::store::RunStore::create) a run, and registers it as driven here. `None` where it has
    /// a driver here already, because the store answered late.
    ///
    /// To be called after [`settle`](Self::settle). Not an `async fn`, which would store the run twice.
    pub(crate) fn create(
        self: &Arc<Self>,
        run: NewRun,
    ) -> impl Future<Output = Result<Option<Hold>, StoreError>> {
        self.store.create(run).map_ok(|lease| Hold::new(self, lease))
    }

    /// Waits until the store has confirmed the state of leases that were given up: a lease that is claimed
    /// before that is lost with them.
    pub(crate) async fn settle(&self) -> Result<(), StoreError> {
        if self.heartbeat.unsettled.load(Ordering::Acquire) {
            self.learn().boxed().await?;
        }
        Ok(())
    }

    /// Asks the store whether the leases of this engine are valid, and tells every driver if they are not.
    pub(crate) async fn learn(&self) -> Result<bool, StoreError> {
        let lease_time = self.store.lease_time().unwrap_or_default();
        let next = deadline(self, lease_time);
        match ask(self, lease_time).await {
            Ok(()) => {
                self.heartbeat.settled(next);
                Ok(true)
            }
            Err(StoreError::Expired) => {
                self.heartbeat.settled(next);
                warn!("the leases of this process have expired: claiming its runs again");
                self.active.lose_leases(Loss::Expired);
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn held_here(run: &RunId) -> StoreError {
    StoreError::Held { run: run.clone(), holder: "this engine".to_owned() }
}
