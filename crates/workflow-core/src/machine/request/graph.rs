//! The nodes of a lane, by their names.

use serde_json::Value;

use crate::data::Data;
use crate::failure::Failure;
use crate::ids::NodePath;
use crate::machine::state::lane::LaneState;
use crate::machine::state::node::{GraphState, LoopState, NodeState};
use crate::plan::{GraphPlan, NodeKind, StagePlan, Work};
use crate::status::StageStatus;

/// A lane's graph, and its progress.
#[derive(Clone, Copy)]
pub(in crate::machine) struct Graph<'a> {
    pub plan: &'a GraphPlan,
    pub state: &'a GraphState,
    /// Seen from a node in the graph of an item: the place of the `foreach`, and the state of that graph, if it has events.
    body: Option<(usize, Option<&'a GraphState>)>,
}

impl<'a> Graph<'a> {
    /// The graph as the node at `path` sees it.
    pub(in crate::machine) fn at(stage: &'a StagePlan, lane: &'a LaneState, path: &NodePath) -> Option<Self> {
        let (Work::Graph(plan), Some(state)) = (&stage.work, &lane.graph) else { return None };
        Some(Self::with_body(plan, state, path))
    }

    /// The same for a graph whose state is known.
    pub(in crate::machine) fn with_body(plan: &'a GraphPlan, state: &'a GraphState, path: &NodePath) -> Self {
        let body = path
            .within
            .as_ref()
            .and_then(|within| Some((plan.foreach_with_body(&within.node)?, state.body(within))));
        Self { plan, state, body }
    }

    /// The node at a place, if it has events.
    pub(in crate::machine) fn node(&self, place: usize) -> Option<&'a NodeState> {
        let id = &self.plan.nodes.get(place)?.id;
        match self.body {
            Some((owner, body)) if self.plan.owner_of(place) == Some(owner) => body?.nodes.get(id),
            _ => self.state.nodes.get(id),
        }
    }

    /// The output of a node that has one, by any of its names.
    pub(in crate::machine) fn output(&self, place: usize) -> Option<&'a Data> {
        let node = self.node(place)?;
        Some(&node.output).filter(|_| node.status == StageStatus::Completed)
    }

    /// Why a node failed that has failed.
    pub(in crate::machine) fn error(&self, place: usize) -> Option<&'a Failure> {
        let node = self.node(place)?;
        node.error.as_deref().filter(|_| node.status == StageStatus::Failed)
    }

    /// Why items of a `foreach` failed: a list.
    pub(in crate::machine) fn errors(&self, place: usize) -> Option<Value> {
        let plan = self.plan.nodes.get(place)?;
        matches!(plan.kind, NodeKind::Foreach(_)).then_some(())?;
        let failed: Vec<_> = self.node(place)?.failed_items().collect();
        serde_json::to_value(failed).ok()
    }

    /// How many iterations a loop has begun.
    pub(in crate::machine) fn iterations(&self, place: usize) -> Option<u32> {
        Some(self.state.repeat(&self.plan.nodes.get(place)?.id)?.number + 1)
    }

    /// The loop in whose body the node at `path` is, or that is there.
    pub(in crate::machine) fn repeat(&self, path: &NodePath) -> Option<&'a LoopState> {
        self.plan.bodies.as_ref()?;
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
