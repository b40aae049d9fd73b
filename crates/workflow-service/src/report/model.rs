//! What a report says.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use workflow_core::actor::Actor;
use workflow_core::bundle::{BundleHash, ProviderMap};
use workflow_core::data::Data;
use workflow_core::definition::LoopSpec;
use workflow_core::event::BudgetLimit;
use workflow_core::failure::Failure;
use workflow_core::ids::{NodePath, RoleId, RunId, StageId, WorkflowId};
use workflow_core::status::{RunStatus, StageStatus, Wait, WaitReason};
use workflow_core::usage::Spent;

/// A report about a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// The run.
    pub run_id: RunId,
    /// Its workflow.
    pub workflow_id: WorkflowId,
    /// The name of the workflow; absent if its definition cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow_name: Option<String>,
    /// The hash of the definition that the run uses now.
    pub bundle: BundleHash,
    /// The providers that were replaced when it was started or forked.
    #[serde(default, skip_serializing_if = "ProviderMap::is_empty")]
    pub providers: ProviderMap,
    /// The labels that it was started with.
    pub labels: BTreeMap<String, String>,
    /// The variables as they are now, shortened.
    pub vars: IndexMap<String, Excerpt>,
    /// The status.
    pub status: RunStatus,
    /// The process that drives the run, described for people; absent when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Who started it, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_by: Option<Arc<Actor>>,
    /// What happened, in a few sentences.
    pub summary: String,
    /// Why the run failed.
    pub error: Option<Arc<Failure>>,
    /// What to do about it, the first thing first.
    pub next: Vec<NextStep>,
    /// What it waits for.
    pub waits: Vec<ReportWait>,
    /// The run that it was forked from.
    pub forked_from: Option<RunId>,
    /// When it was created.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When it was first driven.
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[schemars(with = "Option<String>")]
    pub ended_at: Option<Timestamp>,
    /// From the first start to the end, with all waits, in milliseconds; absent while it has not ended.
    pub duration_ms: Option<u64>,
    /// How long it waited for people, quotas and retries with nothing else to do, in milliseconds.
    pub waited_ms: u64,
    /// The iteration, from 1.
    pub iteration: u32,
    /// What all attempts used. What is not known is counted in `unpriced` and `uncounted`.
    pub spent: Spent,
    /// When the definition repeats its stages, and until when; absent if it does not.
    #[serde(rename = "loop", skip_serializing_if = "Option::is_none")]
    pub repeat: Option<LoopSpec>,
    /// What was used of each budget.
    pub budgets: Vec<ReportBudget>,
    /// What failed, also where another attempt helped, in the order in which it began to fail.
    pub failures: Vec<ReportFailure>,
    /// The iterations.
    pub iterations: Vec<ReportIteration>,
    /// The passes of the stages, in order.
    pub stages: Vec<ReportStage>,
    /// The calls of providers, with each attempt. After the first 500, calls that succeeded at the first attempt are left
    /// out, and after the first 1,000 all.
    pub calls: Vec<ReportCall>,
    /// What people were asked, and what they answered.
    pub questions: Vec<ReportQuestion>,
    /// The requests to pause, resume or cancel the run.
    pub controls: Vec<ReportControl>,
    /// What the run changed in its worktree; absent if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<ReportChanges>,
    /// How many calls, attempts, questions, requests and commits were left out, because there are too many for a report.
    pub omitted: u64,
    /// Whether calls are among them.
    #[serde(skip)]
    pub(crate) omits_calls: bool,
    /// How the run was going to end before the stages of `finally` ran.
    #[serde(skip)]
    pub(crate) ending: Option<RunStatus>,
}

/// The beginning of a value, as a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Excerpt {
    /// The text, or the beginning of it.
    pub text: String,
    /// Whether there is more.
    pub truncated: bool,
    /// Tells values apart that begin in the same way.
    #[serde(skip)]
    pub(super) digest: u64,
}

/// A step that a person can take.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct NextStep {
    /// What to do, and why.
    pub text: String,
    /// The command that does it in a terminal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The operation that does it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The request of that operation; a person fills in the rest of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<Data>,
}

/// What a run waits for.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportWait {
    /// The wait.
    pub wait: Wait,
    /// What that means.
    pub meaning: String,
}

/// A budget, and what was used of it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportBudget {
    /// The stage whose budget it is; absent: the run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageId>,
    /// What it limits.
    pub limit: BudgetLimit,
    /// How much was used, as far as it is known: US dollars, tokens, or seconds.
    pub used: f64,
    /// How much may be used.
    pub of: f64,
}

/// Something that failed once or more.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportFailure {
    /// The node whose call failed, or that failed without one; its attempts are in `calls`. Absent for a failure of a
    /// whole stage or of the run.
    pub path: Option<NodePath>,
    /// The stage; absent for a failure of the run.
    pub stage: Option<StageId>,
    /// The iteration.
    pub iteration: u32,
    /// The provider of the last attempt.
    pub provider: Option<Arc<str>>,
    /// How many attempts were made.
    pub attempts: u32,
    /// The last error.
    pub error: Arc<Failure>,
    /// Whether it succeeded in the end.
    pub recovered: bool,
    /// Whether the run that this one was forked from made the attempts.
    pub inherited: bool,
    /// What such an error means, and what to do about it.
    pub advice: String,
}

/// An iteration.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportIteration {
    /// Its number, from 1.
    pub iteration: u32,
    /// Whether the run that this one was forked from made it. An iteration that was under way then counts from the fork on.
    pub inherited: bool,
    /// When its first stage began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds; absent while it has not ended.
    pub duration_ms: Option<u64>,
    /// What its attempts used.
    pub spent: Spent,
    /// Whether the condition to stop was met at its end; absent if it did not get there.
    pub stop_when: Option<bool>,
}

/// A pass of a stage.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools, reason = "independent of each other")]
pub struct ReportStage {
    /// The stage.
    pub stage: StageId,
    /// The iteration.
    pub iteration: u32,
    /// How it ended, or that it has not.
    pub status: StageStatus,
    /// Whether it is a stage of `finally`, which runs however the others end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub finally: bool,
    /// Whether the run that this one was forked from made the pass. A pass that was under way then counts from the fork on.
    pub inherited: bool,
    /// Whether its output was replaced when the run was forked. The pass counts as completed then.
    pub replaced: bool,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds; absent while it has not ended.
    pub duration_ms: Option<u64>,
    /// What its attempts used.
    pub spent: Spent,
    /// How many of the attempts failed.
    pub failed_attempts: u32,
    /// The beginning of its output.
    pub output: Option<Excerpt>,
    /// Why it failed.
    pub error: Option<Arc<Failure>>,
    /// Whether the run continued despite the failure.
    pub continued: bool,
}

/// A call of a provider, with all its attempts.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportCall {
    /// The node: `1/plan[0]/run`.
    pub path: NodePath,
    /// The provider of the last attempt; absent if there was none.
    pub provider: Option<Arc<str>>,
    /// The role of the last attempt.
    pub role: Option<RoleId>,
    /// How it ended, or that it has not.
    pub status: StageStatus,
    /// When the first attempt began, or the call was refused.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// From `startedAt` to the end of the last attempt, in milliseconds; absent while that has not ended.
    pub duration_ms: Option<u64>,
    /// What its attempts used.
    pub spent: Spent,
    /// The attempts; of more than 20 the last ones.
    pub attempts: Vec<ReportAttempt>,
}

/// An attempt of a call.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportAttempt {
    /// Its number, from 1; absent if the provider was not called.
    pub attempt: Option<u32>,
    /// When it began.
    #[schemars(with = "String")]
    pub started_at: Timestamp,
    /// How long it took, in milliseconds; absent while it has not ended.
    pub duration_ms: Option<u64>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Why it failed.
    pub error: Option<Arc<Failure>>,
    /// What was done about the failure; absent if nothing was.
    pub then: Option<AfterFailure>,
    /// When the next attempt was to be made.
    #[schemars(with = "Option<String>")]
    pub retry_at: Option<Timestamp>,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// It has not ended.
    Running,
    /// The provider answered.
    Succeeded,
    /// It failed.
    Failed,
    /// It was stopped, because its result was no longer wanted.
    Cancelled,
    /// The process that drove the run ended before a result was known.
    Interrupted,
}

/// What was done about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum AfterFailure {
    /// Another attempt.
    Retry,
    /// The provider was told what is wrong with its output.
    Repair,
    /// It waited until the provider's quota was refilled.
    WaitForQuota,
}

/// What a person was asked.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportQuestion {
    /// The number of the wait.
    pub wait: u64,
    /// Why a person was asked.
    pub reason: WaitReason,
    /// What asked: a stage as `1/plan`, or a node as `1/plan[0]/ask`.
    pub place: String,
    /// The question.
    pub question: String,
    /// When it was asked.
    #[schemars(with = "String")]
    pub asked_at: Timestamp,
    /// The answer, shortened; absent if there is none.
    pub answer: Option<Excerpt>,
    /// When it was answered.
    #[schemars(with = "Option<String>")]
    pub answered_at: Option<Timestamp>,
    /// Who answered, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<Arc<Actor>>,
}

/// A request to a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportControl {
    /// When it was carried out.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// `pause`, `resume`, `cancel` or `kill`.
    pub request: String,
    /// Who requested it, if that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<Actor>>,
}

/// What a run changed in its worktree.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportChanges {
    /// The branch; absent while nothing was committed.
    pub branch: Option<String>,
    /// The commits, the oldest first; without those of the run that this one was forked from.
    pub commits: Vec<ReportCommit>,
}

/// A commit of a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ReportCommit {
    /// The node whose call made the changes.
    pub path: NodePath,
    /// The id of the commit.
    pub commit: String,
    /// The summary of the changes, as `git show --stat` prints it.
    pub stat: String,
}
