//! Which lanes of a stage go on.

use super::lane::NodeState;
use super::state::{Current, State};
use crate::ids::{NodePath, NodePathParts};
use crate::plan::{StagePlan, Strategy, Work};
use crate::status::StageStatus;

/// Whether nothing new starts in a stage because of how its lanes ended so far.
pub(super) fn is_closed(strategy: Strategy, current: &Current) -> bool {
    match strategy {
        Strategy::Sequential | Strategy::All => current.failed > 0,
        Strategy::Race => current.succeeded > 0,
        Strategy::Majority => false,
    }
}

/// The nodes and items of the current stage whose calls run, each with its attempt.
pub(super) fn running(stage: &StagePlan, state: &State, current: &Current) -> Vec<(NodePath, u32)> {
    let mut found = Vec::new();
    if current.running == 0 {
        return found;
    }
    for (number, lane) in (0u32..).zip(&current.lanes) {
        let path = |node: &crate::ids::NodeId| -> NodePath {
            let (iteration, stage, node) = (state.iteration, current.stage.clone(), node.clone());
            NodePathParts { iteration, stage, lane: number, node, items: Vec::new() }.into()
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
            for (number, item) in items.open.iter().filter(|(_, item)| item.status == StageStatus::Running) {
                running_below(path.item(*number), item, found);
            }
        }
        None => found.push((path, node.attempt)),
    }
}
