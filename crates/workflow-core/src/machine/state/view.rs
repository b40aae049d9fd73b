//! The state of a run as hosts see it.

use indexmap::IndexMap;

use crate::ids::NodeId;
use crate::machine::state::State;
use crate::machine::state::lane::LaneState;
use crate::machine::state::node::{GraphState, NodeState};
use crate::machine::state::stage::{Position, StageResult};
use crate::status::{RunStatus, StageStatus};
use crate::view::{ItemsView, LaneView, NodeView, RunContext, RunView, StageView};

/// A node's state as a host sees it.
fn node_view(id: NodeId, node: NodeState) -> NodeView {
    let graph = node.items.as_deref().and_then(|items| items.graph.clone());
    let items = node.items.as_deref().filter(|_| graph.is_none()).map(|items| ItemsView {
        total: items.len(),
        done: items.done,
        open: items
            .open
            .iter()
            .filter_map(|(number, item)| Some(node_view(NodeId::new(number.to_string()).ok()?, item.clone())))
            .collect(),
    });
    NodeView {
        id,
        items,
        iterations: None,
        nodes: graph.map(|graph| node_views(*graph)).unwrap_or_default(),
        errors: node.failed_items().collect(),
        run: node.last_child().map(|child| Box::new(child.started.run.clone())),
        duration: node.duration_ms(),
        status: node.status,
        provider: node.provider,
        role: node.role,
        attempts: node.attempt,
        retry_at: node.retry_at,
        output: node.output,
        error: node.error,
    }
}

/// The nodes of a graph.
fn node_views(GraphState { nodes, loops, .. }: GraphState) -> Vec<NodeView> {
    let made = |id: &NodeId| Some(loops.as_ref()?.get(id)?.number + 1);
    let views = nodes.into_iter().map(|(id, node)| {
        let iterations = made(&id);
        let view = node_view(id, node);
        let items = view.items.filter(|_| iterations.is_none());
        NodeView { items, iterations, ..view }
    });
    views.collect()
}

impl From<LaneState> for LaneView {
    fn from(LaneState { whole, graph }: LaneState) -> Self {
        let nodes = graph.map(|graph| node_views(*graph));
        Self {
            duration: whole.duration_ms(),
            provider: whole.provider,
            role: whole.role,
            status: whole.status,
            attempts: whole.attempt,
            retry_at: whole.retry_at,
            output: whole.output,
            error: whole.error,
            nodes: nodes.unwrap_or_default(),
        }
    }
}

/// Not collected: that would shrink the memory of the states, which takes longer than new memory.
fn lane_views(lanes: Vec<LaneState>) -> Vec<LaneView> {
    let mut views = Vec::with_capacity(lanes.len());
    views.extend(lanes.into_iter().map(LaneView::from));
    views
}

impl From<StageResult> for StageView {
    fn from(result: StageResult) -> Self {
        Self {
            output: result.output(),
            spent: result.spent,
            status: result.status,
            iteration: result.iteration,
            results: lane_views(result.lanes),
            started_at: result.started_at,
            ended_at: result.ended_at,
            error: result.error,
        }
    }
}

impl From<State> for RunView {
    fn from(state: State) -> Self {
        Box::new(state).into()
    }
}

/// Out of the box, in which a state is not moved: it is large.
impl From<Box<State>> for RunView {
    fn from(state: Box<State>) -> Self {
        let (wait, waits) = (state.wait(), state.waits());
        let started_by = state.started_by().cloned();
        let requested = match (state.cancelling, state.pausing) {
            _ if state.status.is_terminal() || state.status == RunStatus::Paused => None,
            (true, _) => Some("cancel".to_owned()),
            (false, true) => Some("pause".to_owned()),
            (false, false) => None,
        };
        // Stages are in the order in which they began first, which is that of the definition.
        let was_run = |result: &&StageResult| result.status != StageStatus::Skipped;
        let results = state.ending.as_ref().map_or(state.results.len(), |ending| ending.results);
        let of_last =
            || state.results.values().take(results).rev().find(was_run).and_then(StageResult::output);
        let is_completed = state.status == RunStatus::Completed;
        let output = if is_completed { state.output.clone().or_else(of_last) } else { None };
        let results = state.results.into_iter().map(|(id, result)| (id, StageView::from(result)));
        let mut stages: IndexMap<_, _, _> = results.collect();
        let mut current_stage = None;
        if let Position::Asked { stage, .. } = &state.position {
            current_stage = Some(stage.clone());
        }
        if let Position::In(current) = state.position {
            current_stage = Some(current.stage.clone());
            let view = StageView {
                status: StageStatus::Running,
                iteration: state.iteration,
                output: None,
                spent: current.spent,
                results: lane_views(current.lanes),
                started_at: Some(current.started_at),
                ended_at: None,
                error: None,
            };
            stages.insert(current.stage, view);
        }
        Self {
            run_id: state.created.run.clone(),
            workflow_id: state.created.workflow.clone(),
            labels: state.created.labels.clone(),
            priority: state.created.priority,
            status: state.status,
            wait,
            waits,
            requested,
            ending: state.ending.filter(|_| !state.status.is_terminal()).map(|ending| ending.how.into()),
            started_by,
            stopped_by: state.stopped_by,
            current_stage,
            iteration: state.iteration,
            last_event: state.last,
            context: RunContext { vars: state.vars, stages },
            spent: state.spent,
            parent: state.created.parent.clone(),
            forked: state.forked,
            inherited: state.inherited,
            failed_stages: state.failed_stages,
            created_at: state.created_at,
            started_at: state.started_at,
            completed_at: state.completed_at,
            error: state.error,
            output,
            reason: state.reason.map(String::from),
        }
    }
}

impl State {
    /// The run as a host sees it.
    pub fn view(&self) -> RunView {
        Box::new(self.clone()).into()
    }
}
