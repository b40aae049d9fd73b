//! The outcome of a control request, determined from the run's log.

use std::collections::HashSet;

use workflow_core::event::{AnswerRefusal, Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::runs::{ControlOutcome, ControlRefusal, ControlRefused, EngineError};
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, order};

use crate::log::{PAGE, first_state};
use crate::shared::Shared;

/// The message for a control request to a run that has ended.
pub(crate) fn ended(run: &RunId, status: RunStatus, control: Option<&Control>) -> ControlRefused {
    let instead = match control {
        Some(Control::Resume) => "; a fork of it is a new run that continues from any point",
        _ => "",
    };
    let reason = format!("run `{run}` has ended ({status}){instead}");
    ControlRefused::new(ControlRefusal::Ended, reason)
}

/// Reads the log of a run for the outcome of one control request.
pub(crate) struct Trail {
    number: u64,
    control: Option<Control>,
    state: Option<Box<State>>,
    pausing: bool,
    /// Whether the run waits to be resumed without being paused.
    is_resumed: bool,
    cancelling: bool,
    /// The questions that were answered.
    answered: HashSet<u64>,
    fate: Option<Result<(), ControlRefused>>,
}

impl Trail {
    pub(crate) fn new(number: u64, control: Option<Control>) -> Self {
        let (pausing, is_resumed, cancelling) = (false, false, false);
        let answered = HashSet::new();
        Self { number, control, state: None, pausing, is_resumed, cancelling, answered, fate: None }
    }

    /// Reads what was stored since the last time. Returns the outcome once there is one.
    pub(crate) async fn read(
        &mut self,
        shared: &Shared,
        run: &RunId,
    ) -> Result<Option<ControlOutcome>, EngineError> {
        loop {
            let after = self.state.as_ref().map_or(0, |state| state.last_event());
            let page = shared.store.events(run, after, PAGE).await?;
            for event in &page {
                self.take(run, event)?;
            }
            if page.len() < PAGE {
                break;
            }
        }
        let Some(state) = &self.state else { return Ok(None) };
        if self.fate.is_none() && state.status().is_terminal() {
            self.fate = Some(Err(ended(run, state.status(), self.control.as_ref())));
        }
        if self.fate.is_none() {
            self.fate = self.foresee(shared, run, state.last_control()).await?;
        }
        Ok(match &self.fate {
            None => None,
            Some(Ok(())) => Some(ControlOutcome::Done(Box::new(State::clone(state).into()))),
            Some(Err(refused)) => Some(ControlOutcome::Refused(refused.clone())),
        })
    }

    fn take(&mut self, run: &RunId, event: &Event) -> Result<(), EngineError> {
        if self.fate.is_none()
            && let Some(number) = order::control_of(&event.body)
        {
            if number == self.number {
                self.fate = Some(self.decided(event));
            } else if number > self.number {
                // The driver read it before that one, and it had no effect.
                self.fate = Some(self.passed_over());
            }
        }
        match &event.body {
            EventBody::PauseRequested { .. } => self.pausing = true,
            EventBody::RunWaiting { wait } => self.is_resumed = wait.is_resumed(),
            EventBody::RunResumed { .. } => (self.pausing, self.is_resumed) = (false, false),
            EventBody::CancelRequested { .. } => self.cancelling = true,
            EventBody::RunEnding(ending) => {
                // A cancellation also ends a pause.
                self.pausing &= ending.status != RunStatus::Cancelled;
                (self.is_resumed, self.cancelling) = (false, false);
            }
            EventBody::Answered { wait, .. } => drop(self.answered.insert(*wait)),
            _ => {}
        }
        if let Some(state) = &mut self.state {
            return state.apply(event).map_err(|source| EngineError::Broken { run: run.clone(), source });
        }
        self.state = Some(first_state(run, event)?);
        Ok(())
    }

    /// The outcome according to the event that obeys the control.
    fn decided(&self, event: &Event) -> Result<(), ControlRefused> {
        let EventBody::AnswerRefused { wait, reason, code, .. } = &event.body else { return Ok(()) };
        let code = code.unwrap_or_else(|| self.refusal_of(*wait));
        Err(match code {
            AnswerRefusal::Cancelling => cancelling(),
            _ if self.answered.contains(wait) => {
                let reason = format!("question {wait} has been answered already");
                ControlRefused::new(ControlRefusal::AlreadyAnswered, reason)
            }
            AnswerRefusal::InvalidAnswer => {
                ControlRefused::new(ControlRefusal::InvalidAnswer, reason.clone())
            }
            _ => {
                let reason = format!("the run does not ask question {wait}, or no longer asks it");
                ControlRefused::new(ControlRefusal::NoSuchQuestion, reason)
            }
        })
    }

    /// Why an answer was refused, for an event of an earlier version, which does not record the reason.
    fn refusal_of(&self, wait: u64) -> AnswerRefusal {
        let waits = self.state.as_ref().map(|state| state.waits()).unwrap_or_default();
        if self.cancelling {
            AnswerRefusal::Cancelling
        } else if waits.iter().any(|open| open.number == Some(wait)) {
            AnswerRefusal::InvalidAnswer
        } else {
            AnswerRefusal::NoSuchQuestion
        }
    }

    /// The outcome of a control that no event obeys: the run is paused, resumed or cancelled already.
    fn passed_over(&self) -> Result<(), ControlRefused> {
        match (&self.control, self.ends_as()) {
            (Some(Control::Pause | Control::Resume | Control::Signal(_)), _) if self.cancelling => {
                Err(cancelling())
            }
            (Some(Control::Cancel), Some(status)) if status != RunStatus::Cancelled => {
                let reason = format!(
                    "only its stages of `finally` are left, and it ends as {status} (`kill` stops them)"
                );
                Err(ControlRefused::new(ControlRefusal::Ending, reason))
            }
            _ => Ok(()),
        }
    }

    fn ends_as(&self) -> Option<RunStatus> {
        self.state.as_ref().and_then(|state| state.ends_as())
    }

    /// Whether the control would have no effect, if every earlier one was decided on. The log does not show
    /// such a control.
    async fn foresee(
        &self,
        shared: &Shared,
        run: &RunId,
        last: u64,
    ) -> Result<Option<Result<(), ControlRefused>>, EngineError> {
        for record in shared.store.controls(run, last).await? {
            let changes = match record.control {
                Control::Pause => !self.cancelling && !self.pausing,
                Control::Resume => !self.cancelling && (self.pausing || self.is_resumed),
                Control::Cancel if self.ends_as().is_some() => self.pausing || self.is_resumed,
                Control::Cancel | Control::Signal(_) => !self.cancelling,
                Control::ChildEnded(_) => false,
                _ => true,
            };
            if changes {
                return Ok(None);
            }
            if record.number == self.number {
                return Ok(Some(self.passed_over()));
            }
        }
        Ok(None)
    }
}

fn cancelling() -> ControlRefused {
    let reason = "the run is being cancelled".to_owned();
    ControlRefused::new(ControlRefusal::Cancelling, reason)
}
