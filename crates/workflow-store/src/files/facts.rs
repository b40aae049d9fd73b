//! The facts that a store needs of a run, derived from its events when they are not stored elsewhere.

use std::sync::Arc;

use workflow_core::event::{Event, EventBody};
use workflow_core::machine::State;
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::order::control_of;
use workflow_core::store::{RunHead, StoreError};

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

    /// Whether the head has to be exact: that of a run that waits or has ended.
    pub(super) fn rests(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.status.is_terminal() || head.wait.is_some())
    }

    /// Takes over what only the whole log tells of how far the run is and what it waits for. `events` reads on from the
    /// event of a number. A log that is not of an engine tells nothing more.
    pub(super) fn refine(
        &mut self,
        mut events: impl FnMut(u64) -> Result<Vec<Event>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut state: Option<State> = None;
        loop {
            let page = events(state.as_ref().map_or(0, State::last_event))?;
            if page.is_empty() {
                break;
            }
            for event in &page {
                let applied = match &mut state {
                    Some(state) => state.apply(event),
                    None => State::first(event).map(|first| state = Some(first)),
                };
                if applied.is_err() {
                    return Ok(());
                }
            }
        }
        if let Some((state, head)) = state.zip(self.head.as_mut())
            && state.status() == head.status
        {
            (head.wait, head.progress) = (state.wait(), state.progress().map(Arc::new));
        }
        Ok(())
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
                forked_from: None,
                started_by: created.by.clone(),
                stopped_by: None,
                progress: None,
                slot: created.slot.clone(),
                priority: created.priority,
                parent: created.parent.clone(),
            });
        }
        let Some(head) = &mut self.head else { return };
        match &event.body {
            EventBody::PauseRequested { by, .. } | EventBody::CancelRequested { by, .. } => {
                head.stopped_by.clone_from(by);
            }
            EventBody::RunResumed { .. } | EventBody::RunCompleted { .. } | EventBody::RunFailed { .. } => {
                head.stopped_by = None;
            }
            _ => {}
        }
        let waits = head.wait.as_ref().is_some_and(|wait| wait.reason != WaitReason::Pause);
        let status = match &event.body {
            EventBody::RunStarted => {
                head.started_at = Some(event.at);
                RunStatus::Running
            }
            EventBody::RunForked(forked) => {
                head.forked_from = Some(forked.from.clone());
                head.started_by.clone_from(&forked.by);
                head.created_at = event.at;
                head.started_at = None;
                RunStatus::Pending
            }
            EventBody::RunMigrated { hash, .. } => {
                head.bundle = hash.clone();
                return;
            }
            EventBody::RunWaiting { wait } => {
                head.status = wait.reason.status();
                let mut wait = wait.clone();
                wait.since = Some(event.at);
                head.wait = Some(wait);
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
            EventBody::RunContinued | EventBody::RunResumed { .. } | EventBody::RunEnding(_) => {
                RunStatus::Running
            }
            EventBody::RunCompleted { .. } => RunStatus::Completed,
            EventBody::RunFailed { error } => {
                head.error = Some(error.clone());
                RunStatus::Failed
            }
            EventBody::RunCancelled => RunStatus::Cancelled,
            _ => return,
        };
        head.status = status;
        head.wait = (status == RunStatus::Paused).then(|| {
            let mut wait = Box::new(Wait::paused());
            wait.since = Some(event.at);
            wait
        });
        head.completed_at = status.is_terminal().then_some(event.at);
    }
}
