//! A run to be started: which workflow, with which inputs and options.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::actor::Actor;
use crate::bundle::ProviderMap;
use crate::data::Data;
use crate::definition::OnFailure;
use crate::ids::{RunId, WorkflowId};
use crate::plan::Plan;
use crate::priority::Priority;

/// A run to be started.
///
/// ```
/// use workflow_core::definition::OnFailure;
/// use workflow_core::runs::StartRun;
///
/// let start = StartRun::workflow("release".parse()?)
///     .var("version", "1.4.0")
///     .run_id("release-1-4-0".parse()?)
///     .on_failure(OnFailure::Stop);
/// # Ok::<(), workflow_core::ids::InvalidId>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StartRun {
    /// The workflow.
    pub what: RunWhat,
    /// The values of variables.
    pub vars: IndexMap<String, Data>,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The id, if the caller chooses it.
    pub run_id: Option<RunId>,
    /// The providers in place of those that the definitions name.
    pub providers: ProviderMap,
    /// What replaces `on_failure` of every stage.
    pub on_failure: Option<OnFailure>,
    /// What replaces `max_iters` of the loop.
    pub max_iters: Option<u32>,
    /// Whether a person is asked before every stage.
    pub interactive: bool,
    /// Whether the calls work in a workspace of the run's own; `None`: as the workflow says.
    pub isolated: Option<bool>,
    /// Which of the runs that no process drives is claimed first; `None`: as the workflow says.
    pub priority: Option<Priority>,
    /// Who starts it.
    pub by: Option<Arc<Actor>>,
}

/// The workflow of a run to be started.
#[derive(Debug, Clone)]
pub enum RunWhat {
    /// One that was prepared.
    Plan(Arc<Plan>),
    /// One of the catalog, as it is when the run starts.
    Id(WorkflowId),
}

impl StartRun {
    /// A run of a workflow in the engine's catalog.
    pub fn workflow(id: WorkflowId) -> Self {
        Self::new(RunWhat::Id(id))
    }

    /// A run of a workflow that was prepared.
    pub fn plan(plan: &Arc<Plan>) -> Self {
        Self::new(RunWhat::Plan(plan.clone()))
    }

    fn new(what: RunWhat) -> Self {
        let vars = IndexMap::new();
        Self {
            what,
            vars,
            labels: BTreeMap::new(),
            run_id: None,
            providers: ProviderMap::default(),
            on_failure: None,
            max_iters: None,
            interactive: false,
            isolated: None,
            priority: None,
            by: None,
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
    /// use workflow_core::runs::StartRun;
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
    /// which [`Runs::list`](super::Runs::list) finds it. Definitions do not see labels. [`check_labels`](crate::labels::check_labels) has the rules for names and
    /// values. Forks of the run have the same labels.
    ///
    /// ```
    /// use workflow_core::runs::StartRun;
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
    /// use workflow_core::runs::StartRun;
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
    pub fn provider(self, name: impl Into<String>) -> Self {
        self.providers(ProviderMap::all(name))
    }

    /// Replaces providers that the definitions name, as [`provider`](StartRun::provider) does with all of them. A name that
    /// is neither registered nor used is an error.
    ///
    /// ```
    /// use workflow_core::bundle::ProviderMap;
    /// use workflow_core::runs::StartRun;
    ///
    /// let map = ProviderMap::from_iter([("claude-code", "codex")]);
    /// let start = StartRun::workflow("deploy".parse()?).providers(map);
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    #[must_use]
    pub fn providers(mut self, map: ProviderMap) -> Self {
        self.providers = map;
        self
    }

    /// Records who starts the run.
    #[must_use]
    pub fn by(mut self, actor: impl Into<Arc<Actor>>) -> Self {
        self.by = Some(actor.into());
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
        self.isolated = Some(true);
        self
    }

    /// Gives the run a priority, in place of that of the workflow. Forks of the run have the same.
    ///
    /// ```
    /// use workflow_core::priority::Priority;
    /// use workflow_core::runs::StartRun;
    ///
    /// let start = StartRun::workflow("deploy".parse()?).priority(Priority::HIGH);
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Whether the calls of a run of this plan work in a workspace of the run's own.
    pub fn is_isolated(&self, plan: &Plan) -> bool {
        self.isolated.unwrap_or(plan.workflow().worktree.is_some())
    }

    /// Makes the calls work in the shared files, also where the workflow has a `worktree`.
    #[must_use]
    pub fn shared(mut self) -> Self {
        self.isolated = Some(false);
        self
    }

    /// Replaces the most iterations of the loop, 1–20. A run of a workflow without a loop does not start then, nor does
    /// one with fewer iterations than a stage's `min_iterations`.
    #[must_use]
    pub fn max_iters(mut self, most: u32) -> Self {
        self.max_iters = Some(most);
        self
    }

    /// Replaces `on_failure` of every stage.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = Some(on_failure);
        self
    }
}
