//! The nodes of a lane, by their names.

use serde_json::Value;

use crate::data::Data;
use crate::failure::Failure;
use crate::ids::NodePath;
use crate::machine::state::lane::{GraphState, LaneState, LoopState};
use crate::plan::{GraphPlan, NodeKind, StagePlan, Work};
use crate::status::StageStatus;

/// A lane's graph, and its progress.
#[derive(Clone, Copy)]
pub(in crate::machine) struct Graph<'a> {
    pub plan: &'a GraphPlan,
    pub state: &'a GraphState,
}

impl<'a> Graph<'a> {
    pub(in crate::machine) fn of(stage: &'a StagePlan, lane: &'a LaneState) -> Option<Self> {
        match (&stage.work, &lane.graph) {
            (Work::Graph(plan), Some(state)) => Some(Self { plan, state }),
            _ => None,
        }
    }

    /// The output of a node that has one, by any of its names.
    pub(in crate::machine) fn output(&self, place: usize) -> Option<&'a Data> {
        let node = self.state.nodes.get(&self.plan.nodes.get(place)?.id)?;
        Some(&node.output).filter(|_| node.status == StageStatus::Completed)
    }

    /// Why a node failed that has failed.
    pub(in crate::machine) fn error(&self, place: usize) -> Option<&'a Failure> {
        let node = self.state.nodes.get(&self.plan.nodes.get(place)?.id)?;
        node.error.as_deref().filter(|_| node.status == StageStatus::Failed)
    }

    /// Why items of a `foreach` failed: a list.
    pub(in crate::machine) fn errors(&self, place: usize) -> Option<Value> {
        let plan = self.plan.nodes.get(place).filter(|plan| matches!(plan.kind, NodeKind::Foreach(_)))?;
        let failed: Vec<_> = self.state.nodes.get(&plan.id)?.failed_items().collect();
        serde_json::to_value(failed).ok()
    }

    /// How many iterations a loop has begun.
    pub(in crate::machine) fn iterations(&self, place: usize) -> Option<u32> {
        Some(self.state.repeat(&self.plan.nodes.get(place)?.id)?.number + 1)
    }

    /// The loop in whose body the node at `path` is, or that is there.
    pub(in crate::machine) fn repeat(&self, path: &NodePath) -> Option<&'a LoopState> {
        self.plan.loops.as_ref()?;
        self.state.repeat(path.within.as_ref().map_or(&path.node, |within| &within.node))
    }

    /// The output of a node in the iteration of `repeat` before; null if it has none.
    pub(in crate::machine) fn previous(&self, repeat: &'a LoopState, name: &str) -> &'a Data {
        const NULL: &Data = &Data::NULL;
        let node = self.place(name).and_then(|place| self.plan.nodes.get(place));
        let node = node.and_then(|node| repeat.previous.get(&node.id));
        node.filter(|node| node.status == StageStatus::Completed).map_or(NULL, |node| &node.output)
    }

    pub(in crate::machine) fn place(&self, name: &str) -> Option<usize> {
        self.plan.names.get(name).copied()
    }
}
