//! The outcome of a control request.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::view::RunView;

/// The outcome of a [`Control`](crate::store::Control) that was sent to a run.
#[must_use = "the request may have been refused"]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ControlOutcome {
    /// The run accepted it. A pause or a cancellation is complete when the running calls have ended: until
    /// then it is in [`RunView::requested`].
    Done(Box<RunView>),
    /// It is recorded, and the driver of the run, which is usually in another process, has not decided on it yet.
    /// `RunHandle::settled` waits until it has.
    Recorded {
        /// Its number within the run.
        number: u64,
    },
    /// It has no effect.
    Refused(ControlRefused),
}

/// Why a control request has no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{reason}")]
#[non_exhaustive]
pub struct ControlRefused {
    /// Why, for a program.
    pub code: ControlRefusal,
    /// Why, for a person; for an invalid answer with the schema's message.
    pub reason: String,
}

/// Why a control request has no effect, for a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ControlRefusal {
    /// The run has ended.
    Ended,
    /// Only the stages of `finally` are left, and how the run ends is known: a cancellation does not change it.
    Ending,
    /// The run is being cancelled.
    Cancelling,
    /// The run does not ask that question, or no longer asks it.
    NoSuchQuestion,
    /// Another answer came first.
    AlreadyAnswered,
    /// The question does not allow this answer.
    InvalidAnswer,
}

impl ControlRefused {
    /// A refusal for a reason.
    pub fn new(code: ControlRefusal, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }
}

impl ControlOutcome {
    /// The run if the request was accepted, and `None` if it is only recorded.
    ///
    /// # Errors
    ///
    /// [`ControlRefused`].
    pub fn accepted(self) -> Result<Option<RunView>, ControlRefused> {
        match self {
            Self::Done(view) => Ok(Some(*view)),
            Self::Recorded { .. } => Ok(None),
            Self::Refused(refused) => Err(refused),
        }
    }

    /// Why the request was refused, if it was.
    pub fn refusal(&self) -> Option<ControlRefusal> {
        match self {
            Self::Refused(refused) => Some(refused.code),
            _ => None,
        }
    }
}

impl fmt::Display for ControlOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(view) => write!(f, "done: the run is {}", view.status),
            Self::Recorded { number } => {
                write!(f, "recorded as control request {number}, not carried out yet")
            }
            Self::Refused(refused) => write!(f, "refused: {refused}"),
        }
    }
}
