//! What a person or a host asks of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::Data;

/// What a person or a host asks of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Control {
    /// Start nothing new; wait when what runs has ended.
    Pause,
    /// Go on.
    Resume,
    /// Stop what runs, and end.
    Cancel,
    /// Stop what runs without a grace period, and end.
    Kill,
    /// What a person says to something that the run waits for.
    Answer(Answer),
}

/// What a person, or the host, says to something that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The [number](crate::status::Wait::number) of the wait.
    pub wait: u64,
    /// The answer.
    pub value: Data,
}

/// A control as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// Its number within the run, from 1.
    pub number: u64,
    /// What was asked.
    pub control: Control,
}
