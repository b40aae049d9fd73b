//! Tests of targets of notifications, as a host offers them.

use schemars::JsonSchema;
use serde::Serialize;
use workflow_core::provider::async_trait;

use crate::error::ServiceError;

/// Sends a notice to one target; the `Notifier` of the feature `notify` does.
#[async_trait]
pub trait TestNotices: Send + Sync {
    /// Sends a test to a target, once.
    ///
    /// # Errors
    ///
    /// [`Code::NotFound`](crate::Code::NotFound) when there is no such target.
    async fn test(&self, target: &str) -> Result<TestNotice, ServiceError>;
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestNotice {
    /// The id of the notice, as the target sees it.
    pub id: String,
    /// Whether the target was told.
    pub delivered: bool,
    /// Why not, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
