//! The two ways into the machine: what follows from an input, and what a loaded state calls for.

use jiff::Timestamp;

use crate::machine::message::{Decision, Effect, Input};
use crate::machine::policy::Step;
use crate::machine::state::stage::Position;
use crate::machine::state::{Broken, State, running};
use crate::plan::Plan;

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

/// What has to be done for a run that was just loaded before it can be taken up, from its state alone: to
/// reclaim the calls that a former driver left.
pub fn pending(plan: &Plan, state: &State) -> Vec<Effect> {
    let Position::In(current) = &state.position else { return Vec::new() };
    let Some(stage) = plan.stage(&current.stage) else { return Vec::new() };
    let calls = running::running(stage, state, current).into_iter().filter_map(|(path, attempt)| {
        let provider = current.lanes.get(path.lane as usize)?.node(&path)?.provider.clone()?;
        Some(Effect::Reclaim { path, attempt, provider })
    });
    calls.collect()
}
