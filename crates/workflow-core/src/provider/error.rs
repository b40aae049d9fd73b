//! How a call fails.

use std::time::Duration;

use jiff::Timestamp;
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
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{failure}")]
pub struct ProviderError {
    /// The failure as it is written to the log.
    pub failure: Box<Failure>,
    /// For [`FailureClass::RateLimited`]: when to try again.
    pub until: Option<Timestamp>,
    /// For [`FailureClass::RateLimited`], where `until` is not known: in how long to try again, counted from the end
    /// of the call.
    pub retry_after: Option<Duration>,
    /// What the call used although it failed.
    pub usage: Option<Usage>,
    /// The output of the call before it failed: what a command printed, the text of an agent so far. Later
    /// stages read it as `${stages.x.output}` where the stage has `on_failure: continue`.
    pub output: Option<Data>,
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
        }
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
