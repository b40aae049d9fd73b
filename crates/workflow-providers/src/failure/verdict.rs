//! The reason of a failure, from the HTTP status and the message that an agent reports.
//!
//! A status in a record counts more than words, because vendors change those. Exceptions are failures for which
//! services use the status of another: they report a used-up credit as 403 or 429.

use super::reason::Reason;
use super::status;

/// Words of a service that slows requests down although no quota is used up.
const THROTTLED: &[&str] = &["temporarily limiting requests", "not your usage limit"];

const LOGIN_LOST: &[&str] = &[
    "refresh token",
    "sign in again",
    "log in again",
    "not logged in",
    "not signed in",
    "please run /login",
    "token has expired",
    "token expired",
    "authentication_error",
    "authentication_failed",
];

/// Words of a service that waits for money, whatever else it says.
const NO_CREDIT: &[&str] = &[
    "out of credits",
    "credit balance",
    "insufficient_quota",
    "insufficient credits",
    "insufficient balance",
    "insufficient funds",
    "used all available credits",
    "no credits",
    "spending limit",
    "billing_error",
    "payment required",
];

/// Words of a service that offers a larger plan: waiting may help as well, and then it says so.
const BUY: &[&str] = &["billing", "upgrade", "upgrade to", "purchase", "buy more", "add credits"];

const WAIT: &[&str] = &["try again", "retry", "wait", "resets", "reset"];

const LIMITED: &[&str] = &[
    "usage limit",
    "rate limit",
    "rate limited",
    "rate_limit",
    "rate_limit_error",
    "rate_limit_exceeded",
    "limit reached",
    "hit your limit",
    "weekly limit",
    "daily limit",
    "session limit",
    "quota",
    "resource_exhausted",
    "too many requests",
];

const TOO_LONG: &[&str] = &[
    "too long",
    "context window",
    "context length",
    "context_length_exceeded",
    "maximum context",
    "too many tokens",
];

const MAX_TOKENS: &[&str] = &[
    "max_tokens",
    "max_output_tokens",
    "maxoutputtokens",
    "output token maximum",
    "output token limit",
    "maximum output tokens",
];

const EMPTY: &[&str] =
    &["empty response", "empty answer", "no response text", "returned no answer", "empty completion"];

const OVERLOADED: &[&str] = &[
    "overloaded",
    "overloaded_error",
    "at capacity",
    "high demand",
    "server_error",
    "internal server error",
    "service unavailable",
    "temporarily unavailable",
];

const LOGIN: &[&str] = &[
    "api key",
    "api_key",
    "please log in",
    "log in to",
    "login required",
    "login --device-code",
    "missing environment variable",
    "unauthorized",
    "unauthenticated",
    "not authenticated",
    "authentication failed",
    "authentication required",
    "failed to authenticate",
    "auth method",
];

impl Reason {
    /// The reason for a message that was written for users.
    pub(crate) fn of_message(message: &str) -> Self {
        Self::of(None, message)
    }

    /// The reason for an HTTP status, if a record has it, and the message beside it.
    pub(crate) fn of(status: Option<u16>, message: &str) -> Self {
        let status = status.or_else(|| status::of_message(message));
        let lower = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| says(&lower, word));
        let is_limit = status == Some(429) || (says(LIMITED) && !says(&["disk quota"]));
        let is_error_of_server = matches!(status, Some(408 | 500..=599));
        if says(THROTTLED) {
            Self::Throttled
        } else if status == Some(402) || says(NO_CREDIT) || (is_limit && says(BUY) && !says(WAIT)) {
            Self::Billing
        } else if says(LOGIN_LOST) && !is_limit && !is_error_of_server {
            Self::NotLoggedIn
        } else if status == Some(413) || (says(TOO_LONG) && !is_limit && !is_error_of_server) {
            Self::ContextTooLong
        } else if says(MAX_TOKENS) && status.is_none() {
            Self::MaxTokens
        } else if says(EMPTY) && status.is_none() {
            Self::EmptyAnswer
        } else {
            match status {
                Some(401 | 403) => Self::NotLoggedIn,
                Some(429) => Self::RateLimited,
                Some(408 | 500..=599) => Self::Overloaded,
                Some(_) => Self::Refused,
                None if is_limit => Self::RateLimited,
                None if says(OVERLOADED) => Self::Overloaded,
                None if says(LOGIN) => Self::NotLoggedIn,
                None => Self::Failed,
            }
        }
    }
}

/// Whether `text` contains `words`, not as a part of other words.
fn says(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, _)| {
        let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !is_inside(text[..at].chars().next_back()) && !is_inside(text[at + words.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_told_apart() {
        for (message, reason) in [
            ("exceeded retry limit, last status: 429 Too Many Requests", Reason::RateLimited),
            ("unexpected status 401 Unauthorized: Incorrect API key provided", Reason::NotLoggedIn),
            ("Internal error: \"Unauthorized (401) from http://127.0.0.1:403/v1\"", Reason::NotLoggedIn),
            ("We’re currently experiencing high demand", Reason::Overloaded),
            ("Missing environment variable: `KEY`.", Reason::NotLoggedIn),
            ("You've hit your usage limit.", Reason::RateLimited),
            ("[API Error: {\"error\":{\"code\":503,\"message\":\"x\"}}]", Reason::Overloaded),
            ("API Error: 400 prompt is too long: 300000 tokens", Reason::ContextTooLong),
            ("invalid_request_error: fake error 400", Reason::Refused),
            ("it broke", Reason::Failed),
            ("the disk quota of /home is exceeded: Disk quota exceeded", Reason::Failed),
            ("cannot open the catalog in /tmp", Reason::Failed),
            ("cannot parse login.rs", Reason::Failed),
            ("the authentication test does not pass", Reason::Failed),
            ("Please log in", Reason::NotLoggedIn),
            ("the dialog in line 401 asks for 500 files", Reason::Failed),
        ] {
            assert_eq!(Reason::of_message(message), reason, "{message}");
        }
    }
}
