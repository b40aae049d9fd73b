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
    /// The credits are used up, or the plan does not contain the request: waiting does not help.
    Billing,
    RateLimited,
    /// The service slows requests down for a moment; no quota is used up.
    Throttled,
    Overloaded,
    /// No connection to the service was made.
    Unreachable,
    /// The service answered with a status that was not expected.
    Unexpected,
    ContextTooLong,
    Budget,
    MaxTurns,
    /// The answer was cut at the largest number of tokens.
    MaxTokens,
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
    pub(crate) fn class(self) -> FailureClass {
        match self {
            Self::NotInstalled
            | Self::ArgumentsRefused
            | Self::NotLoggedIn
            | Self::Billing
            | Self::ContextTooLong
            | Self::Budget
            | Self::MaxTurns
            | Self::MaxTokens
            | Self::PermissionDenied
            | Self::Refused => FailureClass::Permanent,
            Self::RateLimited | Self::Throttled => FailureClass::RateLimited,
            Self::Silent => FailureClass::IdleTimeout,
            Self::Overloaded
            | Self::Unreachable
            | Self::Unexpected
            | Self::SessionUnknown
            | Self::EmptyAnswer
            | Self::Killed
            | Self::StreamCut
            | Self::Failed => FailureClass::Transient,
        }
    }

    /// Whether the service is the cause, so that the text that says so counts wherever it stands.
    pub(crate) fn is_of_service(self) -> bool {
        matches!(
            self,
            Self::NotLoggedIn | Self::Billing | Self::RateLimited | Self::Throttled | Self::Overloaded
        )
    }
}
