//! What the strategy of a stage (sequential, all, race, majority) makes of how its lanes ended.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::failure::{Failure, FailureClass};
use crate::machine::state::stage::Current;
use crate::plan::{StagePlan, Strategy};
use crate::status::StageStatus;

/// Whether nothing new starts in a stage because of how its lanes ended so far.
pub(super) fn is_closed(strategy: Strategy, current: &Current) -> bool {
    match strategy {
        Strategy::Sequential | Strategy::All => current.failed > 0,
        Strategy::Race => current.succeeded > 0,
        Strategy::Majority => false,
    }
}

/// What the lanes decide about their stage.
pub(super) enum Verdict {
    /// The stage continues.
    Open,
    /// The stage succeeded; with the lane whose output is the stage's, or none for an array of all.
    Completed(Option<u32>),
    /// The stage failed.
    Failed(Arc<Failure>),
}

pub(super) fn verdict(stage: &StagePlan, current: &Current) -> Verdict {
    if current.running > 0 {
        return Verdict::Open;
    }
    let lanes = u32::try_from(stage.lanes.len()).unwrap_or(u32::MAX);
    let all_succeeded = current.succeeded == lanes;
    match stage.strategy {
        Strategy::Sequential if all_succeeded => Verdict::Completed(Some(lanes - 1)),
        Strategy::All if all_succeeded => Verdict::Completed((lanes == 1).then_some(0)),
        Strategy::Sequential | Strategy::All if current.failed > 0 => failed(stage, current),
        Strategy::Race if current.first.is_some() => Verdict::Completed(current.first),
        Strategy::Race if current.failed == lanes => failed(stage, current),
        Strategy::Majority if current.succeeded + current.failed == lanes => {
            let weight = |status| {
                let lanes = stage.lanes.iter().zip(&current.lanes);
                lanes
                    .filter(|(_, lane)| lane.whole.status == status)
                    .map(|(lane, _)| u64::from(lane.weight))
                    .sum::<u64>()
            };
            if weight(StageStatus::Completed) > weight(StageStatus::Failed) {
                Verdict::Completed((lanes == 1).then_some(0))
            } else {
                failed(stage, current)
            }
        }
        _ => Verdict::Open,
    }
}

/// The failed lane of several that run one after the other: its output is kept as the stage's.
pub(super) fn failed_lane(stage: &StagePlan, current: &Current) -> Option<u32> {
    if stage.strategy != Strategy::Sequential || stage.lanes.len() < 2 {
        return None;
    }
    let failed = current.lanes.iter().position(|lane| lane.whole.status == StageStatus::Failed)?;
    u32::try_from(failed).ok()
}

/// The failure of the only lane, or one that names those of all lanes that failed.
fn failed(stage: &StagePlan, current: &Current) -> Verdict {
    let errors: Vec<_> = (0usize..)
        .zip(&current.lanes)
        .filter_map(|(number, lane)| {
            Some((number, lane.whole.provider.as_deref(), lane.whole.error.clone()?))
        })
        .collect();
    if let ([_], [(_, _, error)]) = (stage.lanes.as_slice(), errors.as_slice()) {
        return Verdict::Failed(error.clone());
    }
    // If all weights are equal, the number of lanes is enough.
    let by_weight = matches!(stage.strategy, Strategy::Majority)
        && stage.lanes.windows(2).any(|lanes| lanes[0].weight != lanes[1].weight);
    let weight = |number: usize| stage.lanes.get(number).map_or(0, |lane| u64::from(lane.weight));
    let shown = errors.iter().take(5).map(|(number, provider, error)| {
        let weight = if by_weight { format!(" (weight {})", weight(*number)) } else { String::new() };
        format!("[{number}] {}{weight}: {}", provider.unwrap_or("?"), error.message)
    });
    let shown = shown.collect::<Vec<_>>().join("; ");
    let weights = if by_weight {
        let failed: u64 = errors.iter().map(|(number, ..)| weight(*number)).sum();
        let all: u64 = (0..stage.lanes.len()).map(weight).sum();
        format!(", with weight {failed} of {all}")
    } else {
        String::new()
    };
    let message = format!("{} of {} providers failed{weights}: {shown}", errors.len(), stage.lanes.len());
    let failure = Failure::new(FailureClass::Stage, message);
    let details = errors.iter().map(|(number, provider, error)| {
        let mut of_lane = Map::new();
        of_lane.insert("lane".to_owned(), (*number).into());
        of_lane.insert("provider".to_owned(), json!(provider));
        of_lane.extend(error.brief());
        Value::Object(of_lane)
    });
    Verdict::Failed(Arc::new(failure.with_details(details.collect())))
}
