//! Runs that wait until another run with the same key has ended.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, select};
use tracing::{debug, warn};
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::runs::EngineError;
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{Control, RunFilter, RunRecord, SlotMode, StoreError};

use crate::driver;
use crate::engine::Engine;
use crate::leases;
use crate::shared::Hold;

/// How often the slot is looked at without a notification of the store: a process can die before it sends one.
const LOOK: Duration = Duration::from_secs(5);

/// Why waiting for a slot ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    /// The run has its slot, or is to be cancelled: it can be driven.
    Ready,
    /// Another driver may have had the run: it has to be read again.
    Again,
    /// The engine stops driving the run.
    Stopped,
}

impl Engine {
    /// Waits until the run has its slot. The lease is kept meanwhile, so that other processes see which process waits.
    pub(super) async fn wait_for_slot(&self, hold: &Hold, state: &State) -> Result<Waited, EngineError> {
        let waiting = pin!(self.watch_slot(hold, state));
        leases::beating(&self.shared, waiting).await
    }

    async fn watch_slot(&self, hold: &Hold, state: &State) -> Result<Waited, EngineError> {
        let (shared, run) = (&self.shared, hold.run());
        let inbox = &hold.entered().inbox;
        let mut before = None;
        loop {
            if inbox.is_lost() {
                shared
                    .patiently("claiming the run again", || driver::claim_again(shared, hold).boxed())
                    .await?;
                if hold.was_taken() {
                    return Ok(Waited::Again);
                }
            }
            let read = || shared.store.controls(run, state.last_control());
            let controls = shared.patiently("reading controls", read).await?;
            if controls.iter().any(|record| matches!(record.control, Control::Cancel | Control::Kill)) {
                return Ok(Waited::Ready);
            }
            let Some(behind) = self.behind(hold, state).await? else {
                // If the lease was lost, the next round claims the run again.
                if inbox.is_lost() {
                    continue;
                }
                return Ok(Waited::Ready);
            };
            if inbox.shutdown() > Stop::None || inbox.is_draining() {
                return Ok(Waited::Stopped);
            }
            if replaces(state) {
                // The process that was to cancel it may have died.
                self.cancel_idle(&behind).await;
            }
            if before.as_ref() != Some(&behind) {
                debug!(%run, %behind, "the run waits for its slot");
                before = Some(behind);
            }
            select(poll_fn(|cx| inbox.poll_news(cx)), shared.timer.sleep(LOOK)).await;
        }
    }

    /// The run that has the slot of this one. `None` as well if the lease was lost.
    async fn behind(&self, hold: &Hold, state: &State) -> Result<Option<RunId>, EngineError> {
        let (shared, head) = (&self.shared, state.head());
        let (none, lease) = (Arc::default(), hold.lease());
        // An append of the head that is stored already: only a run with its slot can do that.
        let append = || shared.store.append(&lease, state.last_event(), &none, Some(&head));
        match shared.patiently("looking at the slot", append).await {
            Ok(_) => Ok(None),
            Err(EngineError::Store(StoreError::Queued { behind, .. })) => Ok(Some(behind)),
            Err(EngineError::Store(StoreError::Fenced(_) | StoreError::Expired))
                if shared.store.lease_time().is_some() =>
            {
                hold.entered().inbox.lose(crate::active::Loss::Expired);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Cancels the runs that came before this one and have its key: `behind`, which has the slot and was asked by the store
    /// already, and those that wait for it.
    ///
    /// Boxed, because cancelling a run drives it.
    pub(super) fn cancel_others<'a>(&'a self, behind: &'a RunId, state: &'a State) -> BoxFuture<'a, ()> {
        async move {
            let (shared, own) = (&self.shared, state.created());
            let others = match shared.store.list(&RunFilter::unfinished()).await {
                Ok(others) => others,
                Err(error) => {
                    warn!(run = %own.run, %error, "the runs that wait for the same slot could not be cancelled");
                    Vec::new()
                }
            };
            let place = (state.head().created_at, &own.run);
            let is_before = |other: &&RunRecord| {
                let has_key = other.head.slot.as_ref().map(|slot| &slot.key)
                    == own.slot.as_ref().map(|slot| &slot.key);
                has_key && other.run_id != *behind && (other.head.created_at, &other.run_id) < place
            };
            for other in others.iter().filter(is_before) {
                match shared.store.request(&other.run_id, Control::Cancel.into()).await {
                    Ok(_) => self.cancel_idle(&other.run_id).await,
                    Err(error) => warn!(run = %other.run_id, %error, "the run could not be cancelled"),
                }
            }
            self.cancel_idle(behind).await;
        }
        .boxed()
    }

    /// Carries out the cancellation that was requested of a run, if no process drives it.
    fn cancel_idle<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, ()> {
        async move {
            let cancelled = match self.shared.claim(run).await {
                Ok(hold) => self.carry_out(hold, true).await.map(drop),
                // Its driver sees the request.
                Err(StoreError::Held { .. } | StoreError::NotFound(_)) => Ok(()),
                Err(error) => Err(error.into()),
            };
            if let Err(error) = cancelled {
                warn!(%run, %error, "the run could not be cancelled");
            }
        }
        .boxed()
    }
}

/// Whether the run cancels those with its key.
pub(super) fn replaces(state: &State) -> bool {
    state.created().slot.as_ref().is_some_and(|slot| slot.mode == SlotMode::Cancel)
}

/// Whether a run is known to wait for the slot of another one, by the unfinished runs that a store lists: only a run with
/// its slot can have started.
pub(super) fn is_behind(record: &RunRecord, unfinished: &[RunRecord]) -> bool {
    let Some(slot) = record.head.slot.as_ref().filter(|_| record.head.status == RunStatus::Pending) else {
        return false;
    };
    let has = |other: &RunRecord| {
        other.head.started_at.is_some() && other.head.slot.as_ref().is_some_and(|held| held.key == slot.key)
    };
    unfinished.iter().any(|other| other.run_id != record.run_id && has(other))
}
