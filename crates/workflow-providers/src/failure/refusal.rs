//! The error of a call whose service refuses, with the time to ask again.

use jiff::Timestamp;
use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::provider::ProviderError;

use super::park::{self, Park};
use super::reason::Reason;
use super::reset::Here;

/// Why a service refuses.
#[derive(Debug)]
pub(crate) struct Refusal<'r> {
    pub(crate) reason: Reason,
    /// What a person reads.
    pub(crate) message: &'r str,
    /// What to do about it; may be empty.
    pub(crate) advice: &'r str,
    /// When the quota is refilled, if a record contains it.
    pub(crate) resets: Option<Timestamp>,
    /// Text that is not shown and may say when the quota is refilled.
    pub(crate) hint: &'r str,
}

impl Refusal<'_> {
    /// The error, whose details have the `reason`, and `retry_at` if the service is over its quota.
    pub(crate) fn error(&self, attempt: u32, here: &Here<'_>) -> ProviderError {
        let Self { reason, resets, hint, .. } = *self;
        let class = reason.class();
        let park = (class == FailureClass::RateLimited)
            .then(|| Park::new(reason, resets, &format!("{}\n{hint}", self.message), attempt, here));
        let mut message = park::shown(self.message.trim());
        let mut details = json!({ "reason": reason });
        add(&mut message, self.advice);
        if let Some(Park { until, guess }) = park {
            details["retry_at"] = until.to_string().into();
            if let Some(length) = guess {
                details["retry_at_is_guess"] = true.into();
                let next = "the service did not say until when, so the next attempt in";
                add(&mut message, &format!("{next} {length:#} is a guess"));
            }
        }
        let until = park.map(|park| park.until);
        ProviderError { until, ..ProviderError::new(class, message).with_details(details) }
    }
}

/// Adds a part of a sentence to a message, which may end with a full stop.
fn add(message: &mut String, part: &str) {
    if !part.is_empty() {
        message.truncate(message.trim_end_matches('.').len());
        message.extend(["; ", part]);
    }
}
