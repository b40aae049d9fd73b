//! `--notify`: tells the targets of `config/notify.yml` what happens to the runs of the store.
//!
//! Only where the user asks for it: a home that came with a checkout may have commands as targets, and must not execute
//! anything by being served.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::channel::oneshot;
use tokio::runtime::{Builder, Runtime};
use workflow_core::catalog::{Catalog as _, Part};
use workflow_core::definition::{Diagnostic, NotifyChannel, parse_notifications};
use workflow_service::notify::Notifier;
use workflow_store::FsCatalog;

use crate::error::Error;
use crate::print;

/// How long deliveries that are under way may take when the program stops.
const GRACE: Duration = Duration::from_secs(10);

/// A notifier that runs on threads of its own until it is dropped.
pub(crate) struct Notifying {
    runtime: Option<Runtime>,
    stop: Option<oneshot::Sender<()>>,
    ended: Option<std::sync::mpsc::Receiver<()>>,
}

impl Notifying {
    /// Starts the notifier, unless its targets have errors.
    pub(crate) async fn start(notifier: Notifier, catalog: &Arc<FsCatalog>) -> Result<Self, Error> {
        check(catalog).await?;
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(Error::System)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let (end, ended) = std::sync::mpsc::channel();
        runtime.spawn(async move {
            notifier.run(stopped.map(|_| ())).await;
            // The program may be gone.
            let _ = end.send(());
        });
        Ok(Self { runtime: Some(runtime), stop: Some(stop), ended: Some(ended) })
    }
}

impl Drop for Notifying {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(ended) = self.ended.take() {
            // What is not delivered by then, another process delivers later.
            let _ = ended.recv_timeout(GRACE);
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Refuses targets with errors, and secrets that are not set; says so if there are no targets yet.
async fn check(catalog: &FsCatalog) -> Result<(), Error> {
    let Some(text) = catalog.part(&Part::Notifications).await? else {
        print::to_stderr("no target is told anything yet: `config/notify.yml` of the home does not exist");
        return Ok(());
    };
    let parsed = parse_notifications(text.text.as_bytes());
    for found in &parsed.diagnostics {
        let Diagnostic { line, column, .. } = found;
        let level = if found.is_error() { "error" } else { "warning" };
        print::to_stderr(&format!("{}:{line}:{column}: {level}: {}", text.origin, found.message));
    }
    let Some(notifications) = parsed.notifications else {
        return Err(Error::Refused(format!(
            "{} has errors: correct them, or leave out `--notify`",
            text.origin
        )));
    };
    for (name, target) in &notifications.targets {
        if let NotifyChannel::Webhook { secret_env, .. } = &target.channel
            && std::env::var_os(secret_env).is_none()
        {
            return Err(Error::Refused(format!(
                "{}: the target `{name}` needs a secret: set the environment variable {secret_env}",
                text.origin
            )));
        }
    }
    Ok(())
}
