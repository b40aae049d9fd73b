//! Events: the facts that happened to a run, as they are stored, replayed and shown.
//!
//! An event is written as
//! `{"seq":4,"at":"2026-01-02T03:04:05Z","v":1,"type":"attempt_started","data":{…}}`.
//! `v` is the version of the whole event format. A reader refuses a version or a type that it does
//! not know; it never skips one.

mod child;
mod clone;
mod origin;
mod parts;
mod wire;

pub(crate) use child::child_id;
pub use child::{ChildEnded, ChildStarted, ParentRun};
pub use origin::{RunCreated, RunForked};
pub use parts::{AnswerRefusal, BudgetLimit, RunEnding};

use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::bundle::{Bundle, BundleHash};
use crate::data::Data;
use crate::failure::Failure;
use crate::ids::{NodeId, NodePath, RoleId, StageId};
use crate::status::{Wait, WaitReason};
use crate::store::Signal;
use crate::usage::Usage;

/// The version of the event format that this crate writes.
pub const EVENT_VERSION: u32 = 1;

/// A fact that happened to a run: numbered from 1 without gaps, never rewritten.
#[derive(Debug, PartialEq)]
pub struct Event {
    /// Its number within the run.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// What happened.
    pub body: EventBody,
}

/// What happened. Adding a kind or a field keeps [`EVENT_VERSION`]; changing one raises it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventBody {
    /// The run was accepted. Always the first event.
    RunCreated(Arc<RunCreated>),
    /// The run is a fork and continues from here: the events before come from the other run, without what was
    /// under way.
    RunForked(Box<RunForked>),
    /// The run continues with another definition from here.
    RunMigrated {
        /// The hash of its bundle.
        hash: BundleHash,
        /// Its bundle: the bundle that a run was started with is shared by runs, and this one belongs to this
        /// run alone.
        bundle: Arc<Bundle>,
        /// As [`RunCreated::signature`], for the hash and for who migrated the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<Box<str>>,
        /// Who migrated the run, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Actor>>,
    },
    /// A driver began to work on the run for the first time.
    RunStarted,
    /// A stage began.
    StageStarted {
        /// The iteration, counted from 1.
        iteration: u32,
        /// The stage.
        stage: StageId,
        /// How many lanes it has; absent: one.
        #[serde(default = "one", skip_serializing_if = "is_one")]
        lanes: u32,
    },
    /// A stage was left out: its `when` was false, or the run ends before it.
    StageSkipped {
        /// The iteration, counted from 1.
        iteration: u32,
        /// The stage.
        stage: StageId,
    },
    /// A lane of a stage began that has a graph of nodes.
    LaneStarted {
        /// The iteration, counted from 1.
        iteration: u32,
        /// The stage.
        stage: StageId,
        /// The lane.
        lane: u32,
        /// Its provider.
        provider: Arc<str>,
        /// Its role, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleId>,
    },
    /// A `foreach` node began, or an iteration of a loop: its number, counted from 0, follows the loop in the path.
    NodeStarted {
        /// The node.
        path: NodePath,
        /// Its items: an array. Of an iteration null.
        items: Data,
    },
    /// A node that calls no provider succeeded.
    NodeCompleted {
        /// The node.
        path: NodePath,
        /// Its output.
        output: Data,
        /// The variables that its `set` wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "IndexMap<String, Data>")]
        set: Option<Arc<IndexMap<String, Data>>>,
    },
    /// A node failed, and not because of a failed attempt of its own.
    NodeFailed {
        /// The node.
        path: NodePath,
        /// Why.
        error: Arc<Failure>,
        /// Whether its lane continues despite the failure (`on_failure: continue`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        continues: bool,
    },
    /// A node does not run: its `when` was false, no branch took it, or what it needs was skipped.
    NodeSkipped {
        /// The node.
        path: NodePath,
    },
    /// A node waits for a free slot at its provider.
    NodeQueued {
        /// The node.
        path: NodePath,
        /// The provider it waits for.
        provider: Arc<str>,
    },
    /// A node waits for a time, or for a signal.
    NodeWaiting {
        /// The node.
        path: NodePath,
        /// The time; for a signal how long it is waited for, and absent if that has no limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        until: Option<Timestamp>,
        /// The name of the signal; absent if it waits for the time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        signal: Option<Arc<str>>,
    },
    /// A node started a run of another workflow.
    ChildStarted(Arc<ChildStarted>),
    /// The run that a node started has ended, and its usage counts for this run. The end of the attempt follows.
    ChildEnded(Box<ChildEnded>),
    /// A signal was sent to the run.
    SignalReceived {
        /// The number of the control.
        control: u64,
        /// The signal.
        signal: Box<Signal>,
        /// Who sent it, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Actor>>,
    },
    /// The provider may have been called from here on.
    AttemptStarted {
        /// The node.
        path: NodePath,
        /// The attempt, counted from 1 over all retries and restarts.
        attempt: u32,
        /// The provider.
        provider: Arc<str>,
        /// The role, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<RoleId>,
    },
    /// The provider's session became known during a call.
    SessionRecorded {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// The session id, as the provider names it.
        session: Arc<str>,
    },
    /// A session that a node was to continue failed in the same way twice in a row, or a person wants a new
    /// one after an interruption; the next attempt begins a new one.
    SessionDropped {
        /// The node.
        path: NodePath,
        /// The session.
        session: Arc<str>,
    },
    /// The provider answered, or the run that the node started completed. The node never runs again in this iteration.
    AttemptSucceeded {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// The node's output.
        output: Data,
        /// The variables that the node's `set` wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "IndexMap<String, Data>")]
        set: Option<Arc<IndexMap<String, Data>>>,
        /// What the call used, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Box<Usage>>,
        /// Details about the call, if the provider reported any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<Box<serde_json::Value>>,
        /// When the call ended by the clock by which it began, where that was set, or the machine slept, in between;
        /// absent: at this event's time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        ran_until: Option<Box<Timestamp>>,
    },
    /// The attempt failed, or the call was refused before it began.
    AttemptFailed {
        /// The node.
        path: NodePath,
        /// The attempt. Of a call that was refused (by a budget, by a person, because its provider cannot be told) the
        /// last one that was made: 0 where there is none.
        attempt: u32,
        /// Why.
        error: Arc<Failure>,
        /// When it is tried again; absent when it is not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<Box<Timestamp>>,
        /// Whether it only waits for a quota to be refilled: no retry is spent.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        parked: bool,
        /// Whether the next attempt corrects a wrong output: no retry is spent.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        repair: bool,
        /// Whether the lane continues although the node has failed for good (`on_failure: continue`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        continues: bool,
        /// What the call used, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Box<Usage>>,
        /// When the call ended by the clock by which it began, where that was set, or the machine slept, in between;
        /// absent: at this event's time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        ran_until: Option<Box<Timestamp>>,
        /// The output of the call before it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Box<Data>>,
    },
    /// The attempt was stopped, with all its processes, because its result is no longer wanted.
    AttemptCancelled {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// What the call used, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Box<Usage>>,
        /// The last moment that it is known to have run, where its driver died or the clock was set; absent: this
        /// event's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        ran_until: Option<Timestamp>,
    },
    /// The attempt's driver ended before a result was known, or the call stopped to ask a person something. The node runs
    /// again, unless a person is asked.
    AttemptInterrupted {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// What the call used, where it stopped by itself and told so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Box<Usage>>,
        /// The last moment that it is known to have run, where its driver died or the clock was set; absent: this
        /// event's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        ran_until: Option<Box<Timestamp>>,
        /// When the node runs again, if its drivers died several times in a row; absent: at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        retry_at: Option<Timestamp>,
    },
    /// A lane that has a graph succeeded.
    LaneCompleted {
        /// The iteration, counted from 1.
        iteration: u32,
        /// The stage.
        stage: StageId,
        /// The lane.
        lane: u32,
        /// The node whose output is the lane's, or the nodes whose outputs are, as an object.
        output_of: LaneOutput,
    },
    /// A lane that has a graph failed.
    LaneFailed {
        /// The iteration, counted from 1.
        iteration: u32,
        /// The stage.
        stage: StageId,
        /// The lane.
        lane: u32,
        /// Why.
        error: Arc<Failure>,
    },
    /// A stage succeeded.
    StageCompleted {
        /// The iteration, counted from 1.
        iteration: u32,
        /// The stage.
        stage: StageId,
        /// The lane whose output is the stage's; absent: an array of every lane's is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_of: Option<u32>,
        /// The variables that the stage's `set` wrote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "IndexMap<String, Data>")]
        set: Option<Arc<IndexMap<String, Data>>>,
    },
    /// A stage failed.
    StageFailed {
        /// The iteration, counted from 1.
        iteration: u32,
        /// The stage.
        stage: StageId,
        /// Why.
        error: Arc<Failure>,
        /// Whether the run continues despite the failure (`on_failure: continue`).
        continues: bool,
        /// The one of several lanes whose output stays as the stage's; absent: all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output_of: Option<u32>,
    },
    /// The last stage of an iteration of a loop ended, and the run continues or completes.
    IterationEnded {
        /// The iteration, counted from 1.
        iteration: u32,
        /// What `stop_when` was.
        done: bool,
        /// The stage that the next iteration starts with; absent when there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<StageId>,
    },
    /// A budget is nearly used up: at least 80% and less than all of it. There is no warning for a budget
    /// that goes from below 80% to used up at once.
    BudgetWarning {
        /// The stage whose budget it is; absent: the run's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stage: Option<StageId>,
        /// The quantity that it limits.
        limit: BudgetLimit,
        /// How much was used: US dollars, tokens, or seconds.
        used: f64,
        /// How much may be used.
        of: f64,
    },
    /// A person is asked before a stage starts.
    StageAsked {
        /// The iteration, counted from 1.
        iteration: u32,
        /// The stage.
        stage: StageId,
        /// The question.
        question: Box<str>,
    },
    /// A person is asked, and the node waits for the answer.
    NodeAsked {
        /// The node.
        path: NodePath,
        /// Why.
        reason: WaitReason,
        /// The question.
        question: Box<str>,
        /// The JSON Schema of the answer; absent for any text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        schema: Option<Data>,
    },
    /// A person answered.
    Answered {
        /// The number of the control.
        control: u64,
        /// The number of the event that asked.
        wait: u64,
        /// The answer.
        answer: Data,
        /// Who answered, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Actor>>,
    },
    /// An answer was refused: the question is no longer open, or does not allow the answer.
    AnswerRefused {
        /// The number of the control.
        control: u64,
        /// The number that it named.
        wait: u64,
        /// Why it was refused, for a person.
        reason: String,
        /// Why it was refused, for a program. Absent in logs of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<AnswerRefusal>,
        /// Who answered, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Actor>>,
    },
    /// The run waits: nothing continues by itself, or not for a while, so no process needs to keep the run in
    /// memory.
    RunWaiting {
        /// What it waits for; of several things the first.
        wait: Box<Wait>,
    },
    /// The time that the run waited for is reached, the signal that it waited for was sent, or a run that it started has ended.
    RunContinued,
    /// A pause was requested: nothing new starts.
    PauseRequested {
        /// The number of the control.
        control: u64,
        /// Who requested it, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Actor>>,
    },
    /// Nothing runs any more; the run waits until it is resumed.
    RunPaused,
    /// The run was resumed.
    RunResumed {
        /// The number of the control.
        control: u64,
        /// Who requested it, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Actor>>,
    },
    /// A cancellation was requested: nothing new starts, calls are stopped.
    CancelRequested {
        /// The number of the control.
        control: u64,
        /// Whether calls are killed without a grace period.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        at_once: bool,
        /// Who requested it, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Arc<Actor>>,
    },
    /// The run would end here. The stages of `finally` run before it does.
    RunEnding(Box<RunEnding>),
    /// The run completed.
    RunCompleted {
        /// The stages that failed on the way (`on_failure: continue`), each once.
        #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
        failed_stages: Box<[StageId]>,
        /// Its output, where the definition says what it is; absent: that of the last stage that was not skipped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Data>,
        /// Why it ended before its last stage; absent where it did not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Box<str>>,
    },
    /// The run failed.
    RunFailed {
        /// Why.
        error: Arc<Failure>,
    },
    /// The run was cancelled, and none of its processes is left.
    RunCancelled,
}

/// What makes the output of a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LaneOutput {
    /// The output of a node.
    Node(NodeId),
    /// An object with the outputs of nodes, by their ids. Of none: null.
    Nodes(Vec<NodeId>),
}

fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

impl EventBody {
    /// The name that the event has in a log: `attempt_started`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RunCreated(_) => "run_created",
            Self::RunForked(_) => "run_forked",
            Self::RunMigrated { .. } => "run_migrated",
            Self::RunStarted => "run_started",
            Self::StageStarted { .. } => "stage_started",
            Self::StageSkipped { .. } => "stage_skipped",
            Self::LaneStarted { .. } => "lane_started",
            Self::NodeStarted { .. } => "node_started",
            Self::NodeCompleted { .. } => "node_completed",
            Self::NodeFailed { .. } => "node_failed",
            Self::NodeSkipped { .. } => "node_skipped",
            Self::NodeQueued { .. } => "node_queued",
            Self::NodeWaiting { .. } => "node_waiting",
            Self::ChildStarted(_) => "child_started",
            Self::ChildEnded(_) => "child_ended",
            Self::SignalReceived { .. } => "signal_received",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::SessionRecorded { .. } => "session_recorded",
            Self::SessionDropped { .. } => "session_dropped",
            Self::AttemptSucceeded { .. } => "attempt_succeeded",
            Self::AttemptFailed { .. } => "attempt_failed",
            Self::AttemptCancelled { .. } => "attempt_cancelled",
            Self::AttemptInterrupted { .. } => "attempt_interrupted",
            Self::LaneCompleted { .. } => "lane_completed",
            Self::LaneFailed { .. } => "lane_failed",
            Self::StageCompleted { .. } => "stage_completed",
            Self::StageFailed { .. } => "stage_failed",
            Self::IterationEnded { .. } => "iteration_ended",
            Self::BudgetWarning { .. } => "budget_warning",
            Self::StageAsked { .. } => "stage_asked",
            Self::NodeAsked { .. } => "node_asked",
            Self::Answered { .. } => "answered",
            Self::AnswerRefused { .. } => "answer_refused",
            Self::RunWaiting { .. } => "run_waiting",
            Self::RunContinued => "run_continued",
            Self::PauseRequested { .. } => "pause_requested",
            Self::RunPaused => "run_paused",
            Self::RunResumed { .. } => "run_resumed",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::RunEnding(_) => "run_ending",
            Self::RunCompleted { .. } => "run_completed",
            Self::RunFailed { .. } => "run_failed",
            Self::RunCancelled => "run_cancelled",
        }
    }

    /// The node of the event, if it has one.
    pub fn path(&self) -> Option<&NodePath> {
        match self {
            Self::NodeStarted { path, .. }
            | Self::NodeCompleted { path, .. }
            | Self::NodeFailed { path, .. }
            | Self::NodeSkipped { path }
            | Self::NodeQueued { path, .. }
            | Self::NodeAsked { path, .. }
            | Self::NodeWaiting { path, .. }
            | Self::AttemptStarted { path, .. }
            | Self::SessionRecorded { path, .. }
            | Self::SessionDropped { path, .. }
            | Self::AttemptSucceeded { path, .. }
            | Self::AttemptFailed { path, .. }
            | Self::AttemptCancelled { path, .. }
            | Self::AttemptInterrupted { path, .. } => Some(path),
            Self::ChildStarted(child) => Some(&child.path),
            Self::ChildEnded(child) => Some(&child.path),
            _ => None,
        }
    }

    /// Whether it changes the run's status.
    pub fn changes_head(&self) -> bool {
        self.is_terminal()
            || matches!(
                self,
                Self::RunStarted
                    | Self::RunForked(_)
                    | Self::RunMigrated { .. }
                    | Self::RunPaused
                    | Self::RunResumed { .. }
                    | Self::RunWaiting { .. }
                    | Self::RunEnding(_)
                    | Self::RunContinued
                    | Self::Answered { .. }
                    | Self::PauseRequested { .. }
                    | Self::CancelRequested { .. }
            )
    }

    /// Whether it ends the run.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::RunCompleted { .. } | Self::RunFailed { .. } | Self::RunCancelled)
    }
}
