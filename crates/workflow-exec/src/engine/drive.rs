//! Drives a run that is held until it is idle, and again if a control request arrived meanwhile.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures::future::FutureExt as _;
use tracing::warn;
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::plan::Plan;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::stop::Stop;
use workflow_core::store::{Control, StoreError};
use workflow_core::view::RunView;

use crate::driver::{self, Driven};
use crate::engine::Engine;
use crate::engine::slot::Waited;
use crate::shared::Hold;
use crate::{leases, panics};
use workflow_core::runs::EngineError;

impl Engine {
    /// Claims a run and drives it in the caller's own future until it is idle. A run that is idle already is
    /// not changed. Dropping the future stops the run's calls.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] when another driver has the run, in this process or another;
    /// [`StoreError::NotFound`]; [`EngineError::Broken`]; [`EngineError::NotReclaimed`];
    /// [`EngineError::ShutDown`] after a shutdown.
    pub async fn drive(&self, run: &RunId) -> Result<RunView, EngineError> {
        self.check_not_shut_down()?;
        let hold = self.shared.claim(run).await?;
        let view = self.take_up(hold).await?;
        if view.wait.is_none() { Ok(view) } else { self.wait_and_drive(view).boxed().await }
    }

    pub(crate) async fn take_up(&self, hold: Hold) -> Result<RunView, EngineError> {
        let run = hold.run().clone();
        let driving = pin!(async move {
            let (plan, state) = self.read(&hold).boxed().await.map_err(|error| hold.failed(error))?;
            self.drive_on(hold, plan, state).await
        });
        Ok(panics::while_driving(run, driving).await?.into())
    }

    /// Reads the run that is held, waiting while the store is unavailable.
    async fn read(&self, hold: &Hold) -> Result<(Arc<Plan>, Box<State>), EngineError> {
        let shared = &self.shared;
        let read = || async {
            let state =
                shared.fold_with(hold.run(), |events| shared.check_signatures(hold.run(), events)).await?;
            let plan = shared.plan_of(&state).await?;
            shared.check_bundle(hold.run(), state.bundle(), plan.bundle())?;
            if let Some(options) = &hold.selected_by {
                self.check_is_selected(options, &plan, &state).await?;
            }
            Ok::<_, EngineError>((plan, state))
        };
        let read = pin!(shared.patiently("reading the run", || read().boxed()));
        leases::beating(shared, read).await
    }

    /// Drives a run that is held until it is idle. Not an `async fn`, which would store each argument twice.
    pub(super) fn drive_on(
        &self,
        mut hold: Hold,
        mut plan: Arc<Plan>,
        mut state: Box<State>,
    ) -> impl Future<Output = Result<Box<State>, EngineError>> + Send {
        let shared = &self.shared;
        async move {
            if let Some(parent) = state.created().parent.as_ref().filter(|_| !state.has_started()) {
                let checked = self.check_parent(&state, parent).boxed().await;
                checked.map_err(|error| hold.failed(error))?;
            }
            loop {
                if hold.waits() {
                    let waited = self.wait_for_slot(&hold, &state).boxed().await;
                    match waited.map_err(|error| hold.failed(error))? {
                        Waited::Ready => {}
                        Waited::Again => {
                            let read = self.read(&hold).boxed().await;
                            (plan, state) = read.map_err(|error| hold.failed(error))?;
                            continue;
                        }
                        Waited::Stopped => {
                            hold.release().await?;
                            break;
                        }
                    }
                }
                let driven = pin!(driver::drive(shared, &hold, plan, state)).await;
                state = match driven.map_err(|error| hold.failed(error))? {
                    Driven::Rested(state) => state,
                    Driven::Again => {
                        let read = self.read(&hold).boxed().await;
                        (plan, state) = read.map_err(|error| hold.failed(error))?;
                        continue;
                    }
                };
                // The progress is stored; if the lease cannot be released now, the store releases it later.
                if let Err(error) = hold.give_back().await {
                    warn!(run = %hold.run(), %error, "the run could not be released");
                }
                if state.status().is_terminal()
                    && let Some(parent) = &state.created().parent
                {
                    self.tell_parent(&parent.run, hold.run()).boxed().await;
                }
                if state.status().is_terminal() || hold.entered().inbox.shutdown() > Stop::None {
                    break;
                }
                let claimed = self.claim_if_asked(hold.run(), &state).boxed().await;
                let Some(again) = claimed.map_err(|error| hold.failed(error))? else { break };
                // Another driver may have had the run in between.
                let selected_by = hold.selected_by.take();
                hold = again;
                hold.selected_by = selected_by;
                let read = self.read(&hold).boxed().await;
                (plan, state) = read.map_err(|error| hold.failed(error))?;
            }
            Ok(state)
        }
    }

    /// Carries out the control requests of a run that no process drives, starts no call before that is
    /// stored, and releases the run. A run that can then continue does so in the background, if there is a
    /// spawner and the caller `drives`.
    ///
    /// Returns whether the run waits for its slot: it can be cancelled, and other requests are carried out later.
    pub(crate) async fn carry_out(&self, mut hold: Hold, drives: bool) -> Result<bool, EngineError> {
        loop {
            let waited = hold.waits();
            let run = hold.run().clone();
            hold.entered().inbox.shut_down(Stop::Gracefully);
            let view = self.take_up(hold).await?;
            let waits = view.status == RunStatus::Paused && view.wait.is_none_or(|wait| wait.until.is_none());
            if view.status.is_terminal() {
                return Ok(false);
            }
            if waited && view.status == RunStatus::Pending {
                return Ok(true);
            }
            if !waits {
                if drives && self.shared.spawn.is_some() && self.check_not_shut_down().is_ok() {
                    match self.shared.claim(&run).await {
                        Ok(hold) => self.drive_in_background(hold),
                        // Another process has claimed it.
                        Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                return Ok(false);
            }
            // The sender of a request that arrived meanwhile relied on this driver.
            let state = self.shared.fold(&run).await?;
            let Some(again) = self.claim_if_asked(&run, &state).await? else { return Ok(false) };
            hold = again;
        }
    }

    /// The sender of a control request relies on the driver while the run is held. So the driver checks for
    /// requests once more after it has released the lease.
    async fn claim_if_asked(&self, run: &RunId, state: &State) -> Result<Option<Hold>, EngineError> {
        if state.status().is_terminal() {
            return Ok(None);
        }
        if !self.is_asked(state).await? {
            return Ok(None);
        }
        match self.shared.claim(run).await {
            Ok(hold) => Ok(Some(hold)),
            // The driver that holds it now reads the controls too.
            Err(StoreError::Held { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is a control request that an idle run has not handled yet.
    pub(crate) async fn is_asked(&self, state: &State) -> Result<bool, EngineError> {
        let (shared, run) = (&self.shared, &state.created().run);
        let read = || shared.store.controls(run, state.last_control());
        let controls = shared.patiently("reading controls", read).await?;
        // A control without effect is not recorded by an event, so it would be found again and again.
        let wait = state.wait();
        let is_paused = wait.as_ref().is_some_and(|wait| wait.reason == WaitReason::Pause);
        let can_resume = wait.is_some_and(|wait| wait.is_resumed());
        let told = controls.iter().filter_map(|record| match &record.control {
            Control::ChildEnded(child) => Some(child),
            _ => None,
        });
        if self.child_has_ended(state, told.collect()).await? {
            return Ok(true);
        }
        Ok(controls.iter().any(|record| match record.control {
            Control::ChildEnded(_) => false,
            Control::Pause => !is_paused,
            Control::Resume => can_resume,
            Control::Cancel if state.ends_as().is_some() => can_resume,
            _ => true,
        }))
    }
}
