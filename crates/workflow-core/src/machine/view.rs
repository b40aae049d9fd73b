//! Runs as hosts see them (R4.2).

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::state::{LaneState, Position, StageResult, State};
use crate::data::Data;
use crate::failure::Failure;
use crate::ids::{RoleId, RunId, StageId, WorkflowId};
use crate::status::{RunStatus, StageStatus, Wait};

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
    /// What was asked for and is not done yet: `pause` or `cancel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// The stage that is under way.
    pub current_stage: Option<StageId>,
    /// The iteration, from 1.
    pub iteration: u32,
    /// What its stages read and write.
    pub context: RunContext,
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
    /// The output, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Data>,
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
    /// The output; null until it has succeeded.
    pub output: Data,
    /// The last failure.
    pub error: Option<Arc<Failure>>,
    /// From the first attempt's start to the last one's end, in milliseconds.
    pub duration: Option<i64>,
}

impl From<LaneState> for LaneView {
    fn from(lane: LaneState) -> Self {
        Self {
            duration: lane.duration_ms(),
            provider: lane.provider,
            role: lane.role,
            status: lane.status,
            attempts: lane.attempt,
            retry_at: lane.retry_at,
            output: lane.output,
            error: lane.error,
        }
    }
}

impl From<StageResult> for StageView {
    fn from(result: StageResult) -> Self {
        Self {
            output: result.output(),
            status: result.status,
            iteration: result.iteration,
            results: lanes(result.lanes),
            started_at: result.started_at,
            ended_at: result.ended_at,
            error: result.error,
        }
    }
}

/// In a vector of their own: what collecting would reuse is larger, and would be shrunk.
fn lanes(lanes: Vec<LaneState>) -> Vec<LaneView> {
    let mut views = Vec::with_capacity(lanes.len());
    views.extend(lanes.into_iter().map(LaneView::from));
    views
}

impl From<State> for RunView {
    fn from(state: State) -> Self {
        let wait = state.wait();
        let requested = match (state.cancelling, state.pausing) {
            _ if state.status.is_terminal() || state.status == RunStatus::Paused => None,
            (true, _) => Some("cancel".to_owned()),
            (false, true) => Some("pause".to_owned()),
            (false, false) => None,
        };
        let results = state.results.into_iter();
        let mut stages: IndexMap<_, _> = results.map(|(id, result)| (id, result.into())).collect();
        let mut current_stage = None;
        if let Position::In(current) = state.position {
            current_stage = Some(current.stage.clone());
            let view = StageView {
                status: StageStatus::Running,
                iteration: state.iteration,
                output: None,
                results: lanes(current.lanes),
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
            requested,
            current_stage,
            iteration: state.iteration,
            context: RunContext { vars: state.vars, stages },
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
