//! All policy: what follows from what.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::json;

use super::ask::{Said, rejected};
use super::document::{self, Parts};
use super::finish::Verdict;
use super::io::{Decision, Effect, Input};
use super::lane::{LaneState, NodeState};
use super::lanes::{self, is_closed};
use super::scope::RunScope;
use super::state::{Broken, Current, Position, StageResult, State};
use super::work::Derived;
use super::{finish, render};
use crate::data::Data;
use crate::definition::{Exhausted, OnFailure};
use crate::event::{Event, EventBody};
use crate::failure::{Failure, FailureClass};
use crate::ids::{NodePath, NodePathParts, StageId};
use crate::plan::{LanePlan, Plan, StagePlan, Strategy, Work};
use crate::provider::Reply;
use crate::status::{StageStatus, Wait};
use crate::stop::Stop;
use crate::store::{Control, ControlRecord};

/// One input on its way through the machine.
pub(super) struct Step<'a> {
    pub(super) plan: &'a Plan,
    pub(super) state: &'a mut State,
    pub(super) now: Timestamp,
    /// When the call that this is about ended, where the clock was set meanwhile.
    pub(super) ran_until: Option<Timestamp>,
    pub(super) decision: &'a mut Decision,
    /// The plan of the stage that is or was last under way.
    pub(super) stage: Option<&'a StagePlan>,
}

impl<'a> Step<'a> {
    pub(super) fn new(
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
            Input::TakenUp { controls, heard } => self.take_up(controls, heard),
            Input::Granted { path, provider } => self.grant(path, provider),
            Input::Queued { path, provider } => {
                if self.may_start(&path) && !self.has_status(&path, StageStatus::Queued) {
                    self.emit(EventBody::NodeQueued { path, provider })?;
                }
                Ok(())
            }
            Input::Refused { path, failure } => {
                self.refuse(path.clone(), failure)?;
                self.go_on(path.lane)?;
                self.advance()
            }
            Input::Collected { path, result } => self.collected(&path, result),
            Input::Due { path } => {
                self.due(path);
                Ok(())
            }
            Input::Finished { path, attempt, result, took } => self.finished(path, attempt, result, took),
            Input::Interrupted { path, attempt } => {
                if self.is_running(&path, attempt) {
                    self.interrupt(path, attempt, None)?;
                    if self.state.cancelling {
                        return self.advance();
                    }
                }
                Ok(())
            }
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
            Input::Control(record) => self.control(record),
        }
    }

    fn take_up(&mut self, controls: Vec<ControlRecord>, heard: Option<Timestamp>) -> Result<(), Broken> {
        // Nobody knows when the driver died, and how long nobody drove the run is not the calls' time.
        let known = heard.map_or(self.state.last_at, |heard| heard.max(self.state.last_at));
        let ran_until = Some(known.min(self.now));
        for (path, attempt) in self.running() {
            self.interrupt(path, attempt, ran_until)?;
        }
        for control in controls {
            self.obey(control)?;
        }
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
        let asks = self.asks_after_interrupt(&path, deaths);
        let retry_at = if died && !asks { self.again_after_death(&path, deaths) } else { None };
        self.emit(EventBody::AttemptInterrupted { path: path.clone(), attempt, ran_until, retry_at })?;
        if asks { self.ask_what_became_of(path, deaths) } else { Ok(()) }
    }

    fn control(&mut self, record: ControlRecord) -> Result<(), Broken> {
        let resumed = matches!(record.control, Control::Resume);
        let answered = match &record.control {
            Control::Answer(answer) => self.state.asks.get(&answer.wait).and_then(|ask| ask.path.as_ref()),
            _ => None,
        };
        let lane = answered.map(|path| path.lane);
        if !self.obey(record)? {
            return Ok(());
        }
        if resumed {
            self.start_run()?;
            self.start_over();
            self.open()?;
        }
        // The lane may have ended with the answer.
        match lane {
            Some(lane) => self.go_on_after(lane),
            None => self.advance(),
        }
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
            Control::Resume if !cancelling && self.state.can_be_resumed() => {
                self.emit(EventBody::RunResumed { control: number })?;
            }
            Control::Cancel if !cancelling => {
                self.emit(EventBody::CancelRequested { control: number, at_once: false })?;
                self.stop_running(Stop::Gracefully);
            }
            Control::Answer(answer) => self.answer(number, answer)?,
            Control::Kill => {
                self.emit(EventBody::CancelRequested { control: number, at_once: true })?;
                self.stop_running(Stop::AtOnce);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Goes as far as the run goes without anybody's help.
    pub(super) fn advance(&mut self) -> Result<(), Broken> {
        loop {
            if self.state.cancelling {
                if self.running_count() == 0 && !self.state.status.is_terminal() {
                    self.emit(EventBody::RunCancelled)?;
                }
                return Ok(());
            }
            if self.state.rests() {
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
                Position::Asked { iteration, stage, said } => {
                    let (iteration, stage, said) = (*iteration, stage.clone(), said.clone());
                    self.after_asking(iteration, &stage, said)?
                }
                Position::Start => self.enter(1, self.plan.stages.first())?,
                Position::After(stage, None) => {
                    let ended = match self.stage {
                        Some(last) if last.id == *stage => Some(last),
                        _ => self.plan.stage(stage),
                    };
                    let mut to_come =
                        ended.and_then(|stage| self.plan.stages.get(stage.place + 1..)).into_iter().flatten();
                    // A run that was moved can have been through a stage that now comes after this one.
                    if let Some(next) = to_come.find(|next| !self.state.has_ended(&next.id)) {
                        self.enter(self.state.iteration, Some(next))?
                    } else {
                        let stage = stage.clone();
                        self.end_iteration(&stage)?
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
            Verdict::Completed(output_of) => match self.stage_set(stage, current, output_of) {
                Ok(set) => {
                    self.emit(EventBody::StageCompleted { iteration, stage: id, output_of, set })?;
                    return Ok(true);
                }
                Err(failure) => Verdict::Failed(Arc::new(failure)),
            },
            other => other,
        };
        if let Verdict::Failed(error) = verdict {
            let continues = self.on_failure(stage) == OnFailure::Continue && !self.is_run_over_budget();
            let repeated = if continues { self.repeated(&id, &error) } else { None };
            let continues = continues && repeated.is_none();
            let error = repeated.map_or(error, Arc::new);
            let output_of = self.current().and_then(|(stage, current)| finish::failed_lane(stage, current));
            self.emit(EventBody::StageFailed { iteration, stage: id, error, continues, output_of })?;
            return Ok(true);
        }
        if self.running_count() > 0 {
            return Ok(false);
        }
        if self.state.pausing {
            self.emit(EventBody::RunPaused)?;
        } else if let Some(wait) = self.resting() {
            self.rest(wait)?;
        }
        Ok(false)
    }

    /// Lets the run wait, in nobody's memory.
    fn rest(&mut self, wait: Wait) -> Result<(), Broken> {
        // What was asked for on the way here is of a stage that has ended.
        self.withdraw();
        self.emit(EventBody::RunWaiting { wait: Box::new(wait) })
    }

    /// That a stage has failed as it did in the iteration before: going on would not help.
    fn repeated(&self, stage: &StageId, error: &Failure) -> Option<Failure> {
        self.plan.repeat.as_ref()?;
        let iteration = self.state.iteration;
        let before = self.state.results.get(stage).filter(|result| result.iteration + 1 == iteration)?;
        let first = before.error.as_ref().filter(|first| {
            before.status == StageStatus::Failed
                && first.class == error.class
                && first.message == error.message
        })?;
        let message = format!(
            "the stage `{stage}` failed in the same way in the iterations {} and {iteration}: {}",
            before.iteration, error.message
        );
        let details = json!({ "stage": stage, "first": **first, "second": error });
        Some(Failure::new(FailureClass::Repeated, message).with_details(details))
    }

    /// What a stage's `set` writes.
    fn stage_set(
        &self,
        stage: &StagePlan,
        current: &Current,
        output_of: Option<u32>,
    ) -> Result<Option<Arc<IndexMap<String, Data>>>, Failure> {
        if stage.set.is_empty() {
            return Ok(None);
        }
        let output = match output_of {
            Some(lane) => {
                current.lanes.get(lane as usize).map(|lane| lane.whole.output.clone()).unwrap_or_default()
            }
            None => Data::array(current.lanes.iter().map(LaneState::result)),
        };
        let scope = RunScope { output: Some(&output), ..RunScope::stage(self.state, stage) };
        render::set(&stage.set, &scope, stage.id.as_str())
    }

    fn enter(&mut self, iteration: u32, stage: Option<&'a StagePlan>) -> Result<bool, Broken> {
        let Some(stage) = stage else { return Err(self.broken("unknown stage")) };
        let id = stage.id.clone();
        let wanted = match &stage.when {
            Some(when) => when.eval(&document::of(self.state, iteration, &Parts::of([when]))),
            None => true,
        };
        if !wanted {
            self.emit(EventBody::StageSkipped { iteration, stage: id })?;
            return Ok(true);
        }
        if self.ask_before(iteration, stage)? {
            return Ok(true);
        }
        self.begin_stage(iteration, stage)
    }

    /// Goes on as a person said, or waits for it.
    fn after_asking(&mut self, iteration: u32, stage: &StageId, said: Option<Said>) -> Result<bool, Broken> {
        let Some(stage) = self.plan.stage(stage) else { return Err(self.broken("unknown stage")) };
        match said {
            None => {
                if let Some(wait) = self.resting() {
                    self.rest(wait)?;
                }
                Ok(false)
            }
            Some(Said::Disagreed(comment)) => {
                let (id, continues) = (stage.id.clone(), self.on_failure(stage) == OnFailure::Continue);
                let error = Arc::new(rejected(comment.as_deref()));
                self.emit(EventBody::StageFailed {
                    iteration,
                    stage: id,
                    error,
                    continues,
                    output_of: None,
                })?;
                Ok(true)
            }
            Some(_) => self.begin_stage(iteration, stage),
        }
    }

    fn begin_stage(&mut self, iteration: u32, stage: &'a StagePlan) -> Result<bool, Broken> {
        let lanes = u32::try_from(stage.lanes.len()).unwrap_or(u32::MAX);
        self.stage = Some(stage);
        self.state.place = Derived(Some(stage.place));
        self.emit(EventBody::StageStarted { iteration, stage: stage.id.clone(), lanes })?;
        self.open()?;
        // Lanes that were refused, or that needed nobody, can have ended the stage already, and those that
        // ask can have nothing else to do.
        let has_ended = |(_, current): (_, &Current)| current.failed + current.succeeded > 0;
        Ok(!self.state.asks.is_empty() || self.current().is_some_and(has_ended))
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
        let value = output.map(|output| output.exact_value());
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
        let iterations = self.state.iteration;
        let hint = self.text_is_json().unwrap_or_default();
        let message = format!("loop exhausted: `stop_when` was not met in {iterations} iterations{hint}");
        let error = Arc::new(Failure::new(FailureClass::LoopExhausted, message));
        self.emit(EventBody::RunFailed { error })
    }

    /// What to write where the output that `stop_when` reads is a text with JSON in it: a condition sees nothing of that.
    fn text_is_json(&self) -> Option<String> {
        let last = self.plan.stages.last()?;
        let value = self.state.results.get(&last.id)?.output()?.value();
        let json = Reply::parse_json(value.as_str()?).ok()?.output.value();
        let place = match &last.work {
            Work::Simple { .. } => "there",
            Work::Graph(_) => "at the node that gives it",
        };
        (json.is_object() || json.is_array()).then(|| {
            let stage = &last.id;
            format!("; the output of `{stage}` is a text that is JSON, which a condition cannot look into: write `output: json` {place}")
        })
    }

    /// Goes on after something of a lane has ended: with the next lane, where lanes follow each other.
    pub(super) fn go_on_after(&mut self, lane: u32) -> Result<(), Broken> {
        if self.is_sequential() && self.has_succeeded(lane) {
            self.open()?;
        }
        self.advance()
    }

    /// Asks for what the lanes of the current stage need that may go on.
    pub(super) fn open(&mut self) -> Result<(), Broken> {
        let Some(stage) = self.stage else { return Ok(()) };
        for (number, lane) in (0u32..).zip(&stage.lanes) {
            let Some((_, current)) = self.current() else { return Ok(()) };
            let waits = self.state.pausing || self.state.cancelling || is_closed(stage.strategy, current);
            let status = current.lanes.get(number as usize).map(|lane| lane.whole.status);
            let (Some(status), false) = (status, waits) else { return Ok(()) };
            match &stage.work {
                Work::Simple { id, .. } => {
                    if !matches!(status, StageStatus::Completed | StageStatus::Running | StageStatus::Failed)
                    {
                        let (iteration, stage, node) = (self.state.iteration, stage.id.clone(), id.clone());
                        let parts = NodePathParts { iteration, stage, lane: number, node, items: Vec::new() };
                        self.ask_for_place(parts.into())?;
                    }
                }
                Work::Graph(_) => {
                    if status == StageStatus::Pending {
                        self.begin_lane(stage, number, lane)?;
                    }
                    self.go_on(number)?;
                }
            }
            if stage.strategy == Strategy::Sequential && !self.has_succeeded(number) {
                return Ok(());
            }
        }
        Ok(())
    }

    fn begin_lane(&mut self, stage: &StagePlan, number: u32, lane: &LanePlan) -> Result<(), Broken> {
        let (iteration, id) = (self.state.iteration, stage.id.clone());
        match render::lane(self.plan, self.state, stage, lane) {
            Ok((provider, role)) => {
                self.emit(EventBody::LaneStarted { iteration, stage: id, lane: number, provider, role })
            }
            Err(failure) => {
                let error = Arc::new(failure);
                self.emit(EventBody::LaneFailed { iteration, stage: id, lane: number, error })
            }
        }
    }

    pub(super) fn stop_running(&mut self, how: Stop) {
        for (path, _) in self.running() {
            self.decision.effects.push(Effect::Stop { path, how });
        }
    }

    pub(super) fn on_failure(&self, stage: &StagePlan) -> OnFailure {
        self.state.created.on_failure.unwrap_or(stage.on_failure)
    }

    pub(super) fn current(&self) -> Option<(&'a StagePlan, &Current)> {
        match &self.state.position {
            Position::In(current) => Some((self.stage?, current)),
            _ => None,
        }
    }

    pub(super) fn current_mut(&mut self) -> Option<&mut Current> {
        match &mut self.state.position {
            Position::In(current) => Some(current),
            _ => None,
        }
    }

    /// Whether `path` is of the stage and the iteration that are under way.
    pub(super) fn is_here(&self, path: &NodePath) -> bool {
        self.state.iteration == path.iteration
            && self.current().is_some_and(|(stage, _)| stage.id == path.stage)
    }

    fn is_sequential(&self) -> bool {
        self.stage.is_some_and(|stage| stage.strategy == Strategy::Sequential)
    }

    pub(super) fn has_succeeded(&self, lane: u32) -> bool {
        self.state.current_lane(lane).is_some_and(|lane| lane.whole.status == StageStatus::Completed)
    }

    /// Whether results of running calls no longer count.
    pub(super) fn is_unwanted(&self) -> bool {
        let lost = |(stage, current): (&StagePlan, &Current)| {
            stage.strategy == Strategy::Race && current.succeeded > 0
        };
        self.state.cancelling || self.current().is_some_and(lost)
    }

    fn running_count(&self) -> u32 {
        self.current().map_or(0, |(_, current)| current.running)
    }

    pub(super) fn running(&self) -> Vec<(NodePath, u32)> {
        self.current().map_or_else(Vec::new, |(stage, current)| lanes::running(stage, self.state, current))
    }

    fn broken(&self, reason: &'static str) -> Broken {
        Broken { seq: self.state.last, kind: "state", reason }
    }
}

pub(super) fn later(now: Timestamp, delay: Duration) -> Timestamp {
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}
