//! Runs as hosts see them.

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::event::RunForked;
use crate::failure::Failure;
use crate::ids::{NodeId, RoleId, RunId, StageId, WorkflowId};
use crate::machine::state::State;
use crate::machine::state::lane::LaneState;
use crate::machine::state::node::NodeState;
use crate::machine::state::stage::{Position, StageResult};
use crate::status::{RunStatus, StageStatus, Wait};
use crate::usage::Spent;

/// A run: where it stands, and all that it knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunView {
    /// The run's id.
    pub run_id: RunId,
    /// The workflow's id.
    pub workflow_id: WorkflowId,
    /// The status.
    pub status: RunStatus,
    /// Why it does not go on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// Everything that persons are asked, and when it goes on by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// What was asked for and is not done yet: `pause` or `cancel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// The stage that is under way.
    pub current_stage: Option<StageId>,
    /// The iteration, from 1.
    pub iteration: u32,
    /// What its stages read and write.
    pub context: RunContext,
    /// What all attempts used.
    #[serde(default)]
    pub spent: Spent,
    /// The run that it was forked from, at which event, and what was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked: Option<Arc<RunForked>>,
    /// What the attempts used that were taken over from that run; not charged to this one.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub inherited: Spent,
    /// The stages that failed while the run went on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_stages: Vec<StageId>,
    /// When it was created.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When it was first driven.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schemars(with = "Option<String>")]
    pub completed_at: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<Arc<Failure>>,
}

/// What the stages of a run read and write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunContext {
    /// The variables.
    pub vars: IndexMap<String, Data>,
    /// The stages that have begun, with their outputs.
    pub stages: IndexMap<StageId, StageView>,
}

/// A stage of a run: its latest pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StageView {
    /// The status.
    pub status: StageStatus,
    /// The iteration of the pass.
    pub iteration: u32,
    /// The output, where there is one; of a stage that failed what its failed attempt gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Data>,
    /// What its attempts used, in all iterations.
    #[serde(default)]
    pub spent: Spent,
    /// The lanes.
    pub results: Vec<LaneView>,
    /// When the pass began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<Failure>>,
}

/// One provider's pass through a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LaneView {
    /// The provider, once it has been called.
    pub provider: Option<Arc<str>>,
    /// The role, where there is one.
    pub role: Option<RoleId>,
    /// The status.
    pub status: StageStatus,
    /// How many attempts there were.
    pub attempts: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub retry_at: Option<Timestamp>,
    /// The output; after a failed attempt what that gave. Null where there is none.
    pub output: Data,
    /// The last failure.
    pub error: Option<Arc<Failure>>,
    /// From the first attempt's start to the last one's end, in milliseconds.
    pub duration: Option<i64>,
    /// The nodes of its graph that something has happened to, in that order; none without a graph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeView>,
}

/// A node of a lane's graph, or what a `foreach` node does for one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// The node's id; that of an item is its number: `3`.
    pub id: NodeId,
    /// The status.
    pub status: StageStatus,
    /// The provider of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Arc<str>>,
    /// The role of the last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleId>,
    /// How many attempts there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempts: u32,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub retry_at: Option<Timestamp>,
    /// The output, once it has succeeded; after a failed attempt what that gave.
    #[serde(default, skip_serializing_if = "Data::is_null")]
    pub output: Data,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<Failure>>,
    /// From the first attempt's start to the last one's end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// The items of a `foreach` node that is under way or has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemsView>,
}

/// The items of a `foreach` node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ItemsView {
    /// How many there are.
    pub total: u32,
    /// How many have ended well.
    pub done: u32,
    /// Those that have begun and have not ended well.
    pub open: Vec<NodeView>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_nothing(spent: &Spent) -> bool {
    spent.attempts == 0
}

impl NodeView {
    fn new(id: NodeId, node: NodeState) -> Self {
        let items = node.items.as_deref().map(|items| ItemsView {
            total: items.len(),
            done: items.done,
            open: items
                .open
                .iter()
                .filter_map(|(number, item)| {
                    Some(Self::new(NodeId::new(number.to_string()).ok()?, item.clone()))
                })
                .collect(),
        });
        Self {
            id,
            items,
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
}

impl From<LaneState> for LaneView {
    fn from(LaneState { whole, graph }: LaneState) -> Self {
        let nodes =
            graph.map(|graph| graph.nodes.into_iter().map(|(id, node)| NodeView::new(id, node)).collect());
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

impl From<StageResult> for StageView {
    fn from(result: StageResult) -> Self {
        Self {
            output: result.output(),
            spent: result.spent,
            status: result.status,
            iteration: result.iteration,
            results: result.lanes.into_iter().map(LaneView::from).collect(),
            started_at: result.started_at,
            ended_at: result.ended_at,
            error: result.error,
        }
    }
}

impl From<State> for RunView {
    fn from(state: State) -> Self {
        let (wait, waits) = (state.wait(), state.waits());
        let requested = match (state.cancelling, state.pausing) {
            _ if state.status.is_terminal() || state.status == RunStatus::Paused => None,
            (true, _) => Some("cancel".to_owned()),
            (false, true) => Some("pause".to_owned()),
            (false, false) => None,
        };
        let results = state.results.into_iter().map(|(id, result)| (id, StageView::from(result)));
        let mut stages: IndexMap<_, _> = results.collect();
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
                results: current.lanes.into_iter().map(LaneView::from).collect(),
                started_at: Some(current.started_at),
                ended_at: None,
                error: None,
            };
            stages.insert(current.stage, view);
        }
        Self {
            run_id: state.created.run.clone(),
            workflow_id: state.created.workflow.clone(),
            status: state.status,
            wait,
            waits,
            requested,
            current_stage,
            iteration: state.iteration,
            context: RunContext { vars: state.vars, stages },
            spent: state.spent,
            forked: state.forked,
            inherited: state.inherited,
            failed_stages: state.failed_stages,
            created_at: state.created_at,
            started_at: state.started_at,
            completed_at: state.completed_at,
            error: state.error,
        }
    }
}

impl State {
    /// The run as a host sees it.
    pub fn view(&self) -> RunView {
        self.clone().into()
    }
}
