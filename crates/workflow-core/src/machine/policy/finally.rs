//! The stages of `finally`: they run however the others ended, and then the run ends as it would have without them.

use crate::event::{EventBody, RunEnding};
use crate::failure::{Failure, FailureClass};
use crate::machine::policy::approval::MOST_DEATHS;
use crate::machine::policy::step::Step;
use crate::machine::state::Broken;
use crate::machine::state::budget;
use crate::status::{RunStatus, WaitReason};
use crate::store::{Control, ControlRecord};

impl Step<'_> {
    /// Ends the run with the event, or makes the stages of `finally` run before. Returns whether they can begin.
    pub(super) fn finish(&mut self, end: EventBody) -> Result<bool, Broken> {
        let state = &*self.state;
        let is_last = self.plan.finally().is_empty() || state.ending.is_some() || state.killed;
        if is_last || state.started_at.is_none() {
            self.emit(end)?;
            return Ok(false);
        }
        let none = RunEnding::new(RunStatus::Cancelled);
        let ending = match end {
            EventBody::RunCompleted { output, reason, .. } => {
                RunEnding { status: RunStatus::Completed, output, reason, ..none }
            }
            EventBody::RunFailed { error } => {
                RunEnding { status: RunStatus::Failed, error: Some(error), ..none }
            }
            _ => none,
        };
        self.emit(EventBody::RunEnding(Box::new(ending)))?;
        Ok(true)
    }

    /// The request, as it is obeyed when the stages of `finally` run. How the run ends is known then, so a cancellation only
    /// ends a pause. It still ends a fork that has not started, and a run that waits because it ends its processes.
    pub(super) fn as_ending(&self, record: ControlRecord) -> ControlRecord {
        let state = &*self.state;
        let crashes = || state.waiting.as_ref().is_some_and(|wait| wait.reason == WaitReason::Crashes);
        match record.control {
            Control::Cancel if state.ends_as().is_some() && !crashes() => {
                ControlRecord { control: Control::Resume, ..record }
            }
            _ => record,
        }
    }

    /// Begins the next stage of `finally`, or ends the run.
    pub(super) fn advance_finally(&mut self) -> Result<bool, Broken> {
        if self.state.pausing {
            self.emit(EventBody::RunPaused)?;
            return Ok(false);
        }
        let next = self.plan.finally().iter().find(|stage| !self.state.has_ended(&stage.id));
        if next.is_some() {
            return self.enter(self.state.iteration, next);
        }
        let end = self.last_event(false);
        self.emit(end)?;
        Ok(false)
    }

    /// The event that ends the run after the stages of `finally`, or because these are cut off.
    pub(super) fn last_event(&self, is_cancelled: bool) -> EventBody {
        match self.state.ending.as_ref().map(|ending| &ending.how) {
            Some(RunEnding { status: RunStatus::Failed, error: Some(error), .. }) => {
                EventBody::RunFailed { error: error.clone() }
            }
            Some(RunEnding { status: RunStatus::Completed, output, reason, .. }) if !is_cancelled => {
                let failed_stages = self.state.failed_stages.as_slice().into();
                EventBody::RunCompleted { failed_stages, output: output.clone(), reason: reason.clone() }
            }
            _ => EventBody::RunCancelled,
        }
    }

    /// The failure of a call of `finally` whose time is over.
    pub(super) fn too_late(&self) -> Option<Failure> {
        let left = budget::time_of_finally(self.plan, self.state)?;
        left.is_zero().then(|| budget::too_late(self.plan))
    }

    /// The failure of a call about which a person would be asked, as it may be what crashes its process.
    pub(super) fn dies_in_vain(&self, deaths: u32) -> Option<Failure> {
        self.state.ending.as_ref().filter(|_| deaths >= MOST_DEATHS)?;
        let message =
            format!("it was interrupted {deaths} times in a row: each time its process ended meanwhile");
        Some(Failure::new(FailureClass::Permanent, message))
    }

    /// The failure of what would ask a person: stages of `finally` do not wait.
    pub(super) fn asks_in_vain(&self) -> Option<Failure> {
        self.state.ending.as_ref()?;
        let message = "a stage of `finally` cannot wait for a person";
        Some(Failure::new(FailureClass::Permanent, message))
    }
}
