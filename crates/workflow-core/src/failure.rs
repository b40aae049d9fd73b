//! Failures as data: what went wrong, of which class, in a form that is stored and shown.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::names;

/// What kind of failure it was; it decides whether trying again can help.
///
/// ```
/// use workflow_core::failure::FailureClass;
///
/// assert_eq!(FailureClass::RateLimited.to_string(), "rate_limited");
/// assert_eq!("timeout".parse(), Ok(FailureClass::Timeout));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// The provider failed in a way that another attempt may not meet again.
    Transient,
    /// The provider is over its quota or rate limit.
    RateLimited,
    /// The reply did not have the required form.
    InvalidOutput,
    /// It cannot go away by itself: a missing binary, a bad key, a bad option.
    Permanent,
    /// The attempt took longer than its `timeout`.
    Timeout,
    /// The provider showed no activity for longer than its `idle_timeout`.
    IdleTimeout,
    /// The call was stopped because the run, or its part in it, was cancelled.
    Cancelled,
    /// A `${…}` expression or a condition could not be resolved.
    Expression,
    /// Enough of a stage's providers failed for the stage to fail.
    Stage,
    /// `max_iters` was reached and `stop_when` was not met.
    LoopExhausted,
    /// A person did not agree.
    Rejected,
    /// A budget is used up.
    Budget,
    /// A stage failed in the same way in two iterations one after the other.
    Repeated,
    /// A key of the output holds a secret, so the output was not stored.
    SecretInOutput,
}

names! {
    FailureClass, "failure class",
    Transient => "transient",
    RateLimited => "rate_limited",
    InvalidOutput => "invalid_output",
    Permanent => "permanent",
    Timeout => "timeout",
    IdleTimeout => "idle_timeout",
    Cancelled => "cancelled",
    Expression => "expression",
    Stage => "stage",
    LoopExhausted => "loop_exhausted",
    Rejected => "rejected",
    Budget => "budget",
    Repeated => "repeated",
    SecretInOutput => "secret_in_output",
}

impl FailureClass {
    /// Whether another attempt may succeed.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Transient | Self::RateLimited | Self::InvalidOutput | Self::Timeout | Self::IdleTimeout
        )
    }
}

/// A failure as it is recorded in a run's log.
///
/// ```
/// use workflow_core::failure::{Failure, FailureClass};
///
/// let failure = Failure::new(FailureClass::Timeout, "no result after 60s");
/// assert_eq!(failure.to_string(), "no result after 60s");
/// assert!(failure.class.is_retryable());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// The kind of failure.
    pub class: FailureClass,
    /// What happened, for a person.
    pub message: String,
    /// More, where there is more: an exit code, the end of standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

/// Why an item of a `foreach` failed whose node continues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ItemFailure {
    /// The number of the item, counted from 0: where the output has null.
    pub index: u32,
    /// The numbers of the items below it, where the body is a `foreach` itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inner: Vec<u32>,
    /// The kind of failure.
    pub class: FailureClass,
    /// What happened, for a person.
    pub message: String,
    /// More, where there is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

impl ItemFailure {
    /// The failure of the item with those numbers, the outermost first.
    pub(crate) fn new(items: &[u32], Failure { class, message, details }: &Failure) -> Self {
        let (index, inner) = items.split_first().map_or((0, &[][..]), |(index, inner)| (*index, inner));
        Self {
            index,
            inner: inner.to_vec(),
            class: *class,
            message: message.clone(),
            details: details.clone(),
        }
    }
}

impl Failure {
    /// A failure of `class` with a message.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into(), details: None }
    }

    /// Whether the time of the next attempt is a guess, because the service did not say when its quota is refilled: a
    /// provider that guesses sets `retry_at_is_guess` in the details.
    pub fn retry_at_is_guess(&self) -> bool {
        let guess = self.details.as_ref().and_then(|details| details.get("retry_at_is_guess"));
        guess == Some(&serde_json::Value::Bool(true))
    }

    /// The failure as a part of the details of another: without its own details, of which only the end of what the
    /// program printed to standard error is kept.
    pub(crate) fn brief(&self) -> serde_json::Map<String, serde_json::Value> {
        const STDERR: &str = "stderr_tail";
        const MOST: usize = 300;
        let mut brief = serde_json::Map::new();
        brief.insert("class".to_owned(), serde_json::json!(self.class));
        brief.insert("message".to_owned(), self.message.as_str().into());
        if let Some(stderr) = self.details.as_ref().and_then(|details| details.get(STDERR)?.as_str()) {
            let start = stderr.char_indices().rev().nth(MOST - 1).map_or(0, |(start, _)| start);
            brief.insert(STDERR.to_owned(), stderr[start..].into());
        }
        brief
    }

    /// The same with `details`.
    #[must_use]
    pub fn with_details(mut self, details: serde_json::Value) -> Self {
        self.details = Some(details);
        self
    }
}
