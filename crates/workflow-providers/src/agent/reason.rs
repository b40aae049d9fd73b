//! Why a call of an agent failed, and what that means for the engine.

use workflow_core::failure::FailureClass;

/// Why a call of an agent failed. The failure's details contain the name as `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    NotInstalled,
    /// It refuses the arguments: most likely its version differs from those that were tested.
    ArgumentsRefused,
    NotLoggedIn,
    RateLimited,
    Overloaded,
    ContextTooLong,
    Budget,
    MaxTurns,
    PermissionDenied,
    /// The service, or the agent, refuses the request.
    Refused,
    SessionUnknown,
    EmptyAnswer,
    /// Another process terminated it.
    Killed,
    /// It exited, and its stream is incomplete.
    StreamCut,
    /// It printed nothing for too long.
    Silent,
    /// Any other failure.
    Failed,
}

impl Reason {
    pub(super) fn class(self) -> FailureClass {
        match self {
            Self::NotInstalled
            | Self::ArgumentsRefused
            | Self::NotLoggedIn
            | Self::ContextTooLong
            | Self::Budget
            | Self::MaxTurns
            | Self::PermissionDenied
            | Self::Refused => FailureClass::Permanent,
            Self::RateLimited => FailureClass::RateLimited,
            Self::Silent => FailureClass::IdleTimeout,
            Self::Overloaded
            | Self::SessionUnknown
            | Self::EmptyAnswer
            | Self::Killed
            | Self::StreamCut
            | Self::Failed => FailureClass::Transient,
        }
    }

    /// The reason for an HTTP status.
    pub(super) fn of_status(status: u16, message: &str) -> Self {
        let message = message.to_lowercase();
        let too_long = ["too long", "context window", "context length", "maximum context", "too many tokens"];
        match status {
            401 | 403 => Self::NotLoggedIn,
            429 => Self::RateLimited,
            408 | 500..=599 => Self::Overloaded,
            413 => Self::ContextTooLong,
            _ if too_long.iter().any(|words| message.contains(words)) => Self::ContextTooLong,
            _ => Self::Refused,
        }
    }

    /// The reason for a message that was written for users.
    pub(super) fn of_message(message: &str) -> Self {
        if let Some(status) = status(message) {
            return Self::of_status(status, message);
        }
        let lower = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
        if says(&["usage limit", "rate limit", "rate_limit", "quota", "too many requests"]) {
            Self::RateLimited
        } else if says(&["too long", "context window", "context length", "maximum context"]) {
            Self::ContextTooLong
        } else if says(&["overloaded", "high demand", "server_error", "internal server error"]) {
            Self::Overloaded
        } else if says(&[
            "api key",
            "api_key",
            "not logged in",
            "log in",
            "login",
            "missing environment variable",
            "unauthorized",
            "authentication",
            "auth method",
        ]) {
            Self::NotLoggedIn
        } else {
            Self::Failed
        }
    }
}

/// The HTTP status that a message names.
fn status(message: &str) -> Option<u16> {
    let numbers = message.split(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != ':');
    let statuses = numbers.filter_map(|word| word.trim_matches(['.', ':']).parse().ok());
    let known = [400, 401, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529];
    statuses.into_iter().find(|status| known.contains(status))
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
        ] {
            assert_eq!(Reason::of_message(message), reason, "{message}");
        }
    }
}
