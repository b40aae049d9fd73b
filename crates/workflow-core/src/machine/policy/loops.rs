//! When an iteration of a loop in a graph begins, and when the loop has ended.
//!
//! The nodes in the body of a loop are nodes of the lane's graph: they start, wait, are retried and fail like all others. They
//! differ in two ways: they start once an iteration of their loop is under way, and their states are new in each
//! iteration. A loop itself takes no slot of the graph's `concurrency`.

use std::sync::Arc;

use crate::data::Data;
use crate::definition::Exhausted;
use crate::event::EventBody;
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodeId, NodePath};
use crate::machine::policy::graph::{together, waits_for};
use crate::machine::policy::step::Step;
use crate::machine::request::graph::Graph;
use crate::machine::request::scope::{RunScope, document_of};
use crate::machine::state::Broken;
use crate::plan::{GraphPlan, NodeKind, RepeatPlan};
use crate::status::StageStatus;

impl<'a> Step<'a> {
    /// Begins a loop, or resumes it.
    pub(super) fn begin_loop(
        &mut self,
        graph: &'a GraphPlan,
        path: &NodePath,
        repeat: &'a RepeatPlan,
    ) -> Result<(), Broken> {
        if let Some(work) = self.work(path) {
            work.under_way = work.under_way.saturating_sub(1);
        }
        if self.has_status(path, StageStatus::Running) {
            return Ok(());
        }
        self.iterate(graph, path, repeat, 0)
    }

    /// Begins an iteration, or ends the loop, where all nodes in the body of a loop have ended. Returns whether it did.
    pub(super) fn go_on_loops(&mut self, graph: &'a GraphPlan, lane: u32) -> Result<bool, Broken> {
        if !self.is_open(lane) {
            return Ok(false);
        }
        let Some(work) = self.graph_state(lane).and_then(|state| state.work.0.as_mut()) else {
            return Ok(false);
        };
        let Some(ended) = work.loops.iter().position(|(_, left)| *left == 0) else { return Ok(false) };
        let (place, _) = work.loops.swap_remove(ended);
        let Some(node) = graph.nodes.get(place) else { return Ok(false) };
        let NodeKind::Loop(repeat) = &node.kind else { return Ok(false) };
        let Some(path) = self.path(lane, &node.id) else { return Ok(false) };
        self.end_iteration_of(graph, &path, repeat)?;
        Ok(true)
    }

    fn end_iteration_of(
        &mut self,
        graph: &'a GraphPlan,
        path: &NodePath,
        repeat: &'a RepeatPlan,
    ) -> Result<(), Broken> {
        let Some((stage, lane)) = self.stage.zip(self.state.current_lane(path.lane)) else { return Ok(()) };
        let Some(state) = &lane.graph else { return Ok(()) };
        let made = state.repeat(&path.node).map_or(0, |repeat| repeat.number) + 1;
        let done = repeat.stop_when.as_ref().map(|stop_when| {
            stop_when.eval(&document_of(&RunScope::node(self.state, stage, path), &repeat.reads, [stop_when]))
        });
        if done != Some(true) && made < repeat.max_iters {
            return self.iterate(graph, path, repeat, made);
        }
        let completed =
            |id: &NodeId| state.nodes.get(id).is_some_and(|node| node.status == StageStatus::Completed);
        let output = lane.output_of(&graph.output_of_body(&repeat.body, completed));
        // It took no slot, but is counted down like the nodes that did.
        if let Some(work) = self.work(path) {
            work.under_way += 1;
        }
        if done == Some(false) && repeat.on_exhausted == Exhausted::Fail {
            let message = format!("loop exhausted: `stop_when` was not met in {made} iterations");
            return self.fail(path, Failure::new(FailureClass::LoopExhausted, message));
        }
        self.complete(graph, path, output)
    }

    /// Begins an iteration of a loop.
    fn iterate(
        &mut self,
        graph: &'a GraphPlan,
        path: &NodePath,
        repeat: &'a RepeatPlan,
        number: u32,
    ) -> Result<(), Broken> {
        self.emit(EventBody::NodeStarted { path: path.item(number), items: Data::NULL })?;
        let Some(state) = self.graph_state(path.lane) else { return Ok(()) };
        let Some((mut work, place)) = state.work.0.take().zip(graph.names.get(&path.node)) else {
            return Ok(());
        };
        work.loops.push((*place, repeat.body.len()));
        let seen = Graph::with_body(graph, state, path);
        for place in &repeat.body {
            let Some((node, left)) = graph.nodes.get(*place).zip(work.waits_for.get_mut(*place)) else {
                continue;
            };
            *left = waits_for(&seen, node);
            if *left == 0 {
                work.ready.push_back(*place);
            }
        }
        state.work.0 = Some(work);
        Ok(())
    }

    /// The loops of a lane that fails because of nodes in their bodies fail, too.
    pub(super) fn fail_loops(&mut self, lane: u32) -> Result<(), Broken> {
        let Some(state) = self.state.current_lane(lane).and_then(|lane| lane.graph.as_ref()) else {
            return Ok(());
        };
        let Some(loops) = &state.loops else { return Ok(()) };
        let mut failed = Vec::new();
        for (id, repeat) in &**loops {
            let is_open = state.nodes.get(id).is_some_and(|node| node.status == StageStatus::Running);
            let nodes = repeat.nodes.iter().filter_map(|id| Some((id, state.nodes.get(id)?)));
            let errors = nodes.filter(|(_, node)| node.fails_lane());
            let errors: Vec<_> =
                errors.filter_map(|(id, node)| Some((id.to_string(), node.error.clone()?))).collect();
            if is_open && !errors.is_empty() {
                failed.extend(self.path(lane, id).map(|path| (path, Arc::new(together("nodes", &errors)))));
            }
        }
        for (path, error) in failed {
            self.emit(EventBody::NodeFailed { path, error, continues: false })?;
        }
        Ok(())
    }
}
