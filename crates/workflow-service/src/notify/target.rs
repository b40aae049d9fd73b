//! The targets: those of the host, and those of `config/notify.yml`.

use std::sync::Arc;
use std::time::Duration;

use workflow_core::definition::{NoticeKind, NotifyChannel, NotifyTarget, Period};
use workflow_core::ids::WorkflowId;

use crate::notify::deliver::Deliver;
use crate::notify::environment::Environment;
use crate::notify::pick::Picked;
use crate::notify::webhook::Webhook;

/// How long a delivery may take unless the target says otherwise.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// A target.
#[derive(Clone)]
pub(super) struct Target {
    pub name: String,
    pub on: Vec<NoticeKind>,
    pub workflows: Vec<WorkflowId>,
    pub timeout: Duration,
    pub channel: Arc<dyn Deliver>,
}

impl Target {
    /// Whether the target is told of that.
    pub(super) fn wants(&self, picked: &Picked) -> bool {
        self.on.contains(&picked.kind)
            && (self.workflows.is_empty() || self.workflows.contains(&picked.run.workflow))
    }
}

/// A target of a definition.
pub(super) fn defined(name: &str, target: &NotifyTarget, environment: &Arc<Environment>) -> Target {
    let channel: Arc<dyn Deliver> = match &target.channel {
        NotifyChannel::Webhook { url, secret_env, allow_loopback } => Arc::new(Webhook {
            url: url.clone(),
            secret_env: secret_env.clone(),
            allow_loopback: *allow_loopback,
            environment: environment.clone(),
        }),
        #[cfg(all(unix, feature = "notify-command"))]
        NotifyChannel::Command(command) => Arc::new(crate::notify::command::Command {
            command: command.clone(),
            environment: environment.clone(),
        }),
        #[cfg(not(all(unix, feature = "notify-command")))]
        NotifyChannel::Command(_) => Arc::new(NoCommands),
    };
    Target {
        name: name.to_owned(),
        on: target.on.clone(),
        workflows: target.workflows.clone(),
        timeout: target.timeout.map_or(TIMEOUT, |Period(time)| time),
        channel,
    }
}

/// A command where there are none.
#[cfg(not(all(unix, feature = "notify-command")))]
struct NoCommands;

#[cfg(not(all(unix, feature = "notify-command")))]
#[workflow_core::provider::async_trait]
impl Deliver for NoCommands {
    async fn deliver(
        &self,
        _: &crate::notify::notice::Notice,
        _: Duration,
    ) -> Result<(), crate::notify::deliver::DeliveryError> {
        Err(crate::notify::deliver::DeliveryError::permanent(
            "this host was built without commands as targets: use a webhook, or build it with the feature `notify-command`",
        ))
    }
}
