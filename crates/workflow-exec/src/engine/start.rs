//! How a run is started, and with which inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::FutureExt as _;
use indexmap::IndexMap;
use serde_json::Value;
use tracing::Instrument as _;
use workflow_core::data::Data;
use workflow_core::definition::OnFailure;
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::labels::check_labels;
use workflow_core::machine::State;
use workflow_core::plan::Plan;
use workflow_core::store::{NewRun, StoreError};
use workflow_core::view::RunView;

use crate::engine::Engine;
use crate::engine::handle::RunHandle;
use crate::engine::identity::identity;
use crate::error::EngineError;
use crate::log::first_state;
use crate::panics;
use crate::shared::Hold;

/// A run to be started.
///
/// ```
/// use workflow_core::definition::OnFailure;
/// use workflow_exec::StartRun;
///
/// let start = StartRun::workflow("release".parse()?)
///     .var("version", "1.4.0")
///     .run_id("release-1-4-0".parse()?)
///     .on_failure(OnFailure::Stop);
/// # Ok::<(), workflow_core::ids::InvalidId>(())
/// ```
#[derive(Debug, Clone)]
pub struct StartRun {
    pub(crate) what: What,
    pub(crate) vars: IndexMap<String, Data>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) run_id: Option<RunId>,
    pub(crate) provider: Option<String>,
    pub(crate) on_failure: Option<OnFailure>,
    pub(crate) interactive: bool,
    pub(crate) isolated: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    Plan(Arc<Plan>),
    Id(WorkflowId),
}

impl StartRun {
    /// A run of a workflow in the engine's catalog.
    pub fn workflow(id: WorkflowId) -> Self {
        Self::new(What::Id(id))
    }

    /// A run of a workflow that was prepared.
    pub fn plan(plan: &Arc<Plan>) -> Self {
        Self::new(What::Plan(plan.clone()))
    }

    fn new(what: What) -> Self {
        let vars = IndexMap::new();
        Self {
            what,
            vars,
            labels: BTreeMap::new(),
            run_id: None,
            provider: None,
            on_failure: None,
            interactive: false,
            isolated: false,
        }
    }

    /// Sets a variable.
    #[must_use]
    pub fn var(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.vars.insert(name.into(), Data::new(&value.into()));
        self
    }

    /// Sets several variables.
    ///
    /// ```
    /// use serde_json::json;
    /// use workflow_exec::StartRun;
    ///
    /// let start = StartRun::workflow("deploy".parse()?).vars([("version", json!(2)), ("region", json!("eu"))]);
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    #[must_use]
    pub fn vars<N: Into<String>, V: Into<Value>>(self, vars: impl IntoIterator<Item = (N, V)>) -> Self {
        vars.into_iter().fold(self, |start, (name, value)| start.var(name, value))
    }

    /// Sets a variable to JSON that is serialised already, numbers as they are written: [`Data::parse`] reads it.
    #[must_use]
    pub fn var_data(mut self, name: impl Into<String>, value: Data) -> Self {
        self.vars.insert(name.into(), value);
        self
    }

    /// Gives the run a label: a short text, such as an owner, a tenant or a ticket, that is stored with the run and by
    /// which [`Engine::list`] finds it. Definitions do not see labels. [`check_labels`] has the rules for names and
    /// values. Forks of the run have the same labels.
    ///
    /// ```
    /// use workflow_exec::StartRun;
    ///
    /// let start = StartRun::workflow("deploy".parse()?).label("owner", "ann").label("ticket", "OPS-7");
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// Gives the run several [labels](StartRun::label).
    ///
    /// ```
    /// use workflow_exec::StartRun;
    ///
    /// let start = StartRun::workflow("deploy".parse()?).labels([("owner", "ann"), ("ticket", "OPS-7")]);
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    #[must_use]
    pub fn labels<N: Into<String>, V: Into<String>>(self, labels: impl IntoIterator<Item = (N, V)>) -> Self {
        labels.into_iter().fold(self, |start, (name, value)| start.label(name, value))
    }

    /// Chooses the run's id. Starting twice with the same id and the same inputs returns the same run; with
    /// other inputs it is an error.
    #[must_use]
    pub fn run_id(mut self, id: RunId) -> Self {
        self.run_id = Some(id);
        self
    }

    /// Makes every call with this provider, whatever the definitions say. It is recorded with the run, so
    /// that it also applies when another process drives the run, and to forks and reruns. Options under
    /// `with` for another provider are left out.
    #[must_use]
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.provider = Some(name.into());
        self
    }

    /// Asks a person before every stage, also those without an `approval` of their own.
    #[must_use]
    pub fn interactive(mut self) -> Self {
        self.interactive = true;
        self
    }

    /// Makes the calls work in a workspace of the run's own. This needs providers that create one, such as
    /// `Worktrees` of `workflow-providers`; other providers that work on files refuse such calls.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// Replaces `on_failure` of every stage.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = Some(on_failure);
        self
    }
}

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
        match claimed {
            Some((hold, plan, state)) => {
                let view = panics::while_driving(run, self.drive_on(hold, plan, state)).await?;
                if view.wait.is_none() { Ok(view) } else { self.wait_and_drive(view).boxed().await }
            }
            // Rare, and larger than everything else that a run needs.
            None => self.drive(&run).boxed().await,
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
                let driven = panics::while_driving(run.clone(), engine.drive_on(hold, plan, state)).await;
                engine.park(&run, driven);
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
    /// [`EngineError::OtherInputs`] when there is a run of that id with other inputs; [`EngineError::Store`]; [`EngineError::ShutDown`] after a shutdown.
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
        self.check_not_shut_down()?;
        let plan = match (start.what, &start.provider) {
            (What::Plan(plan), None) => plan,
            (What::Plan(plan), Some(provider)) => self.plan_with(plan.bundle(), provider)?,
            (What::Id(id), provider) => self.load_with(&id, provider.as_deref()).await?,
        };
        let wrong = plan.check_variables(&start.vars);
        if !wrong.is_empty() {
            return Err(EngineError::Variables(wrong));
        }
        let wrong = check_labels(&start.labels);
        if !wrong.is_empty() {
            return Err(EngineError::Labels(wrong));
        }
        self.shared.check_secrets(&plan)?;
        let vars = start.vars.iter().map(|(name, value)| (format!("the variable `{name}`"), value));
        self.shared.secret_in(&plan, vars)?;
        let labels: Vec<_> =
            start.labels.iter().map(|(name, value)| (name, Data::new(&value.as_str().into()))).collect();
        let labels = labels.iter().map(|(name, value)| (format!("the label `{name}`"), value));
        self.shared.secret_in(&plan, labels)?;
        let chosen = start.run_id.is_some();
        let (id, seed) = identity(start.run_id, self.shared.clock.now())?;
        let created = RunCreated {
            run: id.clone(),
            workflow: plan.workflow().id.clone(),
            bundle: plan.hash().clone(),
            vars: start.vars,
            labels: start.labels,
            on_failure: start.on_failure,
            interactive: start.interactive,
            isolated: start.isolated,
            seed,
            signature: None,
        };
        let body = EventBody::RunCreated(Arc::new(created));
        let mut events = vec![Event { seq: 1, at: self.shared.clock.now(), body }];
        self.shared.sign(&id, &mut events);
        let event = events[0].clone();
        let state = first_state(&id, &event)?;
        let new = NewRun { id: id.clone(), bundle: plan.bundle().clone(), events, head: state.head() };
        match self.shared.create(new).await {
            Ok(hold) => {
                self.shared.sinks.events(&id, &[event]);
                Ok((id, hold.map(|hold| (hold, plan, state))))
            }
            Err(StoreError::Exists(_)) if chosen => {
                self.same_inputs(&id, &state).await?;
                Ok((id, None))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn same_inputs(&self, run: &RunId, wanted: &State) -> Result<(), EngineError> {
        let first = self.shared.store.events(run, 0, 1).await?;
        let there = match first.first().map(|event| &event.body) {
            Some(EventBody::RunCreated(there)) => there.clone(),
            _ => return Err(StoreError::NotFound(format!("run `{run}`")).into()),
        };
        let (seed, signature) = (there.seed, there.signature.clone());
        let wanted = RunCreated { seed, signature, ..RunCreated::clone(wanted.created()) };
        if *there == wanted { Ok(()) } else { Err(EngineError::OtherInputs(run.clone())) }
    }
}
