//! The statuses of runs, stages and lanes.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Accepted; nobody has begun to drive it.
    Pending,
    /// It goes on by itself, or would if somebody drove it.
    Running,
    /// It waits, for the reason its [`Wait`] gives.
    Paused,
    /// It ended well.
    Completed,
    /// It ended badly.
    Failed,
    /// It was cancelled.
    Cancelled,
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
    /// Waits for a free place at its provider.
    Queued,
    /// Begun.
    Running,
    /// Waits to be tried again.
    Retrying,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Its `when` was false, or it was not needed any more before it began.
    Skipped,
    /// Stopped because its result was not wanted any more.
    Cancelled,
}

/// Why a run does not go on by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Wait {
    /// The reason.
    pub reason: WaitReason,
    /// When it goes on by itself, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
}

impl Wait {
    /// Waits until somebody resumes the run.
    pub fn paused() -> Self {
        Self { reason: WaitReason::Pause, until: None }
    }
}

/// The reasons to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WaitReason {
    /// Somebody asked for it.
    Pause,
}
