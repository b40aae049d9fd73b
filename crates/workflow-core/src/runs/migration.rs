//! What a newer definition would change for a run.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::bundle::{Bundle, BundleHash};
use crate::definition::{Workflow, workflows_of};
use crate::event::{Event, EventBody};
use crate::ids::{RunId, StageId, WorkflowId};
use crate::machine::State;
use crate::plan::Plan;
use crate::runs::EngineError;

/// The changes that a newer definition would make to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// The run.
    pub run_id: RunId,
    /// The bundle that the run continues with now.
    pub from: BundleHash,
    /// The bundle of the newer definition.
    pub to: BundleHash,
    /// The differences, one line each; empty if there are none.
    pub diverges: Vec<String>,
    /// Why the run cannot be moved at the moment; empty if it can.
    pub obstacles: Vec<String>,
}

impl Migration {
    /// What `new` would change for a run that continues with `old` now.
    pub fn of(state: &State, old: &Bundle, new: &Plan) -> Self {
        Self {
            run_id: state.created().run.clone(),
            from: state.bundle().clone(),
            to: new.hash().clone(),
            diverges: diverges(old, new.bundle()),
            obstacles: obstacles(state, old, new),
        }
    }

    /// The event that moves the run to the definition that it was compared with; `None` where it has that one already. Not signed.
    ///
    /// ```
    /// use jiff::Timestamp;
    /// use workflow_core::event::Event;
    /// use workflow_core::machine::State;
    /// use workflow_core::plan::Plan;
    /// use workflow_core::runs::{EngineError, Migration};
    ///
    /// /// Moves a run that is kept in a log of the caller's.
    /// fn migrate(log: &mut Vec<Event>, old: &Plan, new: &Plan, now: Timestamp) -> Result<(), EngineError> {
    ///     let state = State::fold(log.iter()).map_err(|source| {
    ///         EngineError::Broken { run: "run-1".parse().unwrap(), source }
    ///     })?;
    ///     let migration = Migration::of(&state, old.bundle(), new);
    ///     log.extend(migration.event(&state, new, now, None)?);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::CannotMigrate`] with the obstacles.
    pub fn event(
        &self,
        state: &State,
        new: &Plan,
        at: Timestamp,
        by: Option<Arc<Actor>>,
    ) -> Result<Option<Event>, EngineError> {
        if !self.obstacles.is_empty() {
            let obstacles = self.obstacles.clone();
            return Err(EngineError::CannotMigrate { run: self.run_id.clone(), obstacles });
        }
        if self.from == self.to {
            return Ok(None);
        }
        let (hash, bundle) = (new.hash().clone(), new.bundle().clone());
        let body = EventBody::RunMigrated { hash, bundle, signature: None, by };
        Ok(Some(Event { seq: state.last_event() + 1, at, body }))
    }
}

/// Why a run cannot continue with the newer bundle from where it is.
pub(super) fn obstacles(state: &State, old: &Bundle, plan: &Plan) -> Vec<String> {
    let new = plan.bundle();
    let mut obstacles = Vec::new();
    if state.status().is_terminal() {
        obstacles.push("the run has ended".to_owned());
    }
    for stage in state.anchors() {
        if !new.workflow.stages.contains_key(stage) {
            obstacles.push(format!(
                "the run is at the stage `{stage}`, which the newer definition does not \
                                    have"
            ));
        } else if old.workflow.finally.contains(stage) != new.workflow.finally.contains(stage) {
            obstacles.push(format!(
                "the run is at the stage `{stage}`, which only one of the definitions has in `finally`"
            ));
        } else if state.is_within(stage) && !is_alike(old, new, stage) {
            obstacles
                .push(format!("the stage `{stage}` is under way and is different in the newer definition"));
        }
    }
    if obstacles.is_empty() {
        obstacles = state.unmet(plan);
    }
    obstacles
}

/// Whether a stage is the same in both plans.
fn is_alike(old: &Bundle, new: &Bundle, stage: &StageId) -> bool {
    old.workflow.stages.get(stage) == new.workflow.stages.get(stage)
        && old.profiles.get(stage) == new.profiles.get(stage)
        && changed_workflows(old, new, stage).is_empty()
}

/// The workflows that the nodes of a stage run, in both bundles, and that are different.
fn changed_workflows(old: &Bundle, new: &Bundle, stage: &StageId) -> BTreeSet<WorkflowId> {
    let nodes = old.profiles.get(stage).map(workflows_of).unwrap_or_default();
    let ids = nodes.into_iter().filter_map(|(_, node)| node.workflow.parse().ok());
    ids.filter(|id| old.workflows.get(id) != new.workflows.get(id)).collect()
}

/// What differs in the newer bundle.
fn diverges(old: &Bundle, new: &Bundle) -> Vec<String> {
    let mut found = Vec::new();
    let (before, after) = (&old.workflow, &new.workflow);
    for stage in before.stages.keys().filter(|stage| !after.stages.contains_key(*stage)) {
        found.push(format!("stage `{stage}`: removed"));
    }
    for stage in after.stages.keys() {
        match before.stages.get(stage) {
            None => found.push(format!("stage `{stage}`: added")),
            Some(_) if !is_alike(old, new, stage) => found.extend(fields(old, new, stage)),
            Some(_) => {}
        }
    }
    let order = |workflow: &Workflow| {
        let both = |stage: &&StageId| before.stages.contains_key(*stage) && after.stages.contains_key(*stage);
        workflow.stages.keys().filter(both).cloned().collect::<Vec<_>>()
    };
    if order(before) != order(after) {
        found.push("stages: in a different order".to_owned());
    }
    if before.inputs != after.inputs {
        found.push("workflow.inputs: changed".to_owned());
    }
    if before.repeat != after.repeat {
        found.push("workflow.loop: changed".to_owned());
    }
    if before.budget != after.budget {
        found.push("workflow.budget: changed".to_owned());
    }
    if before.output != after.output {
        found.push("workflow.output: changed".to_owned());
    }
    if before.finally != after.finally {
        found.push("workflow.finally: changed".to_owned());
    }
    if before.finally_timeout != after.finally_timeout {
        found.push("workflow.finally_timeout: changed".to_owned());
    }
    if before.worktree != after.worktree {
        found.push("workflow.worktree: changed".to_owned());
    }
    if before.concurrency != after.concurrency {
        found.push("workflow.concurrency: changed; the run keeps its key".to_owned());
    }
    if before.priority != after.priority {
        found.push("workflow.priority: changed; the run keeps its priority".to_owned());
    }
    named(&mut found, "role", &old.roles, &new.roles);
    named(&mut found, "schema", &old.schemas, &new.schemas);
    named(&mut found, "skill", &old.skills, &new.skills);
    found
}

/// The fields of a stage that differ.
fn fields(old: &Bundle, new: &Bundle, stage: &StageId) -> Vec<String> {
    let of = |bundle: &Bundle| {
        let fields = serde_json::to_value(bundle.workflow.stages.get(stage)).unwrap_or_default();
        fields.as_object().cloned().unwrap_or_default()
    };
    let (before, after) = (of(old), of(new));
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let mut found: Vec<_> = changed.map(|name| format!("{stage}.{name}: changed")).collect();
    if old.profiles.get(stage) != new.profiles.get(stage) {
        found.push(format!("{stage}: the graph of its profile changed"));
    }
    let workflows = changed_workflows(old, new, stage).into_iter();
    found.extend(workflows.map(|id| format!("{stage}: the workflow `{id}`, which it runs, changed")));
    found
}

fn named<K: std::fmt::Display + std::hash::Hash + Eq, V: PartialEq>(
    found: &mut Vec<String>,
    what: &str,
    old: &indexmap::IndexMap<K, V>,
    new: &indexmap::IndexMap<K, V>,
) {
    for (name, before) in old {
        match new.get(name) {
            None => found.push(format!("{what} `{name}`: removed")),
            Some(after) if after != before => found.push(format!("{what} `{name}`: changed")),
            Some(_) => {}
        }
    }
    for name in new.keys().filter(|name| !old.contains_key(*name)) {
        found.push(format!("{what} `{name}`: added"));
    }
}
