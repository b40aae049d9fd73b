//! Commands: a program of the host that reads the notice as JSON.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select};
use workflow_core::provider::{ProviderError, async_trait};
use workflow_core::stop::{Stop, StopSource};
use workflow_providers::{Program, ProgramEnd};

use crate::notify::deliver::{Deliver, DeliveryError};
use crate::notify::environment::Environment;
use crate::notify::notice::Notice;

/// A command. Its arguments are those of the definition: nothing of a run gets into them.
pub(super) struct Command {
    pub command: Vec<String>,
    pub environment: Arc<Environment>,
}

#[async_trait]
impl Deliver for Command {
    async fn deliver(&self, notice: &Notice, within: Duration) -> Result<(), DeliveryError> {
        let stop = StopSource::new();
        let signal = stop.signal();
        let mut running = pin!(self.program(notice).run(&signal));
        let late = self.environment.timer.sleep(within);
        let end = match select(&mut running, late).await {
            Either::Left((end, _)) => end,
            Either::Right(_) => {
                stop.stop(Stop::Gracefully);
                running.await
            }
        };
        match end {
            Ok(ProgramEnd::Exited { code: Some(0), .. }) => Ok(()),
            Ok(ProgramEnd::Exited { code, stderr, .. }) => {
                let how =
                    code.map_or("was ended by a signal".to_owned(), |code| format!("exited with {code}"));
                let said = if stderr.is_empty() { String::new() } else { format!(": {stderr}") };
                Err(DeliveryError::transient(format!("the command {how}{said}")))
            }
            Ok(_) => Err(DeliveryError::transient(format!(
                "the command did not end within {}s, and was stopped",
                within.as_secs()
            ))),
            Err(error) => Err(failed(&error)),
        }
    }
}

impl Command {
    fn program(&self, notice: &Notice) -> Program {
        let mut program = Program::new(self.command.iter().cloned())
            .directory(&self.environment.directory)
            .env("WORKFLOW_NOTICE_ID", &notice.id)
            .env("WORKFLOW_NOTICE_TYPE", notice.kind.as_str())
            .env("WORKFLOW_NOTICE_TARGET", &notice.target)
            .stdin(notice.to_json());
        // Ids have letters, digits, `-` and `_` alone.
        if let Some(run) = &notice.run {
            program =
                program.env("WORKFLOW_RUN_ID", run.id.as_str()).env("WORKFLOW_ID", run.workflow.as_str());
        }
        program
    }
}

fn failed(error: &ProviderError) -> DeliveryError {
    let message = error.to_string();
    if error.failure.class.is_retryable() {
        DeliveryError::transient(message)
    } else {
        DeliveryError::permanent(message)
    }
}
