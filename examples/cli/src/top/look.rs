//! How a status looks: an icon and a word, which mean the same without colours.

use workflow_core::status::{RunStatus, StageStatus, Wait, WaitReason};

/// A status of a run, a stage, a lane or a node, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Pending,
    Queued,
    Running,
    /// It would run if a process drove the run.
    Undriven,
    Retrying,
    Quota,
    Waiting,
    Paused,
    Completed,
    Failed,
    Cancelled,
    Skipped,
}

impl Look {
    /// The look of a run with that status and first wait; `driven` if a process drives it.
    pub(crate) fn of_run(status: RunStatus, wait: Option<&Wait>, driven: bool) -> Self {
        let reason = wait.map(|wait| wait.reason);
        match (status, reason) {
            (RunStatus::Completed, _) => Self::Completed,
            (RunStatus::Failed, _) => Self::Failed,
            (RunStatus::Cancelled, _) => Self::Cancelled,
            (RunStatus::Paused, Some(WaitReason::Quota)) => Self::Quota,
            (RunStatus::Paused, Some(reason)) if reason.is_for_a_person() => Self::Waiting,
            (RunStatus::Paused, _) => Self::Paused,
            (RunStatus::Running, Some(WaitReason::Retry)) => Self::Retrying,
            (RunStatus::Pending, _) => Self::Pending,
            (RunStatus::Running, _) if driven => Self::Running,
            (RunStatus::Running, _) => Self::Undriven,
        }
    }

    /// The look of a stage, a lane or a node, in a run that is driven or not.
    pub(crate) fn of_stage(status: StageStatus, driven: bool) -> Self {
        match status {
            StageStatus::Pending => Self::Pending,
            StageStatus::Queued => Self::Queued,
            StageStatus::Running if driven => Self::Running,
            StageStatus::Running => Self::Undriven,
            StageStatus::Retrying => Self::Retrying,
            StageStatus::Waiting => Self::Waiting,
            StageStatus::Completed => Self::Completed,
            StageStatus::Failed => Self::Failed,
            StageStatus::Skipped => Self::Skipped,
            StageStatus::Cancelled => Self::Cancelled,
        }
    }

    /// The icon, one column wide.
    pub(crate) fn icon(self) -> &'static str {
        match self {
            Self::Pending | Self::Queued => "…",
            Self::Running => "◐",
            Self::Undriven => "○",
            Self::Retrying => "↻",
            Self::Quota => "⏲",
            Self::Waiting => "?",
            Self::Paused => "‖",
            Self::Completed => "✓",
            Self::Failed => "✕",
            Self::Cancelled => "⊘",
            Self::Skipped => "⤼",
        }
    }

    /// The word, of ten characters at most.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Undriven => "not driven",
            Self::Retrying => "retrying",
            Self::Quota => "quota",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether something is under way, so that its time still grows.
    pub(crate) fn is_open(self) -> bool {
        matches!(
            self,
            Self::Queued | Self::Running | Self::Undriven | Self::Retrying | Self::Quota | Self::Waiting
        )
    }
}
