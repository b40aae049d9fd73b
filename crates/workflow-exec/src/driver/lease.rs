//! A driver that has lost its lease, or may have: it claims the run again, and goes on where nobody has written to
//! it. Calls go on meanwhile, for as long as nobody else may be driving the run.

use std::time::Duration;

use futures::future::FutureExt as _;
use tracing::{info, warn};
use workflow_core::event::Event;
use workflow_core::store::StoreError;

use crate::active::Loss;
use crate::driver::state::{Driver, Ending};
use crate::driver::watch::meanwhile;
use crate::error::EngineError;
use crate::leases;
use crate::outage::Outage;
use crate::shared::{Hold, Shared};

/// How long it is waited when another part of this engine may be claiming the run.
const MOMENT: Duration = Duration::from_millis(20);

/// What became of the log while the driver did not know whether it had the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    /// Nothing.
    Unchanged,
    /// What was to be appended is there.
    Stored,
    /// Others have written to it, or may have stopped what the calls of this driver had started.
    Changed,
}

impl<'e> Driver<'e> {
    /// Whether a store error says that the lease is not good any more, and it can be had again.
    pub(super) fn is_lost(&self, error: &StoreError) -> bool {
        matches!(error, StoreError::Fenced(_) | StoreError::Expired)
            && self.engine.store.lease_time().is_some()
    }

    /// Waits after a failure of the store while calls go on, or until the lease is lost.
    pub(super) async fn pause(
        &mut self,
        outage: &mut Outage<'e>,
        error: StoreError,
    ) -> Result<(), EngineError> {
        let pause = outage.failed(error)?;
        meanwhile(&mut self.underway, &mut self.watch, true, pause).await;
        Ok(())
    }

    /// Claims the run again, and reads what became of its log.
    ///
    /// Where another driver had the run in between, it may have stopped what this driver's calls had started, although
    /// it wrote nothing. So nothing that those calls return is recorded: the run is read anew.
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
                info!("another driver had the run meanwhile: its calls are stopped, and it is read again");
                return Ok(Log::Changed);
            }
            is_fenced = false;
            loop {
                match self.read_back().await {
                    Ok(log) => return Ok(log),
                    Err(error) => self.pause(&mut outage, error).await?,
                }
                if self.entered.inbox.is_lost() {
                    break;
                }
            }
        }
    }

    /// Claims the run for [`Hold`], unless it is held still.
    async fn claim_again(&mut self, outage: &mut Outage<'e>, is_fenced: bool) -> Result<(), EngineError> {
        let (engine, hold) = (self.engine, self.hold);
        let mut is_lost = is_fenced;
        loop {
            // The answer is waited for: a lease that was given out is not to be lost on the way.
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

    /// What became of the log since the last event that is known to be stored.
    pub(super) async fn read_back(&mut self) -> Result<Log, StoreError> {
        let events: &[Event] = &self.decision.events;
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

/// Asks the store what became of the lease, and for another one if it is lost: the store may say so once.
async fn claim_again(engine: &Shared, hold: &Hold, is_lost: &mut bool) -> Result<(), StoreError> {
    let inbox = &hold.entered().inbox;
    let is_good = engine.learn().await?;
    *is_lost |= !is_good || inbox.is_lost_by(Loss::Expired);
    inbox.forget_loss();
    // Not before the store has answered: a newer one takes the place of one that was not taken, and follows what
    // that one did.
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
    // It is lost. Should it not be, it is given back.
    engine.store.release(hold.lease()).await?;
    let lease = engine.store.claim(hold.run()).await?;
    // This engine was given one meanwhile, and has lost it again.
    if let Some(unseen) = inbox.take_offered_if(|unseen| unseen.epoch == lease.previous) {
        hold.renew(&unseen);
    }
    hold.renew(&lease);
    info!(run = %hold.run(), "the run was claimed again");
    Ok(())
}
