//! One input on its way through the machine.

use jiff::Timestamp;

use crate::event::{Event, EventBody};
use crate::ids::NodePath;
use crate::machine::message::{Decision, Input};
use crate::machine::state::node::NodeState;
use crate::machine::state::{Broken, State};
use crate::plan::{Plan, StagePlan};
use crate::provider::ProviderError;
use crate::status::StageStatus;
use crate::stop::Stop;
use crate::store::{Control, ControlRecord};

/// One input on its way through the machine.
pub(in crate::machine) struct Step<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: &'a mut State,
    pub(super) now: Timestamp,
    /// When the call of this input ended, if the clock was set meanwhile.
    pub(super) ran_until: Option<Timestamp>,
    pub(super) decision: &'a mut Decision,
    /// The plan of the stage that is or was last under way.
    pub(super) stage: Option<&'a StagePlan>,
}

impl<'a> Step<'a> {
    pub(in crate::machine) fn new(
        plan: &'a Plan,
        state: &'a mut State,
        now: Timestamp,
        decision: &'a mut Decision,
    ) -> Self {
        let stage = state.stage_under_way(plan);
        Self { plan, state, now, ran_until: None, decision, stage }
    }

    pub(super) fn emit(&mut self, body: EventBody) -> Result<(), Broken> {
        self.decision.head_changed |= body.changes_head();
        // Put where it stays before it is applied: an event is moved once less. After an error neither counts.
        let events = &mut self.decision.events;
        events.push(Event { seq: self.state.last + 1, at: self.now, body });
        events.last().map_or(Ok(()), |event| self.state.apply(event))
    }

    /// Inlined into its one caller: an input is large, and is copied once less.
    #[inline]
    pub(in crate::machine) fn take(&mut self, input: Input) -> Result<(), Broken> {
        if self.state.status.is_terminal() {
            return Ok(());
        }
        match input {
            Input::TakenUp { controls, heard } => self.take_up(controls, heard),
            Input::Granted { path, provider } => self.grant(path, provider),
            Input::Queued { path, provider } => {
                if self.may_start(&path) && !self.has_status(&path, StageStatus::Queued) {
                    self.emit(EventBody::NodeQueued { path, provider })?;
                }
                Ok(())
            }
            Input::Refused { path, failure } => {
                self.refuse(&path, failure)?;
                self.go_on_from(&path)?;
                self.go_on_after(path.lane)
            }
            Input::Collected { path, result } => self.collected(&path, result),
            Input::Due { path } if self.call(&path).is_some() => {
                self.due(path);
                Ok(())
            }
            Input::Due { path } => self.wait_again(&path),
            Input::Finished { path, attempt, result, took } => self.finished(path, attempt, *result, took),
            Input::Interrupted { path, attempt } => {
                if self.is_running(&path, attempt) {
                    self.interrupt(path, attempt, None)?;
                    if self.state.cancelling {
                        return self.advance();
                    }
                }
                Ok(())
            }
            Input::Lost { path, attempt, heard } => self.lost(&path, attempt, heard),
            Input::Used { path, attempt, usage } => {
                self.used(path, attempt, usage);
                Ok(())
            }
            Input::Session { path, attempt, session } => {
                if self.is_running(&path, attempt) {
                    self.emit(EventBody::SessionRecorded { path, attempt, session })?;
                }
                Ok(())
            }
            Input::ChildSeen { path, attempt } => self.child_seen(&path, attempt),
            Input::ChildEnded { path, attempt, outcome } => self.child_ended(path, attempt, *outcome),
            Input::Control(record) => self.control(record),
        }
    }

    fn take_up(&mut self, controls: Vec<ControlRecord>, heard: Option<Timestamp>) -> Result<(), Broken> {
        // It is unknown when the driver died, and the time without a driver does not count as the calls'
        // time.
        let known = heard.map_or(self.state.last_at, |heard| heard.max(self.state.last_at));
        let ran_until = Some(known.min(self.now));
        for (path, attempt) in self.running() {
            self.interrupt(path, attempt, ran_until)?;
        }
        // All runs that it has started are looked at in any case.
        let requests =
            controls.into_iter().filter(|record| !matches!(record.control, Control::ChildEnded(_)));
        for control in requests {
            let control = self.as_ending(control);
            self.obey(control)?;
        }
        self.look_at_children(self.stops_children());
        if let Some(wait) = &self.state.waiting {
            if wait.until.is_none_or(|until| until > self.now) {
                return Ok(());
            }
            self.emit(EventBody::RunContinued)?;
        }
        self.state.expect_results(self.plan.stages.len());
        self.start_run()?;
        self.start_over();
        self.open()?;
        self.advance()
    }

    fn start_run(&mut self) -> Result<(), Broken> {
        let waits = self.state.pausing || self.state.cancelling || self.state.status.is_terminal();
        if waits || self.state.started_at.is_some() { Ok(()) } else { self.emit(EventBody::RunStarted) }
    }

    /// A call ended without a result that counts; it is known to have run until then, or until now.
    fn interrupt(
        &mut self,
        path: NodePath,
        attempt: u32,
        ran_until: Option<Timestamp>,
    ) -> Result<(), Broken> {
        if self.is_unwanted() {
            return self.emit(EventBody::AttemptCancelled { path, attempt, usage: None, ran_until });
        }
        let died = ran_until.is_some();
        let deaths = self.node(&path).map_or(0, NodeState::deaths) + u32::from(died);
        if let Some(failure) = self.dies_in_vain(deaths) {
            self.ran_until = ran_until;
            let error = ProviderError { failure: Box::new(failure), ..ProviderError::permanent("") };
            return self.failed(path, attempt, error);
        }
        let asks = self.asks_after_interrupt(&path, deaths);
        let retry_at = if died && !asks { self.again_after_death(&path, deaths) } else { None };
        self.emit(EventBody::AttemptInterrupted {
            path: path.clone(),
            attempt,
            usage: None,
            ran_until: ran_until.map(Box::new),
            retry_at,
        })?;
        if asks { self.ask_for_the_outcome_of(path, deaths) } else { Ok(()) }
    }

    /// The process that made a call has died, and the run continues.
    fn lost(&mut self, path: &NodePath, attempt: u32, heard: Option<Timestamp>) -> Result<(), Broken> {
        let node = self.node(path).filter(|node| node.is_running(attempt) && node.child().is_none());
        let Some(node) = node else { return Ok(()) };
        // It has run at least until the last that is known of it.
        let known = node.began().into_iter().chain(heard).max();
        let ran_until = known.map_or(self.now, |known| known.min(self.now));
        self.interrupt(path.clone(), attempt, Some(ran_until))?;
        self.warn_of_budgets()?;
        if self.may_start(path) {
            self.ask_for_place(path.clone())?;
        }
        // It may have been the last that its lane, or its item, waited for.
        self.go_on_from(path)?;
        self.go_on_after(path.lane)
    }

    fn control(&mut self, record: ControlRecord) -> Result<(), Broken> {
        let record = self.as_ending(record);
        let rested = self.state.waiting.is_some();
        let resumed = matches!(record.control, Control::Resume);
        let lane = match &record.control {
            Control::Answer(answer) => {
                let path = self.state.asks.get(&answer.wait).and_then(|ask| ask.path.as_ref());
                path.map(|path| path.lane)
            }
            Control::Signal(signal) => self.waits_for_signal(Some(&signal.name)).map(|(path, _)| path.lane),
            _ => None,
        };
        if !self.obey(record)? {
            return Ok(());
        }
        // A run that waited may just have been loaded: what else is under way in it was not resumed.
        if resumed || (rested && self.state.waiting.is_none()) {
            self.start_run()?;
            self.start_over();
            self.open()?;
        }
        // The answer, or the signal, may have ended the lane.
        match lane {
            Some(lane) => self.go_on_after(lane),
            None => self.advance(),
        }
    }

    /// Handles a control. Returns whether it has an effect.
    fn obey(&mut self, ControlRecord { number, control, by }: ControlRecord) -> Result<bool, Broken> {
        if number <= self.state.controls {
            return Ok(false);
        }
        let cancelling = self.state.cancelling;
        match control {
            Control::Pause if !cancelling && !self.state.pausing => {
                self.emit(EventBody::PauseRequested { control: number, by })?;
            }
            Control::Resume if !cancelling && self.state.can_be_resumed() => {
                self.emit(EventBody::RunResumed { control: number, by })?;
            }
            Control::Cancel if !cancelling => {
                self.emit(EventBody::CancelRequested { control: number, at_once: false, by })?;
                self.stop_running(Stop::Gracefully);
            }
            Control::Answer(answer) => self.answer(number, answer, by)?,
            Control::Signal(signal) if !cancelling => self.signal(number, signal, by)?,
            Control::ChildEnded(run) => {
                self.look_at_child(&run);
                return Ok(false);
            }
            Control::Kill => {
                self.emit(EventBody::CancelRequested { control: number, at_once: true, by })?;
                self.stop_running(Stop::AtOnce);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}
