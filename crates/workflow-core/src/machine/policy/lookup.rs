//! Looks up what a step needs in its state and its plan.

use crate::definition::OnFailure;
use crate::ids::{NodeId, NodePath, NodePathParts, Within};
use crate::machine::policy::step::Step;
use crate::machine::policy::strategy::is_closed;
use crate::machine::state::derived::GraphWork;
use crate::machine::state::lane::LaneState;
use crate::machine::state::node::{ItemsState, NodeState};
use crate::machine::state::stage::{Current, Position};
use crate::machine::state::{Broken, running};
use crate::plan::{CallPlan, GraphPlan, StagePlan, Strategy, Work};
use crate::status::StageStatus;

impl<'a> Step<'a> {
    pub(super) fn current(&self) -> Option<(&'a StagePlan, &Current)> {
        match &self.state.position {
            Position::In(current) => Some((self.stage?, current)),
            _ => None,
        }
    }

    pub(super) fn current_mut(&mut self) -> Option<&mut Current> {
        match &mut self.state.position {
            Position::In(current) => Some(current),
            _ => None,
        }
    }

    /// Whether `path` belongs to the stage and the iteration that are under way.
    pub(super) fn is_here(&self, path: &NodePath) -> bool {
        self.state.iteration == path.iteration
            && self.current().is_some_and(|(stage, _)| stage.id == path.stage)
            && (path.within.is_none() || self.is_in_iteration(path))
    }

    /// Whether the node at `path` is in the iteration of its loop that is under way, or in the graph of an item that is.
    #[cold]
    fn is_in_iteration(&self, path: &NodePath) -> bool {
        let graph = self.state.current_lane(path.lane).and_then(|lane| lane.graph.as_ref());
        let Some((graph, within)) = graph.zip(path.within.as_deref()) else { return false };
        if let Some(repeat) = graph.repeat(&within.node) {
            return repeat.number == within.number;
        }
        let items = graph.nodes.get(&within.node).and_then(|foreach| foreach.items.as_ref());
        items.is_some_and(|items| match items.open.get(&within.number) {
            Some(item) => !item.has_ended(),
            // It has been begun, and nothing has happened in it yet.
            None => body_work(items, within.number).is_some(),
        })
    }

    /// Whether a node in the graph of the item has failed for it, in which the node at `path` is.
    #[cold]
    pub(super) fn is_item_closed(&self, path: &NodePath) -> bool {
        let lane = self.state.current_lane(path.lane);
        lane.and_then(|lane| lane.graph_at(path)).is_some_and(|graph| graph.failed > 0)
    }

    pub(super) fn is_sequential(&self) -> bool {
        self.stage.is_some_and(|stage| stage.strategy == Strategy::Sequential)
    }

    pub(super) fn has_succeeded(&self, lane: u32) -> bool {
        self.state.current_lane(lane).is_some_and(|lane| lane.whole.status == StageStatus::Completed)
    }

    /// Whether results of running calls no longer count.
    pub(super) fn is_unwanted(&self) -> bool {
        let lost = |(stage, current): (&StagePlan, &Current)| {
            stage.strategy == Strategy::Race && current.succeeded > 0
        };
        self.state.cancelling || self.current().is_some_and(lost)
    }

    pub(super) fn on_failure(&self, stage: &StagePlan) -> OnFailure {
        self.state.created.on_failure.unwrap_or(stage.on_failure)
    }

    pub(super) fn running_count(&self) -> u32 {
        self.current().map_or(0, |(_, current)| current.running)
    }

    /// The same without the runs that were started.
    pub(super) fn calls_running(&self) -> u32 {
        self.current().map_or(0, |(_, current)| current.running - current.children)
    }

    pub(super) fn running(&self) -> Vec<(NodePath, u32)> {
        self.current().map_or_else(Vec::new, |(stage, current)| running::running(stage, self.state, current))
    }

    pub(super) fn broken(&self, reason: &'static str) -> Broken {
        Broken { seq: self.state.last, kind: "state", reason }
    }

    pub(super) fn graph(&self) -> Option<&'a GraphPlan> {
        match &self.stage?.work {
            Work::Graph(graph) => Some(graph),
            Work::Simple { .. } => None,
        }
    }

    pub(super) fn path(&self, lane: u32, node: &NodeId) -> Option<NodePath> {
        let (iteration, stage) = (self.state.iteration, self.stage?.id.clone());
        let within = self.within(lane, node);
        Some(NodePathParts { iteration, stage, lane, within, node: node.clone(), items: Vec::new() }.into())
    }

    /// The iteration of the loop in whose body a node is.
    fn within(&self, lane: u32, node: &NodeId) -> Option<Box<Within>> {
        let graph = self.graph()?;
        graph.bodies.as_ref()?;
        let id = &graph.nodes.get(graph.owner_of(*graph.names.get(node)?)?)?.id;
        let repeat = self.state.current_lane(lane)?.graph.as_ref()?.repeat(id)?;
        Some(Box::new(Within { node: id.clone(), number: repeat.number }))
    }

    pub(super) fn lane_mut(&mut self, lane: u32) -> Option<&mut LaneState> {
        self.current_mut()?.lanes.get_mut(lane as usize)
    }

    /// The node at `path`, if it has any events.
    pub(super) fn node_mut(&mut self, path: &NodePath) -> Option<&mut NodeState> {
        if !self.is_here(path) {
            return None;
        }
        self.lane_mut(path.lane)?.known_mut(path)
    }

    /// The call of the node at `path`, if its stage is under way.
    pub(super) fn call(&self, path: &NodePath) -> Option<&'a CallPlan> {
        self.stage.filter(|stage| stage.id == path.stage)?.call(path)
    }

    /// The node, or the item, at `path`, if it has any events.
    pub(super) fn node(&self, path: &NodePath) -> Option<&NodeState> {
        self.state.current_lane(path.lane).filter(|_| self.is_here(path))?.node(path)
    }

    pub(super) fn has_status(&self, path: &NodePath, status: StageStatus) -> bool {
        self.node(path).is_some_and(|node| node.status == status)
    }

    pub(super) fn is_running(&self, path: &NodePath, attempt: u32) -> bool {
        self.node(path).is_some_and(|node| node.is_running(attempt))
    }

    /// Whether nothing new starts in the lane or `foreach` at `path`, because something failed, or another
    /// lane has won.
    pub(super) fn is_closed_for(&self, path: &NodePath) -> bool {
        self.current().is_none_or(|(stage, current)| {
            is_closed(stage.strategy, current)
                || current
                    .lanes
                    .get(path.lane as usize)
                    .is_none_or(|lane| lane.graph.as_ref().is_some_and(|graph| graph.failed > 0))
        }) || (path.within.is_some() && self.is_item_closed(path))
    }

    /// Whether the node belongs to the stage under way, has not begun its next attempt, and may begin it.
    pub(super) fn may_start(&self, path: &NodePath) -> bool {
        self.call_that_may_start(path).is_some()
    }

    /// The call of the node, if it [may start](Self::may_start).
    pub(super) fn call_that_may_start(&self, path: &NodePath) -> Option<&'a CallPlan> {
        if self.state.pausing || self.state.cancelling || self.state.rests() {
            return None;
        }
        if !self.is_here(path) || self.is_closed_for(path) {
            return None;
        }
        let call = self.call(path)?;
        let waits = |node: &NodeState| {
            matches!(node.status, StageStatus::Pending | StageStatus::Queued | StageStatus::Retrying)
        };
        self.node(path).map_or_else(|| self.is_begun(path), waits).then_some(call)
    }

    /// Whether a node of a graph that has no events yet can start.
    fn is_begun(&self, path: &NodePath) -> bool {
        let Some(graph) = self.state.current_lane(path.lane).and_then(|lane| lane.graph.as_ref()) else {
            return false;
        };
        if let Some(number) = path.items.last().copied() {
            let foreach = self.state.current_lane(path.lane).and_then(|lane| lane.foreach(path));
            foreach.and_then(|node| node.items.as_ref()).is_some_and(|items| {
                let next = items.work.0.as_ref().map_or(0, |work| work.next);
                number < next && !items.has_ended(number)
            })
        } else {
            let place = self.graph().and_then(|graph| graph.names.get(&path.node).copied());
            let work = match &path.within {
                Some(within) if graph.repeat(&within.node).is_none() => {
                    let items = graph.nodes.get(&within.node).and_then(|foreach| foreach.items.as_ref());
                    items.and_then(|items| body_work(items, within.number))
                }
                _ => graph.work.0.as_ref(),
            };
            let work = work.zip(place);
            work.is_some_and(|(work, place)| work.waits_for.get(place) == Some(&0))
        }
    }
}

/// The progress of the graph of an item.
fn body_work(items: &ItemsState, item: u32) -> Option<&GraphWork> {
    items.work.0.as_ref()?.bodies.as_ref()?.get(&item)
}
