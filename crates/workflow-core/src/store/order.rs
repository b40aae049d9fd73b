//! For implementors of stores: how all stores number entries, order lists, and determine which controls were
//! obeyed.

use super::{RunFilter, RunRecord, StoreError};
use crate::event::{Event, EventBody};
use crate::ids::RunId;
use crate::output::OutputEntry;

/// Refuses events that are not numbered consecutively from `expected` on.
///
/// # Errors
///
/// [`StoreError::Conflict`].
pub fn check_numbers(run: &RunId, expected: u64, events: &[Event]) -> Result<(), StoreError> {
    for (event, number) in events.iter().zip(expected + 1..) {
        if event.seq != number {
            let conflict = StoreError::Conflict {
                run: run.clone(),
                expected: event.seq.saturating_sub(1),
                actual: number - 1,
            };
            return Err(conflict);
        }
    }
    Ok(())
}

/// Refuses output entries whose numbers do not grow from `last`. Numbers may be left out: those of
/// entries that were dropped.
///
/// # Errors
///
/// [`StoreError::Conflict`].
pub fn check_output(run: &RunId, last: u64, entries: &[OutputEntry]) -> Result<(), StoreError> {
    let mut last = last;
    for entry in entries {
        if entry.number <= last {
            let expected = entry.number.saturating_sub(1);
            return Err(StoreError::Conflict { run: run.clone(), expected, actual: last });
        }
        last = entry.number;
    }
    Ok(())
}

/// The number of the control that an event obeys.
pub fn control_of(body: &EventBody) -> Option<u64> {
    match body {
        EventBody::PauseRequested { control, .. }
        | EventBody::RunResumed { control, .. }
        | EventBody::CancelRequested { control, .. }
        | EventBody::Answered { control, .. }
        | EventBody::AnswerRefused { control, .. }
        | EventBody::SignalReceived { control, .. } => Some(*control),
        _ => None,
    }
}

/// The page of `records` that `filter` asks for: the newest first.
///
/// # Errors
///
/// [`StoreError::NotFound`] when the run that the page begins after is not among them.
pub fn page(mut records: Vec<RunRecord>, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
    records.sort_unstable_by(|a, b| {
        b.head.created_at.cmp(&a.head.created_at).then_with(|| b.run_id.cmp(&a.run_id))
    });
    let start = match &filter.after {
        None => 0,
        Some(after) => {
            let place = records.iter().position(|record| record.run_id == *after);
            place.ok_or_else(|| StoreError::NotFound(format!("run `{after}`")))? + 1
        }
    };
    let limit = filter.limit.unwrap_or(usize::MAX);
    Ok(records
        .into_iter()
        .skip(start)
        .filter(|record| filter.matches(&record.run_id, &record.head))
        .take(limit)
        .collect())
}

/// The run does not exist.
pub fn run_not_found(run: &RunId) -> StoreError {
    StoreError::NotFound(format!("run `{run}`"))
}
