//! What the end of a response means.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use workflow_core::provider::{CallContext, ProviderError, Reply};
use workflow_core::usage::Usage;

use super::answer::{Answer, End, Fault};
use crate::client::{SendError, excerpt};
use crate::failure::{Here, Reason, Refusal};

/// How many bytes of a text a failure contains, and how many its message.
const EXCERPT: usize = 4 * 1024;
const LINE: usize = 1000;

/// Where a call came from, for its messages.
pub(super) struct Place<'p> {
    /// The address.
    pub(super) url: &'p str,
    pub(super) context: &'p CallContext,
    /// The price applied to what was used.
    pub(super) usage: Option<Usage>,
}

impl Place<'_> {
    /// The reply, or the failure, of a response that is complete or broke off.
    pub(super) fn judge(&self, answer: &Answer, broken: Option<&SendError>) -> Result<Reply, ProviderError> {
        let url = self.url;
        let end = match (&answer.fault, &answer.end) {
            (Some(fault), _) => return Err(self.with_text(self.fault(fault, None, None), answer)),
            (None, None) => {
                let why = broken
                    .map_or_else(|| "the stream ended before the answer".to_owned(), ToString::to_string);
                let error = self.failure(Reason::StreamCut, &format!("{url}: {why}"), "");
                return Err(self.with_text(error, answer));
            }
            (None, Some(end)) => end,
        };
        let (reason, message, advice) = match end {
            End::Complete if !answer.refusal.is_empty() => {
                (Reason::Refused, format!("the model refused: {}", self.line(&answer.refusal)), "")
            }
            End::Complete if answer.text.trim().is_empty() => {
                (Reason::EmptyAnswer, "the model returned no answer".to_owned(), "")
            }
            End::Complete => {
                return Ok(Reply { usage: self.usage.clone(), ..Reply::text(answer.text.as_str()) });
            }
            End::MaxTokens => (
                Reason::MaxTokens,
                "the answer was cut at the largest number of tokens".to_owned(),
                "ask for less, or raise `max_tokens`",
            ),
            End::ContextTooLong => (
                Reason::ContextTooLong,
                "the prompt is too long for the model".to_owned(),
                "shorten its inputs",
            ),
            End::Refused => (Reason::Refused, "the service stopped the answer by its rules".to_owned(), ""),
            End::Tool => (
                Reason::Refused,
                "the model wants to use a tool, and has none".to_owned(),
                "say so in the prompt",
            ),
        };
        Err(self.with_text(self.failure(reason, &format!("{url}: {message}"), advice), answer))
    }

    /// The failure of a response with the status of an error.
    pub(super) fn status(&self, status: u16, body: &[u8], resets: Option<Timestamp>) -> ProviderError {
        let value: Value = serde_json::from_slice(body).unwrap_or_default();
        // Some put the error into a list.
        let value = value.get(0).unwrap_or(&value);
        let mut fault = Fault::of(value.get("error").unwrap_or(value));
        if fault.message.is_empty() {
            fault.message = String::from_utf8_lossy(body).into_owned();
        }
        self.fault(&fault, Some(status), resets)
    }

    fn fault(&self, fault: &Fault, status: Option<u16>, resets: Option<Timestamp>) -> ProviderError {
        let said = self.line(&fault.message);
        let known = status.or(fault.status);
        let mut reason = Reason::of(known, &format!("{} {}", fault.kind, fault.message));
        if reason == Reason::Overloaded && resets.is_some() {
            reason = Reason::Throttled;
        }
        let mut message = match (status, known) {
            (Some(status), _) => format!("{} answered {status}", self.url),
            (None, Some(status)) => format!("{}: the stream ended with error {status}", self.url),
            (None, None) => format!("{}: the stream ended with an error", self.url),
        };
        for part in [fault.kind.as_str(), said.as_str()] {
            if !part.is_empty() {
                message.extend([": ", part]);
            }
        }
        let advice = match reason {
            Reason::NotLoggedIn => "check `key` and `base_url`",
            Reason::Billing => "see the account at the service",
            Reason::ContextTooLong => "shorten the prompt and its inputs",
            _ => "",
        };
        let here = Here { now: self.context.now(), zone: &TimeZone::UTC };
        let refusal = Refusal { reason, message: &message, advice, resets, hint: "" };
        let mut error = refusal.error(self.context.id().attempt, &here);
        if let (Some(details), Some(status)) = (&mut error.failure.details, known) {
            details["status"] = status.into();
        }
        ProviderError { usage: self.usage.clone(), ..error }
    }

    /// A failure that has no time of a reset.
    pub(super) fn failure(&self, reason: Reason, message: &str, advice: &str) -> ProviderError {
        let here = Here { now: self.context.now(), zone: &TimeZone::UTC };
        let refusal = Refusal { reason, message, advice, resets: None, hint: "" };
        ProviderError { usage: self.usage.clone(), ..refusal.error(self.context.id().attempt, &here) }
    }

    /// The error with the text so far.
    pub(super) fn with_text(&self, mut error: ProviderError, answer: &Answer) -> ProviderError {
        if answer.text.is_empty() {
            return error;
        }
        if let Some(details) = &mut error.failure.details
            && details["reason"] == serde_json::json!(Reason::MaxTokens)
        {
            details["text"] = excerpt(answer.text.as_bytes(), EXCERPT, &self.context.redactor()).into();
        }
        error.with_output(Value::String(answer.text.clone()))
    }

    fn line(&self, text: &str) -> String {
        let text = excerpt(text.as_bytes(), LINE, &self.context.redactor());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}
