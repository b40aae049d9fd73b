//! How a call fails.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::Data;
use crate::failure::{Failure, FailureClass};
use crate::usage::Usage;

/// Why a call has no reply, and what to do about it.
///
/// ```
/// use workflow_core::failure::FailureClass;
/// use workflow_core::provider::ProviderError;
///
/// let error = ProviderError::transient("the connection was reset").with_output("the text so far");
/// assert_eq!(error.failure.class, FailureClass::Transient);
/// assert_eq!(error.to_string(), "the connection was reset");
/// ```
///
/// Its JSON is a wire form, for backends in which another process makes the call: later versions read what this one
/// writes, and ignore members that they do not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{failure}")]
pub struct ProviderError {
    /// The failure as it is written to the log.
    pub failure: Box<Failure>,
    /// For [`FailureClass::RateLimited`]: when to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// For [`FailureClass::RateLimited`], where `until` is not known: in how long to try again, counted from the end
    /// of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// What the call used although it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The output of the call before it failed: what a command printed, the text of an agent so far. Later
    /// stages read it as `${stages.x.output}` where the stage has `on_failure: continue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Data>,
    /// What a person has to decide before the call can continue: see [`asks`](Self::asks).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Box<Question>>,
}

/// A question of a provider to a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The question with all that a person has to know. The same text is what the provider recognises the answer by.
    pub text: String,
    /// The JSON Schema of the answer; absent for any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Data>,
}

impl ProviderError {
    /// An error of `class`.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            failure: Box::new(Failure::new(class, message)),
            until: None,
            retry_after: None,
            usage: None,
            output: None,
            question: None,
        }
    }

    /// The call has stopped because a person has to decide something first. The attempt counts as interrupted, not as
    /// failed. The run waits for the answer, in no process's memory; then the call is made again, in its session where it
    /// has one, and finds the answer in [`CallContext::answers`](super::CallContext::answers).
    ///
    /// ```
    /// use workflow_core::provider::ProviderError;
    ///
    /// let error = ProviderError::asks("May it delete `a.rs`?", &["allow", "deny"]);
    /// assert_eq!(error.question.unwrap().text, "May it delete `a.rs`?");
    /// ```
    pub fn asks(question: impl Into<String>, choices: &[&str]) -> Self {
        let text = question.into();
        let schema = (!choices.is_empty()).then(|| Data::new(&serde_json::json!({ "enum": choices })));
        let message = format!("a person has to decide: {text}");
        Self { question: Some(Box::new(Question { text, schema })), ..Self::permanent(message) }
    }

    /// A failure that may not occur again.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Transient, message)
    }

    /// A failure that will occur again.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Permanent, message)
    }

    /// The reply did not have the required form.
    pub fn invalid_output(message: impl Into<String>) -> Self {
        Self::new(FailureClass::InvalidOutput, message)
    }

    /// The quota is used up; it is refilled at `until`, if that is known.
    pub fn rate_limited(message: impl Into<String>, until: Option<Timestamp>) -> Self {
        Self { until, ..Self::new(FailureClass::RateLimited, message) }
    }

    /// The quota is used up; it is refilled after `time`, as the header `Retry-After` of HTTP tells it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use workflow_core::provider::ProviderError;
    ///
    /// let error = ProviderError::rate_limited_in("429 Too Many Requests", Duration::from_secs(90));
    /// assert_eq!(error.retry_after, Some(Duration::from_secs(90)));
    /// ```
    pub fn rate_limited_in(message: impl Into<String>, time: Duration) -> Self {
        Self { retry_after: Some(time), ..Self::new(FailureClass::RateLimited, message) }
    }

    /// The call was told to stop and did.
    pub fn cancelled() -> Self {
        Self::new(FailureClass::Cancelled, "the call was stopped")
    }

    /// The same with `details`.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.failure.details = Some(details);
        self
    }

    /// The error with the output of the call before it failed.
    #[must_use]
    pub fn with_output(mut self, output: impl Into<Data>) -> Self {
        self.output = Some(output.into());
        self
    }
}
