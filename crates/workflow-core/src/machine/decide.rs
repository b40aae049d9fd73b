//! The two ways into the machine: what follows from an input, and what a loaded state calls for.

use jiff::Timestamp;

use super::io::{Decision, Effect, Input};
use super::lanes::{open_lanes, path_of};
use super::state::{Broken, Position, State};
use super::step::Step;
use crate::plan::Plan;
use crate::status::{RunStatus, StageStatus};

/// Decides what follows from `input`, applies it to `state`, and adds it to `decision`. An input that
/// has been overtaken — a grant for a stage that has ended, a control that was seen — adds nothing.
///
/// # Errors
///
/// [`Broken`] when the state is not of a run of this plan; it is of no further use then.
pub fn decide(
    plan: &Plan,
    state: &mut State,
    input: Input,
    now: Timestamp,
    decision: &mut Decision,
) -> Result<(), Broken> {
    Step::new(plan, state, now, decision).take(input)
}

/// What has to be done for a run that was just loaded, from its state alone.
pub fn pending(plan: &Plan, state: &State) -> Vec<Effect> {
    let mut effects = Vec::new();
    if let Position::In(current) = &state.position {
        for (number, lane) in (0u32..).zip(&current.lanes) {
            if lane.status == StageStatus::Running
                && let Some(provider) = lane.provider.clone()
            {
                let path = path_of(plan, state, &current.stage, number);
                effects.push(Effect::Reclaim { path, attempt: lane.attempt, provider });
            }
        }
    }
    if !state.status.is_terminal()
        && state.status != RunStatus::Paused
        && !state.cancelling
        && !state.pausing
        && let Position::In(current) = &state.position
        && let Some(stage) = plan.stage(&current.stage)
    {
        open_lanes(plan, stage, state, &mut effects, &mut Vec::new());
    }
    effects
}
