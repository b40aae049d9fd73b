//! What the run of a node that runs another workflow is created with.

use std::sync::Arc;

use crate::bundle::Bundle;
use crate::definition::Budget;
use crate::event::ChildStarted;
use crate::ids::NodePath;
use crate::machine::state::{State, budget};
use crate::plan::{NodeKind, Plan, Work};

/// The run of a node, as it has to be created.
#[derive(Debug, Clone)]
pub struct Child {
    /// What the node started.
    pub started: Arc<ChildStarted>,
    /// The definition; `None` if the definition that the parent has now has no such node.
    pub bundle: Option<Arc<Bundle>>,
    /// What is left of the budgets of its parent.
    pub budget: Option<Budget>,
    /// Whether it is known to have been created.
    pub known: bool,
}

/// The run that the node at `path` has started and waits for.
pub fn child(plan: &Plan, state: &State, path: &NodePath, attempt: u32) -> Option<Child> {
    let (_, id) = state.stage_and_iteration().filter(|at| *at == (path.iteration, &path.stage))?;
    let node = state.current_lane(path.lane)?.node(path).filter(|node| node.is_running(attempt))?;
    let child = node.child()?;
    let stage = plan.stage(id)?;
    let kind = match &stage.work {
        Work::Graph(graph) => graph.kind(&path.node, path.items.len()),
        Work::Simple { .. } => None,
    };
    let bundle = match kind {
        Some(NodeKind::Workflow(plan)) if plan.workflow == child.started.workflow => {
            Some(plan.bundle.clone())
        }
        _ => None,
    };
    let budget = budget::left(plan, state, stage);
    Some(Child {
        started: child.started.clone(),
        bundle,
        budget,
        known: child.known || child.seen.0.is_some(),
    })
}
