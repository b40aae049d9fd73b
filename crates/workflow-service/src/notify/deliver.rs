//! How a target is told.

use std::time::Duration;

use workflow_core::provider::async_trait;

use crate::notify::notice::Notice;

/// Tells a target of something.
#[async_trait]
pub trait Deliver: Send + Sync {
    /// Delivers a notice, within about that time; soon after it the future is dropped. A notice may be delivered
    /// again if the process ends before that is recorded, or after an error: it has the same id then.
    ///
    /// # Errors
    ///
    /// [`DeliveryError`] says whether it is tried again.
    async fn deliver(&self, notice: &Notice, within: Duration) -> Result<(), DeliveryError>;
}

/// Why a notice was not delivered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct DeliveryError {
    /// What failed, for people. It goes to the log, so it must contain no secret.
    pub message: String,
    /// Whether another try may succeed.
    pub is_transient: bool,
    /// When to try again at the earliest, from now on.
    pub after: Option<Duration>,
}

impl DeliveryError {
    /// Another try may succeed.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_transient: true, after: None }
    }

    /// Another try fails as well.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_transient: false, after: None }
    }

    /// The same, not to be tried again before that time has passed.
    #[must_use]
    pub fn after(self, time: Option<Duration>) -> Self {
        Self { after: time, ..self }
    }
}
