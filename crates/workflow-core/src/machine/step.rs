//! All policy: what follows from what.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::finish::Verdict;
use super::io::{Decision, Effect, Input};
use super::lanes::{is_closed, open_lanes, path_of};
use super::state::{Broken, Current, LaneState, Position, StageResult, State};
use super::{backoff, document, finish, render};
use crate::definition::{Exhausted, OnFailure};
use crate::event::{Event, EventBody};
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, StageId};
use crate::plan::{Plan, StagePlan, Strategy};
use crate::provider::{ProviderError, Reply};
use crate::status::{RunStatus, StageStatus};
use crate::stop::Stop;
use crate::store::{Control, ControlRecord};

/// One input on its way through the machine.
pub(super) struct Step<'a> {
    plan: &'a Plan,
    state: &'a mut State,
    now: Timestamp,
    decision: &'a mut Decision,
    /// The plan of the stage that is or was last under way.
    stage: Option<&'a StagePlan>,
}

impl<'a> Step<'a> {
    pub(super) fn new(
        plan: &'a Plan,
        state: &'a mut State,
        now: Timestamp,
        decision: &'a mut Decision,
    ) -> Self {
        let stage = match &state.position {
            Position::In(current) => plan.stage(&current.stage),
            _ => None,
        };
        Self { plan, state, now, decision, stage }
    }

    fn emit(&mut self, body: EventBody) -> Result<(), Broken> {
        self.decision.head_changed |= body.changes_head();
        let event = Event { seq: self.state.last + 1, at: self.now, body };
        self.state.apply(&event)?;
        self.decision.events.push(event);
        Ok(())
    }

    pub(super) fn take(&mut self, input: Input) -> Result<(), Broken> {
        if self.state.status.is_terminal() {
            return Ok(());
        }
        match input {
            Input::TakenUp { controls } => self.take_up(controls),
            Input::Granted { path, provider } => self.grant(path, provider),
            Input::Queued { path, provider } => {
                if self.may_start(&path) && !self.has_status(&path, StageStatus::Queued) {
                    self.emit(EventBody::NodeQueued { path, provider })?;
                }
                Ok(())
            }
            Input::Refused { path, failure } => {
                self.refuse(path, failure)?;
                self.advance()
            }
            Input::Due { path } => {
                self.due(path);
                Ok(())
            }
            Input::Finished { path, attempt, result } => self.finished(path, attempt, result),
            Input::Interrupted { path, attempt } => {
                if self.is_running(&path, attempt) {
                    self.interrupt(path, attempt)?;
                    if self.state.cancelling {
                        return self.advance();
                    }
                }
                Ok(())
            }
            Input::Session { path, attempt, session } => {
                if self.is_running(&path, attempt) {
                    self.emit(EventBody::SessionRecorded { path, attempt, session })?;
                }
                Ok(())
            }
            Input::Control(record) => self.control(record),
        }
    }

    fn take_up(&mut self, controls: Vec<ControlRecord>) -> Result<(), Broken> {
        for (path, attempt) in self.running() {
            self.interrupt(path, attempt)?;
        }
        for control in controls {
            self.obey(control)?;
        }
        self.open()?;
        self.advance()
    }

    /// A call ended without a result that counts.
    fn interrupt(&mut self, path: NodePath, attempt: u32) -> Result<(), Broken> {
        if self.is_unwanted() {
            self.emit(EventBody::AttemptCancelled { path, attempt })
        } else {
            self.emit(EventBody::AttemptInterrupted { path, attempt })
        }
    }

    fn grant(&mut self, path: NodePath, provider: Arc<str>) -> Result<(), Broken> {
        let early = self.lane(&path).and_then(|lane| lane.retry_at).is_some_and(|at| at > self.now);
        if early || !self.may_start(&path) {
            return Ok(());
        }
        let attempt = self.lane(&path).map_or(0, |lane| lane.attempt) + 1;
        let role = self.stage.and_then(|stage| stage.lanes.get(path.lane as usize)?.role.clone());
        let body =
            EventBody::AttemptStarted { path: path.clone(), attempt, provider: provider.clone(), role };
        self.emit(body)?;
        self.decision.effects.push(Effect::Call { path, attempt, provider });
        Ok(())
    }

    fn refuse(&mut self, path: NodePath, failure: Failure) -> Result<(), Broken> {
        if !self.may_start(&path) {
            return Ok(());
        }
        let attempt = self.lane(&path).map_or(0, |lane| lane.attempt) + 1;
        let error = Arc::new(failure);
        let body =
            EventBody::AttemptFailed { path, attempt, error, retry_at: None, parked: false, usage: None };
        self.emit(body)
    }

    fn due(&mut self, path: NodePath) {
        if !self.may_start(&path) {
            return;
        }
        let retry_at = self.lane(&path).and_then(|lane| lane.retry_at);
        let Some(at) = retry_at else { return };
        if at > self.now {
            self.decision.effects.push(Effect::Timer { path, at });
        } else if let Some(provider) = self.lane(&path).and_then(|lane| lane.provider.clone()) {
            self.decision.effects.push(Effect::Acquire { path, provider });
        }
    }

    fn finished(
        &mut self,
        path: NodePath,
        attempt: u32,
        result: Result<Reply, ProviderError>,
    ) -> Result<(), Broken> {
        if !self.is_running(&path, attempt) {
            return Ok(());
        }
        match result {
            Ok(reply) => self.succeeded(path, attempt, reply)?,
            Err(error) => self.failed(path, attempt, error)?,
        }
        self.advance()
    }

    fn succeeded(&mut self, path: NodePath, attempt: u32, reply: Reply) -> Result<(), Broken> {
        if let Some(session) = reply.session
            && self.lane(&path).and_then(|lane| lane.session.as_deref()) != Some(&*session)
        {
            let path = path.clone();
            self.emit(EventBody::SessionRecorded { path, attempt, session: session.into() })?;
        }
        let usage = reply.usage.map(Box::new);
        self.emit(EventBody::AttemptSucceeded { path, attempt, output: reply.output, usage })?;
        match self.current() {
            Some((stage, _)) if stage.strategy == Strategy::Sequential => self.open()?,
            Some((stage, current)) if stage.strategy == Strategy::Race && current.succeeded == 1 => {
                self.stop_running(Stop::Gracefully);
            }
            _ => {}
        }
        Ok(())
    }

    fn failed(&mut self, path: NodePath, attempt: u32, error: ProviderError) -> Result<(), Broken> {
        if self.is_unwanted() {
            return self.emit(EventBody::AttemptCancelled { path, attempt });
        }
        let mut failure = *error.failure;
        if failure.class == FailureClass::Cancelled {
            failure.class = FailureClass::Transient;
            failure.message = format!("stopped by something other than the run: {}", failure.message);
        }
        let parked_until = error.until.filter(|_| failure.class == FailureClass::RateLimited);
        let retry_at = self.retry_at(&path, &failure, parked_until);
        let parked = retry_at.is_some() && parked_until.is_some();
        let usage = error.usage.map(Box::new);
        let body = EventBody::AttemptFailed {
            path: path.clone(),
            attempt,
            error: Arc::new(failure),
            retry_at,
            parked,
            usage,
        };
        self.emit(body)?;
        if let Some(at) = retry_at {
            self.decision.effects.push(Effect::Timer { path, at });
        }
        Ok(())
    }

    fn retry_at(&self, path: &NodePath, failure: &Failure, parked: Option<Timestamp>) -> Option<Timestamp> {
        let (stage, current) = self.current()?;
        if is_closed(stage.strategy, current) {
            return None;
        }
        if let Some(until) = parked {
            // A quota that was refilled in the past is asked for again after a moment.
            return Some(until.max(later(self.now, Duration::from_secs(1))));
        }
        let failures = current.lanes.get(path.lane as usize).map_or(0, |lane| lane.failures) + 1;
        let retries = self.on_failure(stage) == OnFailure::Retry && failure.class.is_retryable();
        if !retries || failures > stage.retries {
            return None;
        }
        let delay = backoff::delay(stage.backoff, failures, self.state.created.seed, path);
        Some(later(self.now, delay))
    }

    fn control(&mut self, record: ControlRecord) -> Result<(), Broken> {
        let resumed = record.control == Control::Resume;
        if !self.obey(record)? {
            return Ok(());
        }
        if resumed {
            self.open()?;
        }
        self.advance()
    }

    /// Takes a control in. Tells whether it changes anything.
    fn obey(&mut self, ControlRecord { number, control }: ControlRecord) -> Result<bool, Broken> {
        if number <= self.state.controls {
            return Ok(false);
        }
        let cancelling = self.state.cancelling;
        match control {
            Control::Pause if !cancelling && !self.state.pausing => {
                self.emit(EventBody::PauseRequested { control: number })?;
            }
            Control::Resume if !cancelling && self.state.pausing => {
                self.emit(EventBody::RunResumed { control: number })?;
            }
            Control::Cancel if !cancelling => {
                self.emit(EventBody::CancelRequested { control: number, at_once: false })?;
                self.stop_running(Stop::Gracefully);
            }
            Control::Kill => {
                self.emit(EventBody::CancelRequested { control: number, at_once: true })?;
                self.stop_running(Stop::AtOnce);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Goes as far as the run goes without anybody's help.
    fn advance(&mut self) -> Result<(), Broken> {
        loop {
            if self.state.cancelling {
                if self.running_count() == 0 && !self.state.status.is_terminal() {
                    self.emit(EventBody::RunCancelled)?;
                }
                return Ok(());
            }
            if self.state.status.is_terminal() || self.state.status == RunStatus::Paused {
                return Ok(());
            }
            let going_on = match &self.state.position {
                Position::In(_) => self.advance_stage()?,
                Position::After(_, Some(error)) => {
                    let error = error.clone();
                    self.emit(EventBody::RunFailed { error })?;
                    false
                }
                Position::Between { next: None, done } => {
                    let done = *done;
                    self.end_loop(done)?;
                    false
                }
                _ if self.state.pausing => {
                    self.emit(EventBody::RunPaused)?;
                    false
                }
                Position::Start => {
                    if self.state.started_at.is_none() {
                        self.emit(EventBody::RunStarted)?;
                    }
                    self.enter(1, self.plan.stages.first())?
                }
                Position::After(stage, None) => {
                    let stage = stage.clone();
                    match self.plan.after(&stage) {
                        Some(next) => self.enter(self.state.iteration, Some(next))?,
                        None => self.end_iteration(&stage)?,
                    }
                }
                Position::Between { next: Some(stage), .. } => {
                    let stage = self.plan.stage(&stage.clone());
                    self.enter(self.state.iteration + 1, stage)?
                }
            };
            if !going_on {
                return Ok(());
            }
        }
    }

    /// Ends the current stage if its lanes say so.
    fn advance_stage(&mut self) -> Result<bool, Broken> {
        let Some((stage, current)) = self.current() else { return Err(self.broken("unknown stage")) };
        let iteration = self.state.iteration;
        let id = stage.id.clone();
        let verdict = finish::verdict(stage, current);
        let verdict = match verdict {
            Verdict::Completed(output_of) => match render::set(self.state, stage, current, output_of) {
                Ok(set) => {
                    self.emit(EventBody::StageCompleted { iteration, stage: id, output_of, set })?;
                    return Ok(true);
                }
                Err(failure) => Verdict::Failed(Arc::new(failure)),
            },
            other => other,
        };
        if let Verdict::Failed(error) = verdict {
            let continues = self.on_failure(stage) == OnFailure::Continue;
            self.emit(EventBody::StageFailed { iteration, stage: id, error, continues })?;
            return Ok(true);
        }
        if self.state.pausing && self.running_count() == 0 {
            self.emit(EventBody::RunPaused)?;
        }
        Ok(false)
    }

    fn enter(&mut self, iteration: u32, stage: Option<&'a StagePlan>) -> Result<bool, Broken> {
        let Some(stage) = stage else { return Err(self.broken("unknown stage")) };
        let id = stage.id.clone();
        let wanted = match &stage.when {
            Some(when) => when.eval(&document::of(self.state, iteration)),
            None => true,
        };
        if !wanted {
            self.emit(EventBody::StageSkipped { iteration, stage: id })?;
            return Ok(true);
        }
        let lanes = u32::try_from(stage.lanes.len()).unwrap_or(u32::MAX);
        self.stage = Some(stage);
        self.emit(EventBody::StageStarted { iteration, stage: id, lanes })?;
        self.open()?;
        // A lane that was refused can have ended the stage already.
        Ok(self.current().is_some_and(|(_, current)| current.failed > 0))
    }

    fn end_iteration(&mut self, last: &StageId) -> Result<bool, Broken> {
        let Some(repeat) = &self.plan.repeat else {
            let failed_stages = self.state.failed_stages.clone();
            self.emit(EventBody::RunCompleted { failed_stages })?;
            return Ok(false);
        };
        let iteration = self.state.iteration;
        let output = self
            .state
            .results
            .get(last)
            .filter(|result| result.iteration == iteration && result.status == StageStatus::Completed)
            .and_then(StageResult::output);
        let value = output.map(|output| output.value());
        let done = value.as_ref().is_some_and(|value| repeat.stop_when.eval(value));
        let ends = done && iteration >= self.plan.min_iterations;
        let next = if ends || iteration >= repeat.max_iters {
            None
        } else {
            let recommended = value.as_ref().and_then(|value| value.get("recommended_next_stage")?.as_str());
            let recommended = recommended.and_then(|name| StageId::new(name).ok());
            let known = recommended.filter(|stage| self.plan.stage(stage).is_some());
            Some(known.unwrap_or_else(|| repeat.fallback.clone()))
        };
        self.emit(EventBody::IterationEnded { iteration, done, next })?;
        Ok(true)
    }

    fn end_loop(&mut self, done: bool) -> Result<(), Broken> {
        let fails = self.plan.repeat.as_ref().is_some_and(|repeat| repeat.on_exhausted == Exhausted::Fail);
        if done || !fails {
            let failed_stages = self.state.failed_stages.clone();
            return self.emit(EventBody::RunCompleted { failed_stages });
        }
        let message =
            format!("loop exhausted: `stop_when` was not met in {} iterations", self.state.iteration);
        let error = Arc::new(Failure::new(FailureClass::LoopExhausted, message));
        self.emit(EventBody::RunFailed { error })
    }

    /// Asks for what the open lanes of the current stage need.
    fn open(&mut self) -> Result<(), Broken> {
        if self.state.pausing || self.state.cancelling {
            return Ok(());
        }
        let Some(stage) = self.stage else { return Ok(()) };
        let mut refused = Vec::new();
        open_lanes(self.plan, stage, self.state, &mut self.decision.effects, &mut refused);
        for input in refused {
            if let Input::Refused { path, failure } = input {
                self.refuse(path, failure)?;
            }
        }
        Ok(())
    }

    fn stop_running(&mut self, how: Stop) {
        for (path, _) in self.running() {
            self.decision.effects.push(Effect::Stop { path, how });
        }
    }

    fn on_failure(&self, stage: &StagePlan) -> OnFailure {
        self.state.created.on_failure.unwrap_or(stage.on_failure)
    }

    fn current(&self) -> Option<(&'a StagePlan, &Current)> {
        match &self.state.position {
            Position::In(current) => Some((self.stage?, current)),
            _ => None,
        }
    }

    fn lane(&self, path: &NodePath) -> Option<&LaneState> {
        let (stage, current) = self.current()?;
        let here = stage.id == path.stage && self.state.iteration == path.iteration;
        current.lanes.get(path.lane as usize).filter(|_| here)
    }

    fn has_status(&self, path: &NodePath, status: StageStatus) -> bool {
        self.lane(path).is_some_and(|lane| lane.status == status)
    }

    fn is_running(&self, path: &NodePath, attempt: u32) -> bool {
        self.lane(path).is_some_and(|lane| lane.status == StageStatus::Running && lane.attempt == attempt)
    }

    /// Whether the node belongs to the stage under way, has not begun its next attempt, and nothing
    /// keeps it from it.
    fn may_start(&self, path: &NodePath) -> bool {
        if self.state.pausing || self.state.cancelling || self.state.status == RunStatus::Paused {
            return false;
        }
        let Some((stage, current)) = self.current() else { return false };
        stage.id == path.stage
            && self.state.iteration == path.iteration
            && path.node == self.plan.node
            && (path.lane as usize) < stage.lanes.len()
            && !is_closed(stage.strategy, current)
            && current.lanes.get(path.lane as usize).is_none_or(|lane| {
                matches!(lane.status, StageStatus::Pending | StageStatus::Queued | StageStatus::Retrying)
            })
    }

    /// Whether results of running calls no longer count.
    fn is_unwanted(&self) -> bool {
        let lost = |(stage, current): (&StagePlan, &Current)| {
            stage.strategy == Strategy::Race && current.succeeded > 0
        };
        self.state.cancelling || self.current().is_some_and(lost)
    }

    fn running_count(&self) -> u32 {
        self.current().map_or(0, |(_, current)| current.running)
    }

    fn running(&self) -> Vec<(NodePath, u32)> {
        let Some((stage, current)) = self.current() else { return Vec::new() };
        (0u32..)
            .zip(&current.lanes)
            .filter(|(_, lane)| lane.status == StageStatus::Running)
            .map(|(number, lane)| (path_of(self.plan, self.state, &stage.id, number), lane.attempt))
            .collect()
    }

    fn broken(&self, reason: &'static str) -> Broken {
        Broken { seq: self.state.last, kind: "state", reason }
    }
}

fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}
