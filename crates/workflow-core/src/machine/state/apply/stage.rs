//! How stages, and the run with them, begin and end.

use std::iter;
use std::sync::Arc;

use jiff::Timestamp;

use crate::event::RunEnding;
use crate::failure::Failure;
use crate::ids::StageId;
use crate::machine::state::lane::LaneState;
use crate::machine::state::stage::{Current, OutputOf, Position, StageResult};
use crate::machine::state::{Ending, State};
use crate::status::{RunStatus, StageStatus};
use crate::usage::Spent;

impl State {
    pub(super) fn begin_stage(&mut self, iteration: u32, stage: &StageId, lanes: usize, at: Timestamp) {
        self.iteration = iteration;
        let lanes = iter::repeat_with(|| LaneState::UNSTARTED).take(lanes).collect();
        // A stage comes once in an iteration, so that in the first it has used nothing.
        let before = if iteration > 1 { self.results.get(stage) } else { None };
        let spent = before.map(|result| result.spent).unwrap_or_default();
        self.position = Position::In(Current {
            stage: stage.clone(),
            started_at: at,
            lanes,
            running: 0,
            children: 0,
            succeeded: 0,
            failed: 0,
            first: None,
            retrying: 0,
            has_waits: false,
            spent,
        });
    }

    pub(super) fn skip_stage(&mut self, iteration: u32, stage: &StageId) {
        self.iteration = iteration;
        let result = self.results.entry(stage.clone()).or_insert(StageResult {
            iteration,
            status: StageStatus::Skipped,
            lanes: Vec::new(),
            output: OutputOf::Nothing,
            started_at: None,
            ended_at: None,
            error: None,
            spent: Spent::default(),
        });
        result.iteration = iteration;
        result.status = StageStatus::Skipped;
        self.position = Position::After(stage.clone(), None);
    }

    /// With the error that ends the run after the stage, if one does.
    pub(super) fn end_stage(
        &mut self,
        stage: &StageId,
        status: StageStatus,
        output_of: Option<u32>,
        error: Option<&Arc<Failure>>,
        ends: Option<Arc<Failure>>,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        let position = std::mem::replace(&mut self.position, Position::After(stage.clone(), ends));
        let Position::In(current) = position else {
            return Err("no stage is under way");
        };
        if current.stage != *stage {
            return Err("another stage is under way");
        }
        if current.running > 0 {
            return Err("the stage has running nodes");
        }
        // The requests of its nodes are no longer needed.
        if !self.asks.is_empty() {
            self.asks.clear();
        }
        let mut lanes = current.lanes;
        lanes.iter_mut().for_each(LaneState::close);
        let output = match (status, output_of) {
            (StageStatus::Completed, Some(lane)) => OutputOf::Lane(lane as usize),
            (StageStatus::Completed, None) => OutputOf::AllLanes,
            (StageStatus::Failed, of) => OutputOf::in_vain(&lanes, of),
            _ => OutputOf::Nothing,
        };
        let result = StageResult {
            iteration: self.iteration,
            status,
            lanes,
            output,
            started_at: Some(current.started_at),
            ended_at: Some(at),
            error: error.cloned(),
            spent: current.spent,
        };
        self.results.insert(current.stage, result);
        Ok(())
    }

    /// Ends the stage that is under way, whose calls were stopped, and forgets what people are asked.
    pub(super) fn cancel_stage(&mut self, at: Timestamp) -> Result<(), &'static str> {
        if let Position::In(current) = &self.position {
            let stage = current.stage.clone();
            self.end_stage(&stage, StageStatus::Cancelled, None, None, None, at)?;
        }
        self.asks.clear();
        Ok(())
    }

    /// The run ends when the stages of `finally` have ended.
    pub(super) fn begin_ending(&mut self, how: &RunEnding, at: Timestamp) -> Result<(), &'static str> {
        if self.ending.is_some() {
            return Err("the run ends already");
        }
        if how.status == RunStatus::Cancelled {
            self.cancel_stage(at)?;
        }
        match &mut self.position {
            Position::In(_) => return Err("a stage is under way"),
            Position::After(_, error) => *error = None,
            // It is not asked about any more.
            Position::Asked { .. } => self.position = Position::Start,
            Position::Start | Position::Between { .. } => {}
        }
        self.ending = Some(Box::new(Ending {
            how: how.clone(),
            failed: None,
            before_ms: self.spent.time_ms,
            waits_ms: 0,
            results: self.results.len(),
        }));
        // A cancellation also ends a pause.
        self.pausing &= how.status != RunStatus::Cancelled;
        (self.cancelling, self.waiting) = (false, None);
        self.status = RunStatus::Running;
        Ok(())
    }

    pub(super) fn end(
        &mut self,
        status: RunStatus,
        error: Option<&Arc<Failure>>,
        at: Timestamp,
    ) -> Result<(), &'static str> {
        if matches!(self.position, Position::In(_)) {
            return Err("a stage is under way");
        }
        self.status = status;
        self.error = error.cloned();
        self.completed_at = Some(at);
        if status != RunStatus::Cancelled {
            self.stopped_by = None;
        }
        Ok(())
    }
}
