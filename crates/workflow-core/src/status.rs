//! The statuses of runs, stages and lanes.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::ids::{NodePath, RunId};
use crate::names::names;

/// The status of a run.
///
/// ```
/// use workflow_core::status::RunStatus;
///
/// assert!(RunStatus::Failed.is_terminal() && !RunStatus::Paused.is_terminal());
/// assert_eq!("paused".parse(), Ok(RunStatus::Paused));
/// assert_eq!(RunStatus::Completed.to_string(), "completed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted; no driver has begun to drive it.
    Pending,
    /// In progress, or would be if a process drove it.
    Running,
    /// It waits, for the reason in its [`Wait`].
    Paused,
    /// It succeeded.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

names! {
    RunStatus, "run status",
    Pending => "pending",
    Running => "running",
    Paused => "paused",
    Completed => "completed",
    Failed => "failed",
    Cancelled => "cancelled",
}

impl RunStatus {
    /// Whether the run has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// The status of a stage, or of one of its lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageStatus {
    /// Not begun.
    Pending,
    /// Waits for a free slot at its provider.
    Queued,
    /// Begun.
    Running,
    /// Waits to be tried again.
    Retrying,
    /// Waits for an answer of a person, for a time, or for a signal.
    Waiting,
    /// Succeeded.
    Completed,
    /// Failed.
    Failed,
    /// Its `when` was false, or it was no longer needed before it began.
    Skipped,
    /// Stopped because its result was no longer needed.
    Cancelled,
}

names! {
    StageStatus, "stage status",
    Pending => "pending",
    Queued => "queued",
    Running => "running",
    Retrying => "retrying",
    Waiting => "waiting",
    Completed => "completed",
    Failed => "failed",
    Skipped => "skipped",
    Cancelled => "cancelled",
}

/// Why a run does not continue by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Wait {
    /// The reason.
    pub reason: WaitReason,
    /// Since when it waits: the time of the event that asked, or with which the run began to wait. Absent in events, whose
    /// times these are, and in heads that earlier versions stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// When it continues by itself, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// Whether `until` is a guess: the service did not say when its quota is refilled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub until_is_guess: bool,
    /// The number that an answer names; absent where no answer is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// What waits: a stage as `1/plan`, or a node as `1/plan[0]/ask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What a person is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The name of the signal that is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The run that is waited for, which this one started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// The JSON Schema of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Data>,
}

impl Wait {
    /// Waits until the run is resumed.
    pub fn paused() -> Self {
        Self::of(WaitReason::Pause)
    }

    /// Waits until a person resumes the run, because so many drivers in a row died before an event was stored.
    pub fn after_crashes(deaths: u32) -> Self {
        let question = format!(
            "the process that drove the run ended {deaths} times in a row before anything was recorded (a \
             crash, too little memory, a kill). No worker drives the run any more. Find the cause, then \
             resume the run"
        );
        Self { question: Some(question), ..Self::of(WaitReason::Crashes) }
    }

    /// Whether [`Control::Resume`](crate::store::Control::Resume) ends it.
    pub fn is_resumed(&self) -> bool {
        matches!(self.reason, WaitReason::Pause | WaitReason::Crashes)
    }

    /// Waits for a signal at a node.
    pub(crate) fn for_signal(path: &NodePath, name: &str) -> Self {
        let (place, signal) = (Some(path.to_string()), Some(name.to_owned()));
        Self { place, signal, ..Self::of(WaitReason::Signal) }
    }

    /// Waits for a run that a node has started.
    pub(crate) fn for_child(path: &NodePath, run: &RunId) -> Self {
        Self { place: Some(path.to_string()), run: Some(run.clone()), ..Self::of(WaitReason::Child) }
    }

    /// Waits for that reason, without further details.
    pub fn of(reason: WaitReason) -> Self {
        Self {
            reason,
            since: None,
            until: None,
            until_is_guess: false,
            number: None,
            place: None,
            question: None,
            signal: None,
            run: None,
            schema: None,
        }
    }
}

/// The reasons to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitReason {
    /// A pause was requested.
    Pause,
    /// A person has to agree before it continues.
    Approval,
    /// A person is asked something.
    Question,
    /// The outcome of a call is unknown: a person or the host has to provide it.
    UnknownOutcome,
    /// A provider's quota is used up.
    Quota,
    /// A node is tried again later. The run shows as running.
    Retry,
    /// A node waits for a time.
    Timer,
    /// A node waits for a signal.
    Signal,
    /// A node waits for the run that it has started.
    Child,
    /// The process that drove the run repeatedly died before an event was stored. A person resumes the run
    /// once the cause is known.
    Crashes,
}

impl WaitReason {
    /// The status of a run that waits for this reason.
    pub fn status(self) -> RunStatus {
        match self {
            Self::Retry => RunStatus::Running,
            _ => RunStatus::Paused,
        }
    }

    /// Whether a person ends the wait: an answer, or a resume after crashes. A pause that was requested is not one.
    pub fn is_for_a_person(self) -> bool {
        matches!(self, Self::Approval | Self::Question | Self::UnknownOutcome | Self::Crashes)
    }
}

names! {
    WaitReason, "reason to wait",
    Pause => "pause",
    Approval => "approval",
    Question => "question",
    UnknownOutcome => "unknown_outcome",
    Quota => "quota",
    Retry => "retry",
    Timer => "timer",
    Signal => "signal",
    Child => "child",
    Crashes => "crashes",
}
