//! How a run is started, and with which inputs.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use futures::future::FutureExt as _;
use tracing::Instrument as _;
use workflow_core::data::Data;
use workflow_core::event::{EventBody, RunCreated};
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::plan::Plan;
use workflow_core::runs::{CheckedStart, EngineError, NewIdentity, RunWhat, StartRun};
use workflow_core::store::{NewRun, StoreError};
use workflow_core::view::RunView;

use crate::engine::Engine;
use crate::engine::children::Link;
use crate::engine::handle::RunHandle;
use crate::engine::identity::{identity, seed_of_child};
use crate::engine::slot::replaces;
use crate::log::first_state;
use crate::panics;
use crate::shared::Hold;

impl Engine {
    /// Creates a run and drives it in the caller's own future until it is idle: until it has ended, or waits
    /// for a person. If the run waits for a time, this waits too, without holding the run. Starting with the
    /// id of a run that exists continues that run.
    ///
    /// Dropping the future stops the run's calls; the run can be resumed with [`Engine::drive`].
    ///
    /// # Errors
    ///
    /// [`EngineError`]; once the run was created, it can be resumed after [`EngineError::Store`] and
    /// [`EngineError::Broken`]. [`EngineError::ShutDown`] after a shutdown.
    pub async fn run(&self, start: StartRun) -> Result<RunView, EngineError> {
        let (run, claimed) = self.accept(start).await?;
        // What is boxed is rare, and larger than everything else that a run needs.
        let driving = match claimed {
            Some((hold, plan, state)) => {
                let state = self.drive_created(hold, plan, state).await?;
                if state.wait().is_none() {
                    return Ok(state.into());
                }
                self.wait_and_drive(state.into()).boxed()
            }
            None => self.drive(&run).boxed(),
        };
        driving.await
    }

    /// Apart from [`run`](Self::run), so that its state can reuse the memory that the future of `accept` had
    /// within that of `run`. Not an `async fn`, which would store each argument twice.
    fn drive_created(
        &self,
        hold: Hold,
        plan: Arc<Plan>,
        state: Box<State>,
    ) -> impl Future<Output = Result<Box<State>, EngineError>> + Send {
        let run = hold.run().clone();
        async move {
            // Pinned where it stays, because it is large and would be moved at every layer around it.
            let driving = pin!(self.drive_on(hold, plan, state));
            panics::while_driving(run, driving).await
        }
    }

    /// Creates a run and drives it in the background, through the engine's spawner. An error that ends the driver
    /// is what [`RunHandle::wait`] returns.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoSpawner`]; [`EngineError::Panicked`] for the spawner, when the run was created and is
    /// not driven; otherwise as [`Engine::create`].
    pub async fn start(&self, start: StartRun) -> Result<RunHandle, EngineError> {
        let spawn = self.shared.spawn.clone().ok_or(EngineError::NoSpawner)?;
        let (run, claimed) = self.accept(start).await?;
        if let Some((hold, plan, state)) = claimed {
            let (engine, run) = (self.clone(), run.clone());
            let driving = async move {
                let driving = pin!(engine.drive_on(hold, plan, state));
                let driven = panics::while_driving(run.clone(), driving).await;
                engine.park(&run, driven.map(RunView::from));
            };
            // The span of the run has the caller's as its parent.
            panics::spawn(&*spawn, driving.in_current_span().boxed())?;
        }
        Ok(self.handle(&run))
    }

    /// Creates a run without driving it.
    ///
    /// Dropping the future leaves either no run or one that is complete.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] for the definition; [`EngineError::Variables`] and [`EngineError::Labels`];
    /// [`EngineError::OtherInputs`] when there is a run of that id with other inputs; [`EngineError::Store`], among them
    /// [`StoreError::Busy`] where another run has the key of this one and the workflow says `mode: reject`;
    /// [`EngineError::ShutDown`] after a shutdown.
    pub async fn create(&self, start: StartRun) -> Result<RunHandle, EngineError> {
        let (run, claimed) = self.accept(start).await?;
        if let Some((hold, ..)) = claimed {
            hold.release().await?;
        }
        Ok(self.handle(&run))
    }

    /// Creates the run, or finds the one that was created with the same id and inputs.
    async fn accept(
        &self,
        start: StartRun,
    ) -> Result<(RunId, Option<(Hold, Arc<Plan>, Box<State>)>), EngineError> {
        self.accept_as(start, None).await
    }

    /// The same for the run of a node, which one of the same id is in any case.
    pub(super) async fn accept_as(
        &self,
        start: StartRun,
        link: Option<Link>,
    ) -> Result<(RunId, Option<(Hold, Arc<Plan>, Box<State>)>), EngineError> {
        self.check_not_shut_down()?;
        let plan = self.plan_to_start(&start).await?;
        let (chosen, is_child) = (start.run_id.clone(), link.is_some());
        let start = start.check(&plan)?;
        self.check_no_secrets(start.start(), &plan)?;
        self.shared.settle().await?;
        let is_chosen = chosen.is_some();
        let (new, state) = self.new_run(start, chosen, link)?;
        let id = new.id.clone();
        let shown = (!self.shared.sinks.is_empty()).then(|| new.events.clone());
        match self.shared.create(new).await {
            Ok(hold) => {
                if let Some(shown) = shown {
                    self.shared.sinks.events(&id, &shown);
                }
                if let Some(behind) = hold.as_ref().and_then(Hold::behind)
                    && replaces(&state)
                {
                    self.cancel_others(behind, &state).await;
                }
                Ok((id, hold.map(|hold| (hold, plan, state))))
            }
            Err(StoreError::Exists(_)) if is_chosen => {
                if !is_child {
                    self.same_inputs(&id, &state).await?;
                }
                Ok((id, None))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The run that [`create`](Self::create) would create, as it begins: for a backend that executes runs by other means.
    /// Nothing is stored.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create), without those of the store.
    pub async fn begin(&self, start: StartRun) -> Result<NewRun, EngineError> {
        let plan = self.plan_to_start(&start).await?;
        let chosen = start.run_id.clone();
        let start = start.check(&plan)?;
        self.check_no_secrets(start.start(), &plan)?;
        Ok(self.new_run(start, chosen, None)?.0)
    }

    /// What is to be started, with the providers that it is to have.
    async fn plan_to_start(&self, start: &StartRun) -> Result<Arc<Plan>, EngineError> {
        match &start.what {
            RunWhat::Plan(plan) if start.providers.is_empty() => Ok(plan.clone()),
            RunWhat::Plan(plan) => {
                let settings = self.provider_settings().boxed().await?;
                self.check_replaced_names(&plan.bundle().all(), &start.providers, &settings)?;
                self.plan_with(plan.bundle(), &start.providers, &settings)
            }
            RunWhat::Id(id) => self.load_with(id, &start.providers).boxed().await,
        }
    }

    /// A new run, and its state after its first event. Not inlined, because what these are made of is large, and uses
    /// stack where it is made.
    #[inline(never)]
    fn new_run(
        &self,
        start: CheckedStart<'_>,
        chosen: Option<RunId>,
        link: Option<Link>,
    ) -> Result<(NewRun, Box<State>), EngineError> {
        let now = self.shared.clock.now();
        let (id, seed) = identity(chosen, now)?;
        let identity = match link {
            Some(Link { parent, budget }) => {
                let seed = seed_of_child(&id).unwrap_or(seed);
                NewIdentity::new(id, seed, now).child_of(parent, budget)
            }
            None => NewIdentity::new(id, seed, now),
        };
        let (mut new, mut state) = start.begin(identity)?;
        if self.shared.run_key.is_some() {
            self.shared.sign(&new.id, &mut new.events);
            state = first_state(&new.id, &new.events[0])?;
        }
        Ok((new, state))
    }

    /// Refuses inputs that hold a secret, as they would be stored.
    fn check_no_secrets(&self, start: &StartRun, plan: &Plan) -> Result<(), EngineError> {
        self.shared.check_secrets(plan)?;
        let vars = start.vars.iter().map(|(name, value)| (format!("the variable `{name}`"), value));
        self.shared.secret_in(plan, vars)?;
        let labels: Vec<_> =
            start.labels.iter().map(|(name, value)| (name, Data::new(&value.as_str().into()))).collect();
        let labels = labels.iter().map(|(name, value)| (format!("the label `{name}`"), value));
        self.shared.secret_in(plan, labels)
    }

    async fn same_inputs(&self, run: &RunId, wanted: &State) -> Result<(), EngineError> {
        let first = self.shared.store.events(run, 0, 1).await?;
        let there = match first.first().map(|event| &event.body) {
            Some(EventBody::RunCreated(there)) => there.clone(),
            _ => return Err(StoreError::NotFound(format!("run `{run}`")).into()),
        };
        // Who starts a run is not one of its inputs: the first who did so stays in the log.
        let (seed, by, signature) = (there.seed, there.by.clone(), there.signature.clone());
        let wanted = RunCreated { seed, by, signature, ..RunCreated::clone(wanted.created()) };
        if *there == wanted { Ok(()) } else { Err(EngineError::OtherInputs(run.clone())) }
    }
}
