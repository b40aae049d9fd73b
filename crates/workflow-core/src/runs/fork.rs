//! A run to be forked from another one.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::actor::Actor;
use crate::bundle::ProviderMap;
use crate::data::Data;
use crate::ids::{NodePath, RunId, StageId};
use crate::plan::Plan;

/// A new run to be forked from another one.
#[derive(Debug, Clone)]
#[must_use]
#[non_exhaustive]
pub struct Fork {
    /// The old run.
    pub from: RunId,
    /// Where the new run continues.
    pub at: ForkPoint,
    /// Variables with other values.
    pub vars: IndexMap<String, Data>,
    /// Stages with other outputs.
    pub outputs: IndexMap<StageId, Data>,
    /// The id of the new run, if the caller chooses it.
    pub run_id: Option<RunId>,
    /// Another definition to continue with.
    pub definition: Option<Arc<Plan>>,
    /// The providers in place of those that the old run has.
    pub providers: ProviderMap,
    /// Who forks the run.
    pub by: Option<Arc<Actor>>,
}

/// The point of the old run from which a fork continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForkPoint {
    /// At the beginning: everything is run again.
    Start,
    /// Before the latest start of a stage.
    Stage(StageId),
    /// Before the latest start of the stage whose failure was the last.
    Failed,
    /// Before the first event of a node. Later events of other nodes are not taken over either.
    Node(NodePath),
    /// After the event of that number.
    Event(u64),
}

impl Fork {
    /// A run of the same workflow with the same variables, from the start.
    pub fn of(run: RunId) -> Self {
        Self {
            from: run,
            at: ForkPoint::Start,
            vars: IndexMap::new(),
            outputs: IndexMap::new(),
            run_id: None,
            definition: None,
            providers: ProviderMap::default(),
            by: None,
        }
    }

    /// Continues from a point of the run.
    pub fn at(mut self, point: ForkPoint) -> Self {
        self.at = point;
        self
    }

    /// Gives a variable another value.
    pub fn var(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.vars.insert(name.into(), Data::new(&value.into()));
        self
    }

    /// Gives a stage that has ended another output. What came after that stage is not taken over, because it
    /// may depend on the output.
    pub fn output(mut self, stage: StageId, value: impl Into<Value>) -> Self {
        self.outputs.insert(stage, Data::new(&value.into()));
        self
    }

    /// Continues with another definition, for instance the workflow as `Engine::load` finds it now. What is
    /// taken over from the old run is not changed.
    pub fn definition(mut self, plan: &Arc<Plan>) -> Self {
        self.definition = Some(plan.clone());
        self
    }

    /// Makes every call with this provider, as with [`StartRun::provider`](super::StartRun::provider).
    /// Without it the new run has the providers of the old one.
    pub fn provider(self, name: impl Into<String>) -> Self {
        self.providers(ProviderMap::all(name))
    }

    /// Replaces providers of the old run, as [`StartRun::providers`](super::StartRun::providers) does.
    pub fn providers(mut self, map: ProviderMap) -> Self {
        self.providers = map;
        self
    }

    /// Records who forks the run.
    pub fn by(mut self, actor: impl Into<Arc<Actor>>) -> Self {
        self.by = Some(actor.into());
        self
    }

    /// Chooses the id of the new run.
    pub fn run_id(mut self, id: RunId) -> Self {
        self.run_id = Some(id);
        self
    }
}
