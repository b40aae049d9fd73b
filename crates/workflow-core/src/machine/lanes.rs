//! Which lanes of the current stage may start.

use super::io::{Effect, Input};
use super::render;
use super::state::{Current, Position, State};
use crate::ids::{NodePath, NodePathParts, StageId};
use crate::plan::{Plan, StagePlan, Strategy};
use crate::status::StageStatus;

pub(super) fn path_of(plan: &Plan, state: &State, stage: &StageId, lane: u32) -> NodePath {
    NodePathParts { iteration: state.iteration, stage: stage.clone(), lane, node: plan.node.clone() }.into()
}

/// Whether nothing new starts in a stage because of how its lanes ended so far.
pub(super) fn is_closed(strategy: Strategy, current: &Current) -> bool {
    match strategy {
        Strategy::Sequential | Strategy::All => current.failed > 0,
        Strategy::Race => current.succeeded > 0,
        Strategy::Majority => false,
    }
}

/// Asks for places and timers of the lanes of `stage`, which is under way, that may start now. Nodes whose provider cannot be
/// named go to `refused`.
pub(super) fn open_lanes(
    plan: &Plan,
    stage: &StagePlan,
    state: &State,
    effects: &mut Vec<Effect>,
    refused: &mut Vec<Input>,
) {
    let Position::In(current) = &state.position else { return };
    if is_closed(stage.strategy, current) {
        return;
    }
    for (number, lane) in (0u32..).zip(&stage.lanes) {
        let known = current.lanes.get(number as usize);
        let status = known.map_or(StageStatus::Pending, |lane| lane.status);
        let path = || path_of(plan, state, &stage.id, number);
        match status {
            StageStatus::Pending | StageStatus::Queued => match render::provider(state, stage, lane) {
                Ok(provider) => effects.push(Effect::Acquire { path: path(), provider }),
                Err(failure) => refused.push(Input::Refused { path: path(), failure }),
            },
            StageStatus::Retrying => {
                if let Some(at) = known.and_then(|lane| lane.retry_at) {
                    effects.push(Effect::Timer { path: path(), at });
                }
            }
            _ => {}
        }
        if stage.strategy == Strategy::Sequential && status != StageStatus::Completed {
            return;
        }
    }
}
