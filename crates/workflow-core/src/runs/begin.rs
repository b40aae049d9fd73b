//! How a run begins: its bundle and its first events, from what is to be started. No store is needed.

use std::sync::Arc;

use jiff::Timestamp;

use crate::definition::Budget;
use crate::event::{Event, EventBody, ParentRun, RunCreated};
use crate::ids::RunId;
use crate::labels::check_labels;
use crate::machine::State;
use crate::plan::Plan;
use crate::runs::{EngineError, StartRun};
use crate::store::NewRun;

/// What a new run has that does not follow from what it runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NewIdentity {
    /// Its id.
    pub id: RunId,
    /// A random number, from which everything follows that is random in the run, and which tells it from a run of the
    /// same id in another store.
    pub seed: u64,
    /// When it is created.
    pub at: Timestamp,
    /// The node that has started it.
    pub parent: Option<Arc<ParentRun>>,
    /// What is left of the budgets of the run with that node.
    pub budget: Option<Box<Budget>>,
}

impl NewIdentity {
    /// The identity of a run that no other has started.
    pub fn new(id: RunId, seed: u64, at: Timestamp) -> Self {
        Self { id, seed, at, parent: None, budget: None }
    }

    /// That of a run which a node of another has started.
    #[must_use]
    pub fn child_of(self, parent: Arc<ParentRun>, budget: Option<Box<Budget>>) -> Self {
        Self { parent: Some(parent), budget, ..self }
    }
}

/// A run to be started whose inputs fit its plan.
#[derive(Debug, Clone)]
pub struct CheckedStart<'p> {
    start: StartRun,
    plan: &'p Plan,
}

impl StartRun {
    /// Checks the inputs and options of the run against the plan that it is to have: variables, labels and `max_iters`.
    /// [`what`](StartRun::what) and [`providers`](StartRun::providers) are not looked at, as the plan follows from them.
    ///
    /// Whether a value holds a secret is for the host to check.
    ///
    /// # Errors
    ///
    /// [`EngineError::Variables`], [`EngineError::Labels`], [`EngineError::Option`].
    pub fn check(self, plan: &Plan) -> Result<CheckedStart<'_>, EngineError> {
        let wrong = plan.check_variables(&self.vars);
        if !wrong.is_empty() {
            return Err(EngineError::Variables(wrong));
        }
        let wrong = check_labels(&self.labels);
        if !wrong.is_empty() {
            return Err(EngineError::Labels(wrong));
        }
        if let Some(most) = self.max_iters {
            plan.check_max_iters(most).map_err(EngineError::Option)?;
        }
        Ok(CheckedStart { start: self, plan })
    }
}

impl CheckedStart<'_> {
    /// What is to be started.
    pub fn start(&self) -> &StartRun {
        &self.start
    }

    /// The run as it begins, and its state. The engine stores it; another backend keeps it where it keeps runs. The id is that
    /// of `identity`, whatever the [`run_id`](StartRun::run_id) is.
    ///
    /// ```
    /// use workflow_core::definition::{Defaults, read};
    /// use workflow_core::plan::Plan;
    /// use workflow_core::runs::{NewIdentity, StartRun};
    ///
    /// let text = "workflow: { id: hello, name: Hello, stages: [greet] }\n\
    ///             greet: { provider: greeter, prompt: 'Hello, ${vars.name}!' }";
    /// let checked = read(text.as_bytes(), None).resolve(&Defaults::default()).unwrap();
    /// let plan = std::sync::Arc::new(Plan::compile(checked)?);
    /// let start = StartRun::plan(&plan).var("name", "world");
    /// let identity = NewIdentity::new("run-1".parse()?, 4711, "2026-01-02T03:04:05Z".parse()?);
    /// let (run, state) = start.check(&plan)?.begin(identity)?;
    /// assert_eq!((run.events.len(), state.last_event()), (1, 1));
    /// assert_eq!(run.bundle.hash()?, *plan.hash());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::Variables`] for those of which the key of the run's slot is made.
    pub fn begin(self, identity: NewIdentity) -> Result<(NewRun, Box<State>), EngineError> {
        let Self { start, plan } = self;
        let isolated = start.is_isolated(plan);
        let vars = plan.start_variables(start.vars);
        let slot = plan.slot(&vars).map_err(|wrong| EngineError::Variables(vec![wrong]))?;
        let NewIdentity { id, seed, at, parent, budget } = identity;
        let created = RunCreated {
            run: id.clone(),
            workflow: plan.workflow().id.clone(),
            bundle: plan.hash().clone(),
            vars,
            labels: start.labels,
            on_failure: start.on_failure,
            max_iters: start.max_iters,
            interactive: start.interactive,
            isolated,
            slot: slot.map(Arc::new),
            priority: start.priority.or(plan.workflow().priority).unwrap_or_default(),
            parent,
            budget,
            seed,
            by: start.by,
            signature: None,
        };
        let first = Event { seq: 1, at, body: EventBody::RunCreated(Arc::new(created)) };
        let state = State::first(&first).map(Box::new);
        let state = state.map_err(|source| EngineError::Broken { run: id.clone(), source })?;
        let head = state.head();
        Ok((NewRun { id, bundle: plan.bundle().clone(), events: vec![first], head }, state))
    }
}
