//! What a run is started with.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::definition::OnFailure;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::plan::Plan;

/// A run to be started.
#[derive(Debug, Clone)]
pub struct StartRun {
    pub(crate) what: What,
    pub(crate) vars: IndexMap<String, Data>,
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

    /// Sets a variable to JSON that is serialised already, numbers as they are written: [`Data::parse`] reads it.
    #[must_use]
    pub fn var_data(mut self, name: impl Into<String>, value: Data) -> Self {
        self.vars.insert(name.into(), value);
        self
    }

    /// Chooses the run's id. Starting twice with the same id and the same inputs gives the same
    /// run; with other inputs it is an error.
    #[must_use]
    pub fn run_id(mut self, id: RunId) -> Self {
        self.run_id = Some(id);
        self
    }

    /// Has every call made by this provider, whatever the definitions say. It is recorded with the run, so that it
    /// also holds where another process drives the run, and for forks and reruns of it. Options under `with` that
    /// are another provider's are left out.
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

    /// Has the calls work in a workspace of the run's own. The host has to have providers that make one, as
    /// `Worktrees` of `workflow-providers` does; others that work in files refuse such calls.
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
