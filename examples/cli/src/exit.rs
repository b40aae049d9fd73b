//! The exit codes of commands.

use std::process::ExitCode;

use workflow_core::status::{RunStatus, Wait};
use workflow_core::view::RunView;

/// The exit code of a command. The greater of two is the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Exit(u8);

impl Exit {
    /// The run completed, or the command succeeded.
    pub(crate) const DONE: Self = Self(0);
    /// The run failed.
    pub(crate) const FAILED: Self = Self(1);
    /// Wrong usage, or an invalid definition.
    pub(crate) const INVALID: Self = Self(2);
    /// The run was cancelled.
    pub(crate) const CANCELLED: Self = Self(3);
    /// The run waits for a person.
    pub(crate) const WAITS: Self = Self(4);
    /// Not found, driven or taken over by another process, or a failure of the store.
    pub(crate) const UNAVAILABLE: Self = Self(5);
    /// The run refused the control request.
    pub(crate) const REFUSED: Self = Self(6);
    /// The control request is recorded, and the driver of the run has not decided on it yet.
    pub(crate) const RECORDED: Self = Self(7);

    /// The exit code of a process.
    pub(crate) fn code(code: i32) -> Self {
        Self(u8::try_from(code).unwrap_or(u8::MAX))
    }

    /// Ended by a signal, as a shell reports it.
    pub(crate) fn signal(number: i32) -> Self {
        Self(u8::try_from(128 + number).unwrap_or(u8::MAX))
    }

    /// The exit code for the status of a run; none when the run continues by itself, now or at a later time.
    pub(crate) fn of(run: &RunView) -> Option<Self> {
        match run.status {
            RunStatus::Completed => Some(Self::DONE),
            RunStatus::Failed => Some(Self::FAILED),
            RunStatus::Cancelled => Some(Self::CANCELLED),
            RunStatus::Paused if run.wait.as_deref().is_some_and(ends_by_itself) => None,
            RunStatus::Paused => Some(Self::WAITS),
            RunStatus::Pending | RunStatus::Running => None,
        }
    }
}

/// Whether the wait ends at a time, without an answer.
fn ends_by_itself(wait: &Wait) -> bool {
    wait.number.is_none() && wait.until.is_some()
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}
