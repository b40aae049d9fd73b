//! A control request of a person or a host to a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Data;

/// A control request of a person or a host to a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Control {
    /// Start no new calls; pause when the running calls have ended.
    Pause,
    /// Resume the run.
    Resume,
    /// Stop the running calls, and cancel the run.
    Cancel,
    /// Stop the running calls without a grace period, and cancel the run.
    Kill,
    /// A person's answer to a question that the run waits for.
    Answer(Answer),
}

/// An answer of a person or the host to a question that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The [number](crate::status::Wait::number) of the wait.
    pub wait: u64,
    /// The answer.
    pub value: Data,
}

/// A control request as the store recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// Its number within the run, from 1.
    pub number: u64,
    /// The request.
    pub control: Control,
}
