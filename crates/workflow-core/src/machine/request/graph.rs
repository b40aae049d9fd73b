//! The nodes of a lane, by their names.

use crate::data::Data;
use crate::machine::state::lane::{GraphState, LaneState};
use crate::plan::{GraphPlan, StagePlan, Work};
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

    pub(in crate::machine) fn place(&self, name: &str) -> Option<usize> {
        self.plan.names.get(name).copied()
    }
}
