//! A driver that has lost its lease, or may have lost it: it claims the run again, and continues if no other
//! driver has written to the log. Calls continue meanwhile, for as long as no other driver can have the run.

use std::time::Duration;

use futures::future::FutureExt as _;
use tracing::{info, warn};
use workflow_core::event::Event;
use workflow_core::store::StoreError;

use crate::active::Loss;
use crate::driver::state::{Driver, Ending};
use crate::driver::watch::meanwhile;
use crate::leases;
use crate::outage::Outage;
use crate::shared::{Hold, Shared};
use workflow_core::runs::EngineError;

/// How long to wait when another part of this engine may be claiming the run.
const MOMENT: Duration = Duration::from_millis(20);

/// How the log changed while the driver did not know whether it had the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    /// Nothing.
    Unchanged,
    /// The events that were to be appended are stored.
    Stored,
    /// Another driver has written to it, or may have stopped processes that this driver's calls had started.
    Changed,
}

impl<'e> Driver<'e> {
    /// Whether a store error says that the lease is no longer valid, and that the run can be claimed again.
    pub(super) fn is_lost(&self, error: &StoreError) -> bool {
        matches!(error, StoreError::Fenced(_) | StoreError::Expired)
            && self.engine.store.lease_time().is_some()
    }

    /// Waits after a failure of the store while calls continue, or until the lease is lost.
    pub(super) async fn pause(
        &mut self,
        outage: &mut Outage<'e>,
        error: StoreError,
    ) -> Result<(), EngineError> {
        let pause = outage.failed(error)?;
        meanwhile(&mut self.underway, &mut self.watch, true, pause).await;
        Ok(())
    }

    /// Claims the run again, and reads how its log has changed.
    ///
    /// Another driver that had the run in between may have stopped processes of this driver's calls, even if
    /// it wrote nothing. In that case no result of those calls is recorded, and the run is read again from
    /// its log.
    pub(super) async fn regain(&mut self, mut is_fenced: bool) -> Result<Log, Ending> {
        let lease_time = self.engine.store.lease_time().unwrap_or_default();
        let mut outage = Outage::new(self.engine, "claiming the run again");
        loop {
            self.watch.halts = Some(self.engine.timer.sleep(lease_time / leases::AWAKE));
            let claimed = self.claim_again(&mut outage, is_fenced).await;
            self.watch.halts = None;
            claimed?;
            self.lease = self.hold.lease();
            if self.hold.was_taken() {
                info!(
                    "another driver had the run meanwhile: stopping the calls here and reading the run \
                       again"
                );
                return Ok(Log::Changed);
            }
            is_fenced = false;
            loop {
                match self.read_back().await {
                    Ok(log) => {
                        if log != Log::Changed {
                            self.watch.resume();
                        }
                        return Ok(log);
                    }
                    Err(error) => self.pause(&mut outage, error).await?,
                }
                if self.entered.inbox.is_lost() {
                    break;
                }
            }
        }
    }

    /// Claims the run for [`Hold`], unless its lease is still valid.
    async fn claim_again(&mut self, outage: &mut Outage<'e>, is_fenced: bool) -> Result<(), EngineError> {
        let (engine, hold) = (self.engine, self.hold);
        let mut is_lost = is_fenced;
        loop {
            // Waits for the answer: a lease that the store has given out must not be lost.
            let claim = claim_again(engine, hold, &mut is_lost).boxed();
            let Some(claimed) = meanwhile(&mut self.underway, &mut self.watch, false, claim).await else {
                continue;
            };
            match claimed {
                Ok(()) => return Ok(()),
                Err(StoreError::Held { .. })
                    if engine.heartbeat.is_claiming() || hold.entered().inbox.offered().is_some() =>
                {
                    let moment = engine.timer.sleep(MOMENT);
                    meanwhile(&mut self.underway, &mut self.watch, false, moment).await;
                }
                Err(StoreError::Held { run, holder }) => {
                    warn!(%holder, "the run was taken over");
                    self.watch.halted = true;
                    return Err(EngineError::TakenOver { run, holder: Some(holder) });
                }
                Err(error) => {
                    let pause = outage.failed(error)?;
                    meanwhile(&mut self.underway, &mut self.watch, false, pause).await;
                }
            }
        }
    }

    /// How the log changed since the last event that is known to be stored.
    pub(super) async fn read_back(&mut self) -> Result<Log, StoreError> {
        let events: &[Event] = &self.events;
        let stored = self.state.last_event() - events.len() as u64;
        let read = self.engine.store.events(&self.lease.run, stored, events.len() + 1);
        let found = meanwhile(&mut self.underway, &mut self.watch, false, read).await;
        let found = found.unwrap_or_else(|| Ok(Vec::new()))?;
        Ok(match &found[..] {
            [] => Log::Unchanged,
            found if found == events => Log::Stored,
            _ => Log::Changed,
        })
    }
}

/// Asks the store whether the lease is valid, and for a new one if it is lost: a store may report an expired
/// lease only once.
async fn claim_again(engine: &Shared, hold: &Hold, is_lost: &mut bool) -> Result<(), StoreError> {
    let inbox = &hold.entered().inbox;
    let is_good = engine.learn().await?;
    *is_lost |= !is_good || inbox.is_lost_by(Loss::Expired);
    inbox.forget_loss();
    // Not before the store has answered: a newer lease replaces one that was not taken, and takes over its
    // predecessor.
    if let Some(offered) = inbox.take_offered() {
        let own = hold.lease().epoch;
        if offered.previous == own || offered.epoch > own {
            hold.renew(&offered);
            *is_lost = !is_good;
        } else {
            // The run was claimed after it.
            engine.store.release(offered).await?;
        }
    }
    if !*is_lost {
        return Ok(());
    }
    // The lease is lost; if it is still valid after all, this releases it.
    engine.store.release(hold.lease()).await?;
    let lease = engine.store.claim(hold.run()).await?;
    // This engine received a lease meanwhile, and has lost it again.
    if let Some(unseen) = inbox.take_offered_if(|unseen| unseen.epoch == lease.previous) {
        hold.renew(&unseen);
    }
    hold.renew(&lease);
    info!(run = %hold.run(), "the run was claimed again");
    Ok(())
}

/// The same for a run that is held and not driven yet, whose lease may be lost.
pub(crate) async fn claim_again_if_lost(engine: &Shared, hold: &Hold) -> Result<(), EngineError> {
    match claim_again(engine, hold, &mut false).await {
        Err(StoreError::Held { run, holder }) => Err(EngineError::TakenOver { run, holder: Some(holder) }),
        claimed => Ok(claimed?),
    }
}
