//! The facts that a store needs of a run, derived from its events when they are not stored elsewhere.

use workflow_core::event::{Event, EventBody};
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::RunHead;
use workflow_core::store::order::control_of;

/// The head of a run, and the control requests that were applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Facts {
    /// `None` before the first event.
    pub(super) head: Option<RunHead>,
    /// The highest control request that an event applies.
    pub(super) obeyed: u64,
}

impl Facts {
    /// Whether events of this type change any of the facts.
    pub(super) fn come_from(kind: &str) -> bool {
        kind.starts_with("run_") || kind.starts_with("answer") || kind.ends_with("_requested")
    }

    pub(super) fn add(&mut self, event: &Event) {
        if let Some(control) = control_of(&event.body) {
            self.obeyed = self.obeyed.max(control);
        }
        if let EventBody::RunCreated(created) = &event.body {
            self.head = Some(RunHead {
                workflow_id: created.workflow.clone(),
                bundle: created.bundle.clone(),
                status: RunStatus::Pending,
                wait: None,
                created_at: event.at,
                started_at: None,
                completed_at: None,
                error: None,
                labels: created.labels.clone(),
            });
        }
        let Some(head) = &mut self.head else { return };
        let waits = head.wait.as_ref().is_some_and(|wait| wait.reason != WaitReason::Pause);
        let status = match &event.body {
            EventBody::RunStarted => {
                head.started_at = Some(event.at);
                RunStatus::Running
            }
            EventBody::RunForked(_) => {
                head.created_at = event.at;
                head.started_at = None;
                RunStatus::Pending
            }
            EventBody::RunMigrated { hash, .. } => {
                head.bundle = hash.clone();
                return;
            }
            EventBody::RunWaiting { wait } => {
                head.status = match wait.reason {
                    WaitReason::Retry => RunStatus::Running,
                    _ => RunStatus::Paused,
                };
                head.wait = Some(Wait::clone(wait));
                return;
            }
            // These events end a wait, but not a pause.
            EventBody::Answered { .. }
            | EventBody::PauseRequested { .. }
            | EventBody::CancelRequested { .. }
                if waits =>
            {
                RunStatus::Running
            }
            EventBody::RunPaused => RunStatus::Paused,
            EventBody::RunContinued | EventBody::RunResumed { .. } => RunStatus::Running,
            EventBody::RunCompleted { .. } => RunStatus::Completed,
            EventBody::RunFailed { error } => {
                head.error = Some(error.clone());
                RunStatus::Failed
            }
            EventBody::RunCancelled => RunStatus::Cancelled,
            _ => return,
        };
        head.status = status;
        head.wait = (status == RunStatus::Paused).then(Wait::paused);
        head.completed_at = status.is_terminal().then_some(event.at);
    }
}
