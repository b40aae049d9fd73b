//! Parts of events: how a run ends after its stages of `finally`, why an answer is refused, and what a budget limits.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::failure::Failure;
use crate::status::RunStatus;

/// How a run ends when its stages of `finally` have ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RunEnding {
    /// The status that it will have. It also fails if it would have completed and a stage of `finally` fails.
    pub status: RunStatus,
    /// Why it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<Failure>>,
    /// Its output, where the definition says what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Data>,
    /// Why it ends before its last stage; absent where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
}

impl RunEnding {
    /// An end with that status, and nothing else to say of it.
    pub fn new(status: RunStatus) -> Self {
        Self { status, error: None, output: None, reason: None }
    }
}

/// Why an answer was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerRefusal {
    /// The run is being cancelled.
    Cancelling,
    /// The run does not ask that question, or no longer asks it.
    NoSuchQuestion,
    /// The question does not allow this answer.
    InvalidAnswer,
}

/// What a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BudgetLimit {
    /// US dollars.
    Cost,
    /// Tokens read and written.
    Tokens,
    /// How long attempts take together.
    Time,
}
