//! The two entry points of the machine: one decides on an input, the other on a loaded state.

use jiff::Timestamp;

use crate::machine::message::{Decision, Effect, Input};
use crate::machine::policy::Step;
use crate::machine::state::stage::Position;
use crate::machine::state::{Broken, State, running};
use crate::plan::Plan;

/// Decides which events and effects follow from `input`, applies them to `state`, and adds them to
/// `decision`. An input that has been overtaken — a grant for a stage that has ended, a control that was seen
/// — adds nothing.
///
/// # Errors
///
/// [`Broken`] when the state is not of a run of this plan; it must not be used any more.
pub fn decide(
    plan: &Plan,
    state: &mut State,
    input: Input,
    now: Timestamp,
    decision: &mut Decision,
) -> Result<(), Broken> {
    Step::new(plan, state, now, decision).take(input)
}

/// What the driver must do for a run that was just loaded before it resumes it: reclaim the calls that a
/// former driver left. Derived from the state alone.
pub fn pending(plan: &Plan, state: &State) -> Vec<Effect> {
    let Position::In(current) = &state.position else { return Vec::new() };
    let Some(stage) = plan.stage(&current.stage) else { return Vec::new() };
    let calls = running::running(stage, state, current).into_iter().filter_map(|(path, attempt)| {
        let provider = current.lanes.get(path.lane as usize)?.node(&path)?.provider.clone()?;
        Some(Effect::Reclaim { path, attempt, provider })
    });
    calls.collect()
}
