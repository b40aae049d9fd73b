//! Runs as hosts see them: their status, the stages and what these returned.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::data::Data;
use crate::event::{ParentRun, RunEnding, RunForked};
use crate::failure::{Failure, ItemFailure};
use crate::ids::{NodeId, RoleId, RunId, StageId, WorkflowId};
use crate::priority::Priority;
use crate::status::{RunStatus, StageStatus, Wait};
use crate::usage::Spent;

/// A run: its status, its stages, and its data.
///
/// ```
/// # use workflow_core::view::RunView;
/// /// One line about a run.
/// fn line(run: &RunView) -> String {
///     let stage = run.current_stage.as_ref().map_or("no stage", |stage| stage.as_str());
///     format!("{} {} at {stage}", run.run_id, run.status)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunView {
    /// The run's id.
    pub run_id: RunId,
    /// The workflow's id.
    pub workflow_id: WorkflowId,
    /// The labels that it was started with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Which of the runs that no process drives is claimed first.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// The status.
    pub status: RunStatus,
    /// Why it does not continue by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Box<Wait>>,
    /// All open questions to people, and when it continues by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<Wait>,
    /// The control request that is not complete yet: `pause` or `cancel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<String>,
    /// How it ends when the stages of `finally` have ended, while they run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Box<RunEnding>>,
    /// Who started it: who forked it where it is a fork. Absent if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<Arc<Actor>>,
    /// Who requested the pause or the cancellation that is in effect or not complete yet. Absent if that is not known, and
    /// where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<Arc<Actor>>,
    /// The stage that is under way.
    pub current_stage: Option<StageId>,
    /// The iteration, from 1.
    pub iteration: u32,
    /// The number of the last event that the view includes: a client that follows the run from here misses nothing.
    #[serde(default)]
    pub last_event: u64,
    /// What its stages read and write.
    pub context: RunContext,
    /// What all attempts used.
    #[serde(default)]
    pub spent: Spent,
    /// The run that it was forked from, at which event, and what was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked: Option<Arc<RunForked>>,
    /// The run that started it, and where, if it is the run of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Arc<ParentRun>>,
    /// The usage of attempts that were taken over from that run; not charged to this one.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub inherited: Spent,
    /// The stages whose failure the run continued after.
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
    /// The output of a run that completed: what the definition says, or else the output of the last stage that was
    /// not skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Data>,
    /// Why it completed before its last stage; absent where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the stages of a run read and write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunContext {
    /// The variables.
    pub vars: IndexMap<String, Data>,
    /// The stages that have begun, with their outputs.
    pub stages: IndexMap<StageId, StageView, RandomState>,
}

/// A stage of a run: its latest pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StageView {
    /// The status.
    pub status: StageStatus,
    /// The iteration of the pass.
    pub iteration: u32,
    /// The output, if there is one; for a stage that failed, the output of its failed attempt.
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
#[non_exhaustive]
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
    /// The output; after a failed attempt that attempt's output. Null if there is none.
    pub output: Data,
    /// The last failure.
    pub error: Option<Arc<Failure>>,
    /// From the first attempt's start to the last one's end, in milliseconds.
    pub duration: Option<i64>,
    /// The nodes of its graph that have events, in the order of their first events; none without a graph.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeView>,
}

/// A node of a lane's graph, or one item of a `foreach` node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
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
    /// The output, once it has succeeded; after a failed attempt that attempt's output.
    #[serde(default, skip_serializing_if = "Data::is_null")]
    pub output: Data,
    /// The last failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<Failure>>,
    /// From the first attempt's start to the last one's end, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// The run that its last attempt has started, of a node that runs another workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<RunId>")]
    pub run: Option<Box<RunId>>,
    /// The items of a `foreach` node that is under way or has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemsView>,
    /// How many iterations a loop has begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u32>,
    /// Of an item for which a graph is run: the nodes of the graph that have events, in the order of their first events.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeView>,
    /// Why items failed of a `foreach` node with `on_failure: continue`, in the order of the items.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ItemFailure>,
}

/// The items of a `foreach` node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ItemsView {
    /// How many there are.
    pub total: u32,
    /// How many have ended: succeeded, were skipped, or failed where the node continues.
    pub done: u32,
    /// Those that have begun and have not ended so.
    pub open: Vec<NodeView>,
}

/// A run that did not succeed, as an error: it failed, was cancelled, or is not finished.
#[derive(Debug, Clone, PartialEq)]
pub struct NotCompleted(pub Box<RunView>);

impl std::error::Error for NotCompleted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.error.as_deref().map(|failure| failure as _)
    }
}

impl fmt::Display for NotCompleted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = &*self.0;
        write!(f, "run `{}` ", run.run_id)?;
        match (run.status, &run.error, &run.wait) {
            (RunStatus::Failed, Some(error), _) => write!(f, "failed: {error}"),
            (RunStatus::Failed, None, _) => f.write_str("failed"),
            (RunStatus::Cancelled, ..) => f.write_str("was cancelled"),
            (status, _, Some(wait)) => write!(f, "has not finished: it is {status} ({})", wait.reason),
            (status, _, None) => write!(f, "has not finished: it is {status}"),
        }
    }
}

impl RunView {
    /// The output of a stage; `None` where the stage has none (yet), or does not exist.
    ///
    /// ```
    /// # use workflow_core::view::RunView;
    /// # let run: RunView = serde_json::from_str(r#"{
    /// #     "runId": "r1", "workflowId": "w", "status": "completed", "currentStage": null, "iteration": 1,
    /// #     "createdAt": "2026-01-02T03:04:05Z", "startedAt": null, "completedAt": null, "error": null,
    /// #     "context": { "vars": {}, "stages": { "plan": {
    /// #         "status": "completed", "iteration": 1, "output": "three steps", "results": [] } } } }"#)?;
    /// assert_eq!(run.output("plan").and_then(|output| output.text()).as_deref(), Some("three steps"));
    /// assert!(run.output("deploy").is_none());
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn output(&self, stage: &str) -> Option<&Data> {
        self.context.stages.get(stage)?.output.as_ref()
    }

    /// The run if it has completed; otherwise an error with its actual status.
    ///
    /// # Errors
    ///
    /// [`NotCompleted`] with the run.
    ///
    /// ```
    /// # use workflow_core::view::RunView;
    /// # let run: RunView = serde_json::from_str(r#"{
    /// #     "runId": "r1", "workflowId": "w", "status": "cancelled", "currentStage": null, "iteration": 1,
    /// #     "createdAt": "2026-01-02T03:04:05Z", "startedAt": null, "completedAt": null, "error": null,
    /// #     "context": { "vars": {}, "stages": {} } }"#)?;
    /// let error = run.into_result().unwrap_err();
    /// assert_eq!(error.to_string(), "run `r1` was cancelled");
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn into_result(self) -> Result<Self, NotCompleted> {
        if self.status == RunStatus::Completed { Ok(self) } else { Err(NotCompleted(Box::new(self))) }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_nothing(spent: &Spent) -> bool {
    spent.attempts == 0
}
