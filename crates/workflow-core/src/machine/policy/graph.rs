//! Policy within a lane's graph: which node starts, which is skipped, and when the lane has ended.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::data::Data;
use crate::definition::Join;
use crate::event::EventBody;
use crate::expr::Condition;
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodeId, NodePath, Within};
use crate::machine::policy::step::Step;
use crate::machine::policy::strategy::is_closed;
use crate::machine::request::graph::Graph;
use crate::machine::request::scope::{RunScope, document_of};
use crate::machine::request::{evaluate, set};
use crate::machine::state::Broken;
use crate::machine::state::derived::{Derived, GraphWork};
use crate::machine::state::node::{GraphState, NodeState};
use crate::plan::{BodiesPlan, GraphPlan, NodeKind, NodePlan};
use crate::status::StageStatus;

impl<'a> Step<'a> {
    /// Starts what can start in a lane, and ends the lane when nothing is left.
    pub(super) fn go_on(&mut self, lane: u32) -> Result<(), Broken> {
        let Some(graph) = self.graph() else { return Ok(()) };
        loop {
            while self.is_open(lane)
                && let Some(place) = self.next_ready(graph, lane)
            {
                let Some(path) = graph.nodes.get(place).and_then(|node| self.path(lane, &node.id)) else {
                    continue;
                };
                self.begin_node(graph, path, place)?;
            }
            if graph.bodies.is_none() || !self.go_on_loops(graph, lane)? {
                return self.settle(graph, lane);
            }
        }
    }

    /// Starts what can start in a lane after something happened to the node, or the item, at `path`.
    pub(super) fn go_on_from(&mut self, path: &NodePath) -> Result<(), Broken> {
        if let Some(parent) = path.parent()
            && let Some(graph) = self.graph()
            && let Some(NodeKind::Foreach(foreach)) = graph.kind(&path.node, parent.items.len())
        {
            self.go_on_items(graph, &parent, foreach)?;
        }
        if let Some(item) = path.owner() {
            self.go_on_outside(&item)?;
        }
        self.go_on(path.lane)
    }

    /// Whether anything new may start in a lane.
    pub(super) fn is_open(&self, lane: u32) -> bool {
        let Some((stage, current)) = self.current() else { return false };
        !self.state.pausing
            && !self.state.cancelling
            && !is_closed(stage.strategy, current)
            && current.lanes.get(lane as usize).is_some_and(|lane| {
                lane.whole.status == StageStatus::Running
                    && lane.graph.as_ref().is_some_and(|graph| graph.failed == 0)
            })
    }

    /// Whether anything new may start at `path`: in its lane, and in the graph of its item.
    pub(super) fn is_open_at(&self, path: &NodePath) -> bool {
        self.is_open(path.lane) && (path.within.is_none() || !self.is_item_closed(path))
    }

    fn next_ready(&mut self, graph: &GraphPlan, lane: u32) -> Option<usize> {
        let state = self.graph_state(lane)?;
        if state.work.0.is_none() {
            state.work.0 = Some(derive(graph, state));
            state.expect_nodes(graph.nodes.len());
        }
        let work = state.work.0.as_mut()?;
        if work.under_way >= graph.concurrency {
            return None;
        }
        work.ready.pop_front()
    }

    pub(super) fn begin_node(
        &mut self,
        graph: &'a GraphPlan,
        path: NodePath,
        place: usize,
    ) -> Result<(), Broken> {
        let Some(node) = graph.nodes.get(place) else { return Ok(()) };
        let is_new = self.node(&path).is_none();
        if is_new && (self.is_skipped(graph, &path, node) || !self.holds(node.when.as_deref(), &path, node)) {
            return self.skip(graph, &path);
        }
        if let Some(work) = self.work(&path) {
            work.under_way += 1;
        }
        self.begin(graph, path, &node.kind, node)
    }

    /// Whether a node does not run because of how those that it waited for ended.
    fn is_skipped(&self, graph: &GraphPlan, path: &NodePath, node: &NodePlan) -> bool {
        let Some(lane) = self.state.current_lane(path.lane) else { return false };
        let Some(state) = &lane.graph else { return false };
        let seen = Graph::with_body(graph, state, path);
        let takes = |place: &usize| {
            let taken = seen.node(*place).map(|branch| branch.output.value());
            let names = taken.as_ref().and_then(Value::as_array);
            names.into_iter().flatten().any(|name| {
                let name = name.as_str();
                name == Some(node.id.as_str())
                    || node.out.as_ref().is_some_and(|out| name == Some(out.as_str()))
            })
        };
        let has = |place: usize, status| seen.node(place).is_some_and(|node| node.status == status);
        if !node.arm_of.is_empty() {
            // A branch that takes the node counts as a needed node that was not skipped.
            return !node.arm_of.iter().any(takes);
        }
        match node.join {
            Join::All => {
                !node.needs.is_empty() && node.needs.iter().all(|place| has(*place, StageStatus::Skipped))
            }
            Join::Ended => false,
            Join::Any => !node.waits_for().any(|place| has(place, StageStatus::Completed)),
        }
    }

    pub(super) fn holds(&self, when: Option<&Condition>, path: &NodePath, node: &NodePlan) -> bool {
        let (Some(when), Some(stage)) = (when, self.stage) else { return true };
        when.eval(&document_of(&RunScope::node(self.state, stage, path), &node.needs, [when]))
    }

    /// Begins a node or an item, or resumes it.
    pub(super) fn begin(
        &mut self,
        graph: &'a GraphPlan,
        path: NodePath,
        kind: &'a NodeKind,
        node: &'a NodePlan,
    ) -> Result<(), Broken> {
        match kind {
            NodeKind::Call(call) => {
                if self.ask_before_call(&path, call)? {
                    Ok(())
                } else {
                    self.ask_for_place(path)
                }
            }
            NodeKind::Ask(ask) => self.ask_question(path, ask),
            NodeKind::Wait(wait) => self.wait(graph, path, wait),
            NodeKind::Workflow(child) => self.begin_child(path, child),
            NodeKind::Loop(repeat) => self.begin_loop(graph, &path, repeat),
            NodeKind::Body(body) => self.go_on_item(graph, &path, body),
            NodeKind::Foreach(foreach) => {
                if self.node(&path).is_none_or(|state| state.items.is_none()) {
                    let Some(stage) = self.stage else { return Ok(()) };
                    match evaluate::items(foreach, &RunScope::node(self.state, stage, &path)) {
                        Ok(items) => self.emit(EventBody::NodeStarted { path: path.clone(), items })?,
                        Err(failure) => return self.fail(&path, failure),
                    }
                }
                self.go_on_items(graph, &path, foreach)
            }
            NodeKind::Reduce { .. }
            | NodeKind::Branch(_)
            | NodeKind::Export { .. }
            | NodeKind::Set(_)
            | NodeKind::End(_) => {
                let Some(stage) = self.stage else { return Ok(()) };
                match evaluate::output(kind, &RunScope::node(self.state, stage, &path), &node.needs) {
                    Ok(output) => self.complete(graph, &path, output),
                    Err(failure) => self.fail(&path, failure),
                }
            }
        }
    }

    pub(super) fn skip(&mut self, graph: &'a GraphPlan, path: &NodePath) -> Result<(), Broken> {
        self.emit(EventBody::NodeSkipped { path: path.clone() })?;
        if path.items.is_empty()
            && let Some(work) = self.work(path)
        {
            // It was not begun, but is counted down like those that were.
            work.under_way += 1;
        }
        self.count_down_in_vain(graph, path);
        Ok(())
    }

    pub(super) fn complete(
        &mut self,
        graph: &'a GraphPlan,
        path: &NodePath,
        output: Data,
    ) -> Result<(), Broken> {
        match self.node_set(graph, path, &output) {
            Ok(set) => self.emit(EventBody::NodeCompleted { path: path.clone(), output, set })?,
            Err(failure) => return self.fail(path, failure),
        }
        self.count_down(graph, path);
        Ok(())
    }

    /// What the node's `set` writes; items have none.
    pub(super) fn node_set(
        &self,
        graph: &GraphPlan,
        path: &NodePath,
        output: &Data,
    ) -> Result<Option<Arc<indexmap::IndexMap<String, Data>>>, Failure> {
        let node = graph.names.get(&path.node).and_then(|place| graph.nodes.get(*place));
        let (Some(node), Some(stage), true) = (node, self.stage, path.items.is_empty()) else {
            return Ok(None);
        };
        if node.set.is_empty() {
            return Ok(None);
        }
        let scope = RunScope { output: Some(output), ..RunScope::node(self.state, stage, path) };
        set::set(&node.set, &scope, &format!("{}.{}", stage.id, node.id))
    }

    pub(super) fn fail(&mut self, path: &NodePath, failure: Failure) -> Result<(), Broken> {
        let refused = self.node(path).is_some_and(NodeState::was_refused);
        let continues = self.continues_after(path, &failure, refused);
        self.emit(EventBody::NodeFailed { path: path.clone(), error: Arc::new(failure), continues })?;
        if continues {
            self.count_down_failed(path);
        }
        Ok(())
    }

    /// A node or an item has failed, and its lane continues.
    pub(super) fn count_down_failed(&mut self, path: &NodePath) {
        if let Some(graph) = self.graph() {
            self.count_down_in_vain(graph, path);
        }
    }

    /// A node or an item has ended without success.
    fn count_down_in_vain(&mut self, graph: &GraphPlan, path: &NodePath) {
        if graph.has_any && path.items.is_empty() {
            self.keep_waiting(graph, path);
        }
        self.count_down(graph, path);
    }

    /// Nodes that wait for the first success wait further after a node without it, if others have not ended.
    fn keep_waiting(&mut self, graph: &GraphPlan, path: &NodePath) {
        let node = graph.names.get(&path.node).and_then(|place| graph.nodes.get(*place));
        let state = self.state.current_lane(path.lane).and_then(|lane| lane.graph.as_deref());
        let Some((node, state)) = node.zip(state) else { return };
        let seen = Graph::with_body(graph, state, path);
        let ended = |place: usize| seen.node(place).is_some_and(NodeState::has_ended);
        let waits = |place: &usize| {
            let next = graph.nodes.get(*place);
            next.is_some_and(|next| next.join == Join::Any && !next.waits_for().all(ended))
        };
        let waiting: Vec<_> = node.leads_to.iter().copied().filter(waits).collect();
        let Some(work) = self.work(path) else { return };
        for place in waiting {
            // `count_down` takes this again.
            if let Some(left) = work.waits_for.get_mut(place) {
                *left += u32::from(*left > 0);
            }
        }
    }

    /// The same, and what can start then starts.
    pub(super) fn pass(&mut self, path: &NodePath) -> Result<(), Broken> {
        self.count_down_failed(path);
        self.go_on_from(path)
    }

    /// A node or an item has ended, and not failed for its lane: counts down the nodes that waited for it.
    pub(super) fn count_down(&mut self, graph: &GraphPlan, path: &NodePath) {
        if !path.items.is_empty() {
            let foreach = self.lane_mut(path.lane).and_then(|lane| lane.foreach_mut(path));
            let items = foreach.and_then(|node| node.items.as_mut());
            if let Some(work) = items.and_then(|items| items.work.0.as_mut()) {
                work.under_way = work.under_way.saturating_sub(1);
            }
            return;
        }
        let Some(node) = graph.names.get(&path.node).and_then(|place| graph.nodes.get(*place)) else {
            return;
        };
        let Some(work) = self.work(path) else { return };
        work.under_way = work.under_way.saturating_sub(1);
        match &path.within {
            None => work.left = work.left.saturating_sub(1),
            Some(within) if graph.foreach_with_body(&within.node).is_some() => {
                work.left = work.left.saturating_sub(1);
            }
            Some(within) => {
                let repeat = graph.names.get(&within.node);
                if let Some((_, left)) = work.loops.iter_mut().find(|(place, _)| Some(place) == repeat) {
                    *left = left.saturating_sub(1);
                }
            }
        }
        for place in &node.leads_to {
            let Some(waits_for) = work.waits_for.get_mut(*place) else { continue };
            // It is none already if the node was to start after any of several.
            let Some(left) = waits_for.checked_sub(1) else { continue };
            *waits_for = left;
            if left == 0 {
                work.ready.push_back(*place);
            }
        }
    }

    /// Ends a lane whose nodes have all ended, or of which one has failed for it and none runs.
    fn settle(&mut self, graph: &GraphPlan, number: u32) -> Result<(), Broken> {
        let Some((stage, lane)) = self.stage.zip(self.state.current_lane(number)) else { return Ok(()) };
        let Some(state) = lane.graph.as_ref().filter(|_| lane.whole.status == StageStatus::Running) else {
            return Ok(());
        };
        let (iteration, stage) = (self.state.iteration, stage.id.clone());
        if state.failed > 0 {
            return if state.running == 0 && !self.state.cancelling {
                self.fail_lane(number)
            } else {
                Ok(())
            };
        }
        if state.work.0.as_ref().is_none_or(|work| work.left > 0) {
            return Ok(());
        }
        let completed =
            |id: &NodeId| state.nodes.get(id).is_some_and(|node| node.status == StageStatus::Completed);
        let output_of = graph.output(completed);
        self.emit(EventBody::LaneCompleted { iteration, stage, lane: number, output_of })?;
        self.lane_succeeded();
        Ok(())
    }

    fn fail_lane(&mut self, number: u32) -> Result<(), Broken> {
        self.fail_items(number)?;
        let mut failed = Vec::new();
        if let Some(state) = self.state.current_lane(number).and_then(|lane| lane.graph.as_ref()) {
            for (id, node) in &state.nodes {
                if let Some(path) = self.path(number, id) {
                    failures(&path, node, &mut failed);
                }
            }
        }
        for (path, error) in failed {
            self.emit(EventBody::NodeFailed { path, error, continues: false })?;
        }
        self.fail_loops(number)?;
        let Some((stage, lane)) = self.stage.zip(self.state.current_lane(number)) else { return Ok(()) };
        let nodes = lane.graph.iter().flat_map(|graph| &graph.nodes);
        // A loop tells of the nodes in its body.
        let own = |id: &NodeId| lane.graph.as_ref().is_none_or(|graph| graph.within(id).is_none());
        let failed = nodes.filter(|(id, node)| node.fails_lane() && own(id));
        let failed: Vec<_> =
            failed.filter_map(|(id, node)| Some((id.to_string(), node.error.clone()?))).collect();
        let (iteration, stage) = (self.state.iteration, stage.id.clone());
        let error = Arc::new(together("nodes", &failed));
        self.emit(EventBody::LaneFailed { iteration, stage, lane: number, error })
    }

    /// Discards what was derived, and derives it again: what was begun is begun again.
    pub(super) fn start_over(&mut self) {
        self.withdraw();
        let Some(current) = self.current_mut() else { return };
        for graph in current.lanes.iter_mut().filter_map(|lane| lane.graph.as_mut()) {
            graph.work = Derived::default();
            graph.nodes.values_mut().for_each(forget);
        }
    }

    pub(super) fn graph_state(&mut self, lane: u32) -> Option<&mut GraphState> {
        self.lane_mut(lane)?.graph.as_deref_mut()
    }

    /// The progress of the graph in which the node at `path` is.
    #[inline]
    pub(super) fn work(&mut self, path: &NodePath) -> Option<&mut GraphWork> {
        let graph = self.graph_state(path.lane)?;
        match &path.within {
            None => graph.work.0.as_mut(),
            Some(within) => work_within(graph, within),
        }
    }
}

#[cold]
fn work_within<'s>(graph: &'s mut GraphState, within: &Within) -> Option<&'s mut GraphWork> {
    if graph.repeat(&within.node).is_some() {
        return graph.work.0.as_mut();
    }
    let items = graph.nodes.get_mut(&within.node)?.items.as_mut()?;
    items.work.0.as_mut()?.bodies.as_mut()?.get_mut(&within.number)
}

fn derive(graph: &GraphPlan, state: &GraphState) -> GraphWork {
    let asleep = |place: usize| graph.owner_of(place).is_some_and(|owner| !is_under_way(graph, state, owner));
    let ended: Vec<bool> =
        graph.nodes.iter().map(|node| state.nodes.get(&node.id).is_some_and(NodeState::has_ended)).collect();
    let waits_for: Vec<u32> = graph
        .nodes
        .iter()
        .map(|node| {
            let open = node.waits_for().filter(|place| !ended[*place]).count();
            if node.join == Join::Any {
                let mut waits_for = node.waits_for();
                return u32::from(open > 0 && !waits_for.any(|place| has_completed(graph, state, place)));
            }
            u32::try_from(open).unwrap_or(u32::MAX)
        })
        .collect();
    let mut ready: Vec<_> = (0..ended.len())
        .filter(|place| !ended[*place] && waits_for[*place] == 0 && !asleep(*place))
        .collect();
    // What is under way keeps its slot: it takes precedence over new nodes.
    ready.sort_by_key(|place| !state.nodes.contains_key(&graph.nodes[*place].id));
    let ready = ready.into();
    let left = ended.iter().take(graph.own()).filter(|ended| !**ended).count();
    let loops = match &graph.bodies {
        None => Vec::new(),
        Some(bodies) => loops_under_way(graph, state, bodies, &ended),
    };
    GraphWork { waits_for, ready, under_way: 0, left, loops }
}

/// How many of the nodes that a node waits for have not ended, or whether it waits at all if it starts after any of them.
pub(super) fn waits_for(seen: &Graph<'_>, node: &NodePlan) -> u32 {
    let ended = |place: usize| seen.node(place).is_some_and(NodeState::has_ended);
    let open = node.waits_for().filter(|place| !ended(*place)).count();
    if node.join == Join::Any {
        let completed = |place| seen.node(place).is_some_and(|node| node.status == StageStatus::Completed);
        return u32::from(open > 0 && !node.waits_for().any(completed));
    }
    u32::try_from(open).unwrap_or(u32::MAX)
}

/// Whether the node at a place is a loop that is under way.
fn is_under_way(graph: &GraphPlan, state: &GraphState, place: usize) -> bool {
    let plan = graph.nodes.get(place).filter(|node| matches!(node.kind, NodeKind::Loop(_)));
    let node = plan.and_then(|node| state.nodes.get(&node.id));
    node.is_some_and(|node| node.status == StageStatus::Running)
}

/// The loops that are under way, each with how many nodes in its body have not ended.
fn loops_under_way(
    graph: &GraphPlan,
    state: &GraphState,
    bodies: &BodiesPlan,
    ended: &[bool],
) -> Vec<(usize, usize)> {
    let places = (0..bodies.own).filter(|place| is_under_way(graph, state, *place));
    let found = places.filter_map(|place| {
        let NodeKind::Loop(repeat) = &graph.nodes.get(place)?.kind else { return None };
        Some((
            place,
            repeat.body.iter().filter(|place| !ended.get(**place).is_some_and(|ended| *ended)).count(),
        ))
    });
    found.collect()
}

fn has_completed(graph: &GraphPlan, state: &GraphState, place: usize) -> bool {
    let node = graph.nodes.get(place).and_then(|node| state.nodes.get(&node.id));
    node.is_some_and(|node| node.status == StageStatus::Completed)
}

fn forget(node: &mut NodeState) {
    if let Some(items) = &mut node.items {
        items.work = Derived::default();
        items.open.values_mut().for_each(forget);
        items.graph.iter_mut().flat_map(|graph| graph.nodes.values_mut()).for_each(forget);
    }
}

/// The `foreach` nodes at and below `path` that fail because of what is below them, the innermost first. Items with graphs
/// have failed before.
fn failures(path: &NodePath, node: &NodeState, found: &mut Vec<(NodePath, Arc<Failure>)>) {
    let Some(items) = node.items.as_ref().filter(|_| node.status == StageStatus::Running) else { return };
    let mut errors = Vec::new();
    for (number, item) in &items.open {
        let item_path = path.item(*number);
        let before = found.len();
        failures(&item_path, item, found);
        let below =
            found[before..].last().filter(|(path, _)| *path == item_path).map(|(_, error)| error.clone());
        let own = item.error.clone().filter(|_| item.status == StageStatus::Failed);
        if let Some(error) = own.or(below) {
            errors.push((format!("item {number}"), error));
        }
    }
    if !errors.is_empty() {
        found.push((path.clone(), Arc::new(together("items", &errors))));
    }
}

/// The item at `path`, for which a graph is run, if it fails because of what is below it, after all there that fails with
/// it.
#[cold]
pub(super) fn failures_of_item(
    path: &NodePath,
    graph: &GraphState,
    found: &mut Vec<(NodePath, Arc<Failure>)>,
) {
    let mut errors = Vec::new();
    for (id, node) in &graph.nodes {
        let Some(inside) = path.inside(id) else { continue };
        let before = found.len();
        failures(&inside, node, found);
        let below =
            found[before..].last().filter(|(path, _)| *path == inside).map(|(_, error)| error.clone());
        let own = node.error.clone().filter(|_| node.fails_lane());
        errors.extend(own.or(below).map(|error| (id.to_string(), error)));
    }
    if !errors.is_empty() {
        found.push((path.clone(), Arc::new(together("nodes", &errors))));
    }
}

/// One failure made of several: the only one with its place, or one that names them.
pub(super) fn together(what: &str, errors: &[(String, Arc<Failure>)]) -> Failure {
    if let [(name, error)] = errors {
        return Failure { message: format!("{name}: {}", error.message), ..Failure::clone(error) };
    }
    let shown: Vec<_> =
        errors.iter().take(5).map(|(name, error)| format!("{name}: {}", error.message)).collect();
    let message = format!("{} {what} failed: {}", errors.len(), shown.join("; "));
    let details = errors.iter().take(100).map(|(name, error)| {
        let mut named = Map::new();
        named.insert("name".to_owned(), name.as_str().into());
        named.extend(error.brief());
        Value::Object(named)
    });
    Failure::new(FailureClass::Stage, message).with_details(details.collect())
}
