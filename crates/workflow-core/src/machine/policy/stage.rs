//! Which stage begins, when it ends, and what its lanes do meanwhile.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::data::Data;
use crate::definition::OnFailure;
use crate::event::EventBody;
use crate::failure::Failure;
use crate::ids::StageId;
use crate::machine::policy::step::Step;
use crate::machine::policy::strategy::{self, Verdict, is_closed};
use crate::machine::request::document::{self, Parts};
use crate::machine::request::scope::RunScope;
use crate::machine::request::{set, who};
use crate::machine::state::Broken;
use crate::machine::state::derived::Derived;
use crate::machine::state::lane::LaneState;
use crate::machine::state::question::{Response, rejected};
use crate::machine::state::stage::{Current, Position};
use crate::plan::{LanePlan, StagePlan, Strategy, Work};
use crate::status::{StageStatus, Wait};

impl<'a> Step<'a> {
    /// Advances the run until it needs an input.
    pub(super) fn advance(&mut self) -> Result<(), Broken> {
        loop {
            if self.state.cancelling {
                if self.running_count() > 0 || self.state.status.is_terminal() {
                    return Ok(());
                }
                let end =
                    if self.state.ending.is_some() { self.last_event(true) } else { EventBody::RunCancelled };
                if !self.finish(end)? {
                    return Ok(());
                }
                continue;
            }
            if self.state.rests() {
                return Ok(());
            }
            let going_on = match &self.state.position {
                Position::In(_) => self.advance_stage()?,
                _ if self.state.ending.is_some() => self.advance_finally()?,
                Position::After(_, Some(error)) => {
                    let error = error.clone();
                    self.finish(EventBody::RunFailed { error })?
                }
                Position::Between { next: None, done } => {
                    let done = *done;
                    self.end_loop(done)?
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
                    let ending = ended.and_then(|stage| self.ending(stage));
                    let mut to_come =
                        ended.and_then(|stage| self.plan.body().get(stage.place + 1..)).into_iter().flatten();
                    // A run that was moved to another definition may have completed a stage that now comes
                    // after this one.
                    if let Some((stage, ending)) = ending {
                        self.end_early(stage, ending)?
                    } else if let Some(next) = to_come.find(|next| !self.state.has_ended(&next.id)) {
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

    /// Ends the current stage if its lanes decide it.
    fn advance_stage(&mut self) -> Result<bool, Broken> {
        let Some((stage, current)) = self.current() else { return Err(self.broken("unknown stage")) };
        let iteration = self.state.iteration;
        let verdict = match strategy::verdict(stage, current) {
            Verdict::Completed(output_of) => match self.stage_set(stage, current, output_of) {
                Ok(set) => {
                    let id = stage.id.clone();
                    self.emit(EventBody::StageCompleted { iteration, stage: id, output_of, set })?;
                    return Ok(true);
                }
                Err(failure) => Verdict::Failed(Arc::new(failure)),
            },
            other => other,
        };
        if let Verdict::Failed(error) = verdict {
            let continues = self.on_failure(stage) == OnFailure::Continue && !self.is_run_over_budget();
            let repeated = if continues { self.repeated(&stage.id, &error) } else { None };
            let continues = continues && repeated.is_none();
            let error = repeated.map_or(error, Arc::new);
            let output_of = self.current().and_then(|(stage, current)| strategy::failed_lane(stage, current));
            let id = stage.id.clone();
            self.emit(EventBody::StageFailed { iteration, stage: id, error, continues, output_of })?;
            return Ok(true);
        }
        if self.calls_running() > 0 {
            return Ok(false);
        }
        if self.state.pausing {
            self.emit(EventBody::RunPaused)?;
        } else if let Some(wait) = self.resting() {
            self.rest(wait)?;
        }
        Ok(false)
    }

    /// Makes the run wait; it need not stay in memory.
    fn rest(&mut self, wait: Wait) -> Result<(), Broken> {
        // The effects requested so far belong to a stage that has ended.
        self.withdraw();
        self.emit(EventBody::RunWaiting { wait: Box::new(wait) })
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
        set::set(&stage.set, &scope, stage.id.as_str())
    }

    pub(super) fn enter(&mut self, iteration: u32, stage: Option<&'a StagePlan>) -> Result<bool, Broken> {
        let Some(stage) = stage else { return Err(self.broken("unknown stage")) };
        let wanted = match &stage.when {
            Some(when) => when.eval(&document::of(self.state, iteration, &Parts::of([&**when]))),
            None => true,
        };
        if !wanted {
            self.emit(EventBody::StageSkipped { iteration, stage: stage.id.clone() })?;
            return Ok(true);
        }
        if self.state.ending.is_none() && self.ask_before(iteration, stage)? {
            return Ok(true);
        }
        self.begin_stage(iteration, stage)
    }

    /// Continues according to a person's answer, or waits for the answer.
    fn after_asking(
        &mut self,
        iteration: u32,
        stage: &StageId,
        said: Option<Response>,
    ) -> Result<bool, Broken> {
        let Some(stage) = self.plan.stage(stage) else { return Err(self.broken("unknown stage")) };
        match said {
            None => {
                if let Some(wait) = self.resting() {
                    self.rest(wait)?;
                }
                Ok(false)
            }
            Some(Response::Disagreed(comment)) => {
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
        // Lanes that were refused, or that needed no call, may have ended the stage already; if the others
        // ask a person, or wait for a time, there may be nothing else to do.
        let may_rest =
            |(_, current): (_, &Current)| current.failed + current.succeeded > 0 || current.has_waits;
        Ok(!self.state.asks.is_empty() || self.current().is_some_and(may_rest))
    }

    /// Continues after something of a lane has ended: with the next lane, if the lanes run one after the
    /// other.
    pub(super) fn go_on_after(&mut self, lane: u32) -> Result<(), Broken> {
        if self.is_sequential() && self.has_succeeded(lane) {
            self.open()?;
        }
        self.advance()
    }

    /// Requests what those lanes of the current stage need that may continue.
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
                        let first =
                            lane.first.as_ref().filter(|first| first.iteration == self.state.iteration);
                        match first.cloned().or_else(|| self.path(number, id)) {
                            Some(path) => self.ask_for_place(path)?,
                            None => return Ok(()),
                        }
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
        match who::lane(self.plan, self.state, stage, lane) {
            Ok((provider, role)) => {
                self.emit(EventBody::LaneStarted { iteration, stage: id, lane: number, provider, role })
            }
            Err(failure) => {
                let error = Arc::new(failure);
                self.emit(EventBody::LaneFailed { iteration, stage: id, lane: number, error })
            }
        }
    }
}
