//! A sink that logs.

use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;

/// Logs events with `tracing`, under the target `workflow_run`.
///
/// Events of the run and its stages have the level info, attempts debug, failures warn, a failed run error;
/// output has trace. Control characters in texts of providers are escaped.
#[derive(Debug, Clone, Copy, Default)]
pub struct TracingSink;

macro_rules! log {
    ($level:ident, $run:expr, $event:expr $(, $($field:tt)*)?) => {
        tracing::$level!(
            target: "workflow_run",
            run = %$run,
            seq = $event.seq,
            $($($field)*,)?
            "{}",
            $event.body.kind()
        )
    };
}

impl EventSink for TracingSink {
    fn events(&self, run: &RunId, events: &[Event]) {
        for event in events {
            match &event.body {
                EventBody::StageStarted { iteration, stage, .. }
                | EventBody::StageSkipped { iteration, stage }
                | EventBody::StageCompleted { iteration, stage, .. } => {
                    log!(info, run, event, iteration, %stage);
                }
                EventBody::NodeQueued { path, provider } => {
                    log!(debug, run, event, %path, provider = ?provider);
                }
                EventBody::AttemptStarted { path, attempt, provider, .. } => {
                    log!(debug, run, event, %path, attempt, provider = ?provider);
                }
                EventBody::ChildStarted(child) => {
                    let (path, attempt) = (&child.path, child.attempt);
                    log!(info, run, event, %path, attempt, child = %child.run, workflow = %child.workflow);
                }
                EventBody::AttemptFailed { path, attempt, error, retry_at, .. } => {
                    let retry_at = retry_at.as_deref().map(tracing::field::display);
                    log!(warn, run, event, %path, attempt, error = ?error.message, retry_at);
                }
                EventBody::SessionRecorded { path, attempt, .. }
                | EventBody::AttemptSucceeded { path, attempt, .. }
                | EventBody::AttemptCancelled { path, attempt, .. }
                | EventBody::AttemptInterrupted { path, attempt, .. } => {
                    log!(debug, run, event, %path, attempt);
                }
                EventBody::StageFailed { iteration, stage, error, continues, .. } => {
                    log!(warn, run, event, iteration, %stage, error = ?error.message, continues);
                }
                EventBody::IterationEnded { iteration, done, .. } => log!(info, run, event, iteration, done),
                EventBody::RunFailed { error } => log!(error, run, event, error = ?error.message),
                _ => log!(info, run, event),
            }
        }
    }

    fn output(&self, run: &RunId, entries: &[OutputEntry]) {
        for OutputEntry { number, path, attempt, kind, text, .. } in entries {
            tracing::trace!(target: "workflow_run", %run, number, %path, attempt, kind = ?kind, text = ?text, "output");
        }
    }
}
