//! Operations on notifications: their targets, and a test of one.

use schemars::JsonSchema;
use serde::Deserialize;
use workflow_core::catalog::Part;

use crate::caller::{Caller, Scope, Target};
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;
use crate::parts::{PartText, get, put};

pub use crate::test_notices::{TestNotice, TestNotices};

/// Reads the targets of notifications: `config/notify.yml`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GetNotifications {}

impl Operation for GetNotifications {
    const NAME: &'static str = "workflow:notifications:get";
    const SCOPE: Scope = Scope::Admin;
    const ABOUT: &'static str = "Reads the targets of notifications: the text, where it is, and its version.";
    type Response = PartText;

    fn target(&self) -> Target<'_> {
        Target::Notifications
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<PartText, ServiceError> {
        get(host, &Part::Notifications).await
    }
}

/// Adds or replaces the targets of notifications. A text with errors is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetNotifications {
    /// The new text of the file.
    pub text: String,
    /// The version that the caller read, to replace it; without one it must not exist.
    #[serde(default)]
    pub version: Option<String>,
}

impl Operation for SetNotifications {
    const NAME: &'static str = "workflow:notifications:set";
    // Who sets a command can execute anything as the host.
    const SCOPE: Scope = Scope::Admin;
    const ABOUT: &'static str = "Adds the targets of notifications, or replaces those that still have the version that the caller read.";
    type Response = PartText;

    fn target(&self) -> Target<'_> {
        Target::Notifications
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<PartText, ServiceError> {
        put(host, &Part::Notifications, &self.text, self.version).await
    }
}

/// Sends a test to one target of notifications, once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TestNotification {
    /// The name of the target.
    pub target: String,
}

impl Operation for TestNotification {
    const NAME: &'static str = "workflow:notifications:test";
    const SCOPE: Scope = Scope::Admin;
    const ABOUT: &'static str = "Sends a test to one target of notifications, and says what came of it.";
    type Response = TestNotice;

    fn target(&self) -> Target<'_> {
        Target::Notifications
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<TestNotice, ServiceError> {
        match host.notifications() {
            Some(notices) => notices.test(&self.target).await,
            None => Err(ServiceError::new(
                Code::NotSupported,
                "this host sends no notifications: start it with `--notify`, or give it a notifier",
            )),
        }
    }
}
