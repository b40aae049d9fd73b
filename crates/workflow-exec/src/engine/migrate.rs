//! Moving a run to a newer definition.

use std::collections::BTreeSet;
use std::sync::Arc;

use workflow_core::actor::Actor;
use workflow_core::bundle::Bundle;
use workflow_core::definition::workflows_of;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{RunId, StageId, WorkflowId};
use workflow_core::machine::State;
use workflow_core::plan::Plan;
use workflow_core::runs::{EngineError, Migration};

use crate::engine::Engine;

impl Engine {
    /// Returns what the catalog's current definition of the workflow would change for a run, and whether the
    /// run can be moved to it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] when the newer definition cannot be run; [`EngineError::NoCatalog`],
    /// [`EngineError::Catalog`], and those of the store.
    pub async fn plan_migration(&self, run: &RunId) -> Result<Migration, EngineError> {
        let state = self.shared.fold(run).await?;
        Ok(self.compare(run, &state).await?.0)
    }

    /// Moves a run that no process drives to the catalog's current definition of the workflow. The run
    /// follows that definition from here on; completed work is kept. `by` is who moves it, if that is known.
    ///
    /// Dropping the future leaves the run moved or not moved.
    ///
    /// # Errors
    ///
    /// [`EngineError::CannotMigrate`] with the reasons; [`workflow_core::store::StoreError::Held`] when
    /// another driver has the run; [`EngineError::ShutDown`] after a shutdown; as for
    /// [`plan_migration`](Engine::plan_migration).
    pub async fn migrate(&self, run: &RunId, by: Option<Arc<Actor>>) -> Result<Migration, EngineError> {
        self.check_not_shut_down()?;
        let hold = self.shared.claim(run).await?;
        let mut state = self.shared.fold(run).await?;
        let (migration, bundle) = self.compare(run, &state).await?;
        if !migration.obstacles.is_empty() {
            let obstacles = migration.obstacles.clone();
            return Err(EngineError::CannotMigrate { run: run.clone(), obstacles });
        }
        if migration.from != migration.to {
            let body = EventBody::RunMigrated { hash: migration.to.clone(), bundle, signature: None, by };
            let expected = state.last_event();
            let mut events = [Event { seq: expected + 1, at: self.shared.clock.now(), body }];
            self.shared.sign(run, &mut events);
            state.apply(&events[0]).map_err(|source| EngineError::Broken { run: run.clone(), source })?;
            let events = Arc::from(events);
            self.shared.store.append(&hold.lease(), expected, &events, Some(&state.head())).await?;
            self.shared.sinks.events(run, &events);
        }
        hold.release().await?;
        Ok(migration)
    }

    async fn compare(&self, run: &RunId, state: &State) -> Result<(Migration, Arc<Bundle>), EngineError> {
        let old = self.shared.plan_of(state).await?.bundle().clone();
        let plan = self.load_as(&state.created().workflow, &old).await?;
        let new = plan.bundle().clone();
        let obstacles = obstacles(state, &old, &plan);
        let diverges = diverges(&old, &new);
        let (from, to) = (state.bundle().clone(), plan.hash().clone());
        Ok((Migration { run_id: run.clone(), from, to, diverges, obstacles }, new))
    }
}

/// Why a run cannot continue with the newer bundle from where it is.
pub(crate) fn obstacles(state: &State, old: &Bundle, plan: &Plan) -> Vec<String> {
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
    let order = |workflow: &workflow_core::definition::Workflow| {
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
