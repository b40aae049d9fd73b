//! Why a request has no response.

/// Why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// It must not be sent, or cannot be.
    #[error("{0}")]
    Refused(String),
    /// No connection was made: nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended before the end of the response.
    #[error("{0}")]
    Broken(String),
}
