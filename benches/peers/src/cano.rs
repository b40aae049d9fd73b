//! cano: a state machine whose states have tasks. Nothing is kept.

use cano::prelude::*;
use futures::future::try_join_all;

use crate::measure::{FEW, Result, Work, median};

/// The number of a step.
type State = usize;

/// Names the next state.
#[derive(Clone)]
struct Next(State);

#[task(state = State)]
impl Next {
    async fn run_bare(&self) -> std::result::Result<TaskResult<State>, CanoError> {
        Ok(TaskResult::Single(self.0))
    }
}

/// Steps in a row, from 0 to the last state.
fn row(steps: usize) -> Workflow<State> {
    let states =
        (0..steps).fold(Workflow::bare(), |workflow, state| workflow.register(state, Next(state + 1)));
    states.add_exit_state(steps)
}

/// Steps that are made all at once.
fn fan_out(steps: usize) -> Workflow<State> {
    let join = JoinConfig::new(JoinStrategy::All, 1);
    Workflow::bare().register_split(0, (0..steps).map(|_| Next(1)), join).add_exit_state(1)
}

pub(crate) fn measure(work: Work) -> Result<f64> {
    let (workflow, runs) = match work {
        Work::Row(steps) => (row(steps), 1),
        Work::FanOut(steps) => (fan_out(steps), 1),
        Work::Runs(runs) => (row(FEW), runs),
    };
    let run = async |(): &()| {
        let all = (0..runs).map(|_| workflow.orchestrate(0, CancellationToken::disabled()));
        try_join_all(all).await?;
        Ok(())
    };
    median(work.steps(), async || Ok(()), run, async |()| ())
}
