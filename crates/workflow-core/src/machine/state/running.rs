//! The calls that run.

use crate::ids::{NodeId, NodePath, NodePathParts};
use crate::machine::state::State;
use crate::machine::state::node::NodeState;
use crate::machine::state::stage::Current;
use crate::plan::{StagePlan, Work};
use crate::status::StageStatus;

/// The nodes and items of the current stage whose calls run, each with its attempt.
pub(in crate::machine) fn running(
    stage: &StagePlan,
    state: &State,
    current: &Current,
) -> Vec<(NodePath, u32)> {
    let mut found = Vec::new();
    if current.running == current.children {
        return found;
    }
    for (number, lane) in (0u32..).zip(&current.lanes) {
        let path = |node: &NodeId| -> NodePath {
            let within = lane.graph.as_ref().and_then(|graph| graph.within(node));
            let (iteration, stage, node) = (state.iteration, current.stage.clone(), node.clone());
            NodePathParts { iteration, stage, lane: number, within, node, items: Vec::new() }.into()
        };
        match (&stage.work, &lane.graph) {
            (Work::Simple { id, .. }, _) => {
                if lane.whole.status == StageStatus::Running {
                    found.push((path(id), lane.whole.attempt));
                }
            }
            (Work::Graph(_), Some(graph)) => {
                for (id, node) in &graph.nodes {
                    if node.status == StageStatus::Running {
                        running_below(path(id), node, &mut found);
                    }
                }
            }
            (Work::Graph(_), None) => {}
        }
    }
    found
}

fn running_below(path: NodePath, node: &NodeState, found: &mut Vec<(NodePath, u32)>) {
    match &node.items {
        Some(items) => {
            let graph = items.graph.iter().flat_map(|graph| &graph.nodes);
            for (id, node) in graph.filter(|(_, node)| node.status == StageStatus::Running) {
                if let Some(path) = path.inside(id) {
                    running_below(path, node, found);
                }
            }
            for (number, item) in items.open.iter().filter(|(_, item)| item.status == StageStatus::Running) {
                running_below(path.item(*number), item, found);
            }
        }
        None if node.child().is_some() => {}
        None => found.push((path, node.attempt)),
    }
}
