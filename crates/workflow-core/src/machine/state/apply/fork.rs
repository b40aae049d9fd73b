//! How a fork begins.

use std::sync::Arc;

use jiff::Timestamp;

use crate::event::RunForked;
use crate::machine::state::State;
use crate::machine::state::lane::LaneState;
use crate::machine::state::stage::{OutputOf, Position};
use crate::provider::Origin;
use crate::status::{RunStatus, StageStatus};
use crate::usage::Spent;

impl State {
    /// Turns the state that another run had reached into the state of a new run.
    pub(super) fn fork(&mut self, forked: &RunForked, at: Timestamp) -> Result<(), &'static str> {
        self.set(Some(&forked.vars));
        for (stage, output) in &forked.outputs {
            let result = self.results.get_mut(stage).ok_or("a stage has no output to be changed")?;
            result.status = StageStatus::Completed;
            result.error = None;
            result.output = OutputOf::Edited(output.clone());
            // The stage no longer counts as failed, so the run continues after it.
            if let Some(ending) = &mut self.ending
                && ending.failed.take_if(|failed| *failed == *stage).is_some()
            {
                (ending.how.status, ending.how.error) = (RunStatus::Completed, None);
            }
            if let Position::After(ended, error) = &mut self.position
                && ended == stage
            {
                *error = None;
            }
        }
        self.forked = Some(Arc::new(forked.clone()));
        if let Some(seed) = forked.seed {
            let before = self.origin.iter().flat_map(|origin| origin.runs.iter().cloned());
            let runs = [(forked.from.clone(), seed)].into_iter().chain(before).collect();
            self.origin = Some(Arc::new(Origin { runs, worktree: forked.worktree.clone(), spec: None }));
        }
        // A fork of a fork takes over what that one took over.
        self.inherited.add_all(std::mem::take(&mut self.spent));
        self.results.values_mut().for_each(|result| result.spent = Spent::default());
        self.warned.clear();
        if let Position::In(current) = &mut self.position {
            current.spent = Spent::default();
            current.lanes.iter_mut().for_each(LaneState::begin_spending);
        }
        if let Some(ending) = &mut self.ending {
            (ending.before_ms, ending.waits_ms) = (0, 0);
        }
        self.status = RunStatus::Pending;
        (self.created_at, self.started_at) = (at, None);
        Ok(())
    }
}
