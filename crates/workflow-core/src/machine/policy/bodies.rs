//! The graphs that are run for the items of a `foreach`: when their nodes begin, and when an item has ended.
//!
//! The states of their nodes are beside the item, in a graph of its own. What an item makes is recorded as for all others,
//! with an event at the path of the item.

use crate::event::EventBody;
use crate::failure::Failure;
use crate::ids::{NodeId, NodePath};
use crate::machine::policy::graph::{failures_of_item, waits_for};
use crate::machine::policy::step::Step;
use crate::machine::request::graph::Graph;
use crate::machine::state::Broken;
use crate::machine::state::derived::GraphWork;
use crate::machine::state::node::NodeState;
use crate::plan::{GraphPlan, NodeKind};
use crate::status::StageStatus;

impl<'a> Step<'a> {
    /// Starts what can start around the iteration, or the item, at `path` after something happened in it.
    #[cold]
    pub(super) fn go_on_outside(&mut self, path: &NodePath) -> Result<(), Broken> {
        let Some(graph) = self.graph() else { return Ok(()) };
        let (Some(NodeKind::Body(body)), Some(foreach)) = (graph.kind(&path.node, 1), path.parent()) else {
            return Ok(());
        };
        self.go_on_item(graph, path, body)?;
        match graph.kind(&path.node, 0) {
            Some(NodeKind::Foreach(plan)) => self.go_on_items(graph, &foreach, plan),
            _ => Ok(()),
        }
    }

    /// Starts what can start in the graph of the item at `path`, and ends the item when nothing is left.
    pub(super) fn go_on_item(
        &mut self,
        graph: &'a GraphPlan,
        path: &NodePath,
        body: &'a [usize],
    ) -> Result<(), Broken> {
        // An item that has ended has no progress any more.
        if self.node(path).is_some_and(NodeState::has_ended) || !self.expect_progress(graph, path, body) {
            return Ok(());
        }
        let Some(inside) = body.first().and_then(|place| path.inside(&graph.nodes.get(*place)?.id)) else {
            return Ok(());
        };
        while self.is_open_at(&inside)
            && let Some(place) = self.next_in_item(graph, &inside)
        {
            let node = graph.nodes.get(place).and_then(|node| path.inside(&node.id));
            if let Some(node) = node {
                self.begin_node(graph, node, place)?;
            }
        }
        self.settle_item(graph, path, body)
    }

    fn next_in_item(&mut self, graph: &GraphPlan, inside: &NodePath) -> Option<usize> {
        let work = self.work(inside)?;
        if work.under_way >= graph.concurrency { None } else { work.ready.pop_front() }
    }

    /// Derives the progress of an item, unless that was done. Returns whether the item is under way.
    fn expect_progress(&mut self, graph: &GraphPlan, path: &NodePath, body: &[usize]) -> bool {
        let Some(number) = path.items.last().copied() else { return false };
        let lane = self.state.current_lane(path.lane);
        let Some(state) = lane.and_then(|lane| lane.graph.as_deref()) else { return false };
        let items = state.nodes.get(&path.node).and_then(|foreach| foreach.items.as_ref());
        let Some(items) = items.filter(|items| !items.has_ended(number)) else { return false };
        let Some(of_items) = &items.work.0 else { return false };
        if of_items.bodies.as_ref().is_some_and(|bodies| bodies.contains_key(&number)) {
            return true;
        }
        let first = body.first().and_then(|place| path.inside(&graph.nodes.get(*place)?.id));
        let Some(first) = first else { return false };
        let derived = derive(&Graph::with_body(graph, state, &first), body);
        let foreach = self.lane_mut(path.lane).and_then(|lane| lane.foreach_mut(path));
        if let Some(work) = foreach.and_then(|node| node.items.as_mut()?.work.0.as_mut()) {
            work.bodies.get_or_insert_default().insert(number, derived);
        }
        true
    }

    /// Ends an item whose nodes have all ended, or of which one has failed for it and none runs.
    fn settle_item(&mut self, graph: &'a GraphPlan, path: &NodePath, body: &[usize]) -> Result<(), Broken> {
        let Some(item) = self.node(path) else { return Ok(()) };
        let Some(state) = item.items.as_ref().and_then(|items| items.graph.as_deref()) else { return Ok(()) };
        if state.failed > 0 {
            return if self.state.cancelling || item.has_running() { Ok(()) } else { self.fail_item(path) };
        }
        let inside = body.first().and_then(|place| path.inside(&graph.nodes.get(*place)?.id));
        let Some(inside) = inside.filter(|inside| self.is_open_at(inside)) else { return Ok(()) };
        let completed =
            |id: &NodeId| state.nodes.get(id).is_some_and(|node| node.status == StageStatus::Completed);
        let output = state.output_of(&graph.output_of_body(body, completed));
        if self.work(&inside).is_none_or(|work| work.left > 0) {
            return Ok(());
        }
        self.forget_progress(path);
        self.complete(graph, path, output)
    }

    /// Ends the items of a lane that fails in whose graphs a node has failed for them. The process that drove the run may have
    /// died before it did that.
    pub(super) fn fail_items(&mut self, lane: u32) -> Result<(), Broken> {
        if self.graph().is_none_or(|graph| graph.bodies.is_none()) {
            return Ok(());
        }
        let Some(state) = self.state.current_lane(lane).and_then(|lane| lane.graph.as_deref()) else {
            return Ok(());
        };
        let mut failed = Vec::new();
        for (id, node) in &state.nodes {
            let Some((foreach, items)) = self.path(lane, id).zip(node.items.as_ref()) else { continue };
            for (number, item) in items.open.iter().filter(|(_, item)| !item.has_ended()) {
                let graph = item.items.as_ref().and_then(|items| items.graph.as_ref());
                if graph.is_some_and(|graph| graph.failed > 0) {
                    failed.push(foreach.item(*number));
                }
            }
        }
        failed.iter().try_for_each(|path| self.fail_item(path))
    }

    fn fail_item(&mut self, path: &NodePath) -> Result<(), Broken> {
        let graph = self.node(path).and_then(|item| item.items.as_ref()?.graph.as_deref());
        let Some(graph) = graph else { return Ok(()) };
        let mut failed = Vec::new();
        failures_of_item(path, graph, &mut failed);
        let Some((_, error)) = failed.pop().filter(|(last, _)| last == path) else { return Ok(()) };
        for (path, error) in failed {
            self.emit(EventBody::NodeFailed { path, error, continues: false })?;
        }
        self.forget_progress(path);
        self.fail(path, Failure::clone(&error))
    }

    fn forget_progress(&mut self, path: &NodePath) {
        let foreach = self.lane_mut(path.lane).and_then(|lane| lane.foreach_mut(path));
        let bodies = foreach.and_then(|node| node.items.as_mut()?.work.0.as_mut()?.bodies.as_mut());
        if let (Some(bodies), Some(number)) = (bodies, path.items.last()) {
            bodies.remove(number);
        }
    }
}

/// The progress of a body, from the states of its nodes.
fn derive(seen: &Graph<'_>, body: &[usize]) -> GraphWork {
    let ended = |place: usize| seen.node(place).is_some_and(NodeState::has_ended);
    let mut left = vec![0; seen.plan.nodes.len()];
    for place in body {
        if let (Some(node), Some(left)) = (seen.plan.nodes.get(*place), left.get_mut(*place)) {
            *left = waits_for(seen, node);
        }
    }
    let is_ready = |place: &usize| !ended(*place) && left.get(*place) == Some(&0);
    let mut ready: Vec<_> = body.iter().copied().filter(is_ready).collect();
    // What is under way takes precedence over new nodes.
    ready.sort_by_key(|place| seen.node(*place).is_none());
    let open = body.iter().filter(|place| !ended(**place)).count();
    GraphWork { waits_for: left, ready: ready.into(), under_way: 0, left: open, loops: Vec::new() }
}
