//! Checks the result of a plot.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::SignedDuration;
use workflow_core::event::{Event, EventBody};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::Control;

use super::counts::Counts;
use super::fork;
use super::journal::Told;
use super::person::{self, Asked};
use super::play::Played;
use super::plot::Plot;
use super::provider::ENDED_BY_ANOTHER;
use crate::reference;
use crate::reference::case::Case;
use crate::reference::interpret::interpret_as;
use crate::rules::{self, Reading};

/// A run that has not ended must be cancelled within this time after a cancel request: longer than any
/// partition.
const OBEDIENCE: SignedDuration = SignedDuration::from_mins(5);

/// The violations, and the counts of events.
pub fn judge(plot: &Plot, mut played: Played) -> (Vec<String>, Counts) {
    let mut violations = std::mem::take(&mut played.violations);
    let mut counts = played.counts;
    // A run that was never created is missing: its host died first.
    let told = std::mem::take(&mut played.told);
    let cases = plot.runs.iter().map(|run| (run.id(), Arc::new(run.case.clone()))).collect();
    for (id, of_run) in &told {
        let Some(case) = fork::case(&cases, &told, id) else {
            violations.push(format!("run {id} was started by nothing"));
            continue;
        };
        if let Err(broken) = judge_run(plot, (id, &case), of_run, &mut played, &mut counts) {
            violations.push(format!("run {id}: {broken}"));
        }
    }
    (violations, counts)
}

fn judge_run(
    plot: &Plot,
    (id, case): (&RunId, &Case),
    told: &Told,
    played: &mut Played,
    counts: &mut Counts,
) -> Result<(), String> {
    let (record, events) = played.stored.get(id).ok_or("it was created but is not stored")?;
    if told.events != *events {
        let same = told.events.iter().zip(events).take_while(|(told, stored)| told == stored).count();
        let (told, stored) = (told.events.len(), events.len());
        return Err(format!(
            "of {told} events that were acknowledged and {stored} that are stored the first {same} are the same"
        ));
    }
    // The reference interpreter checks the values of expressions.
    let reading = Reading { clocks: plot.clocks_agree(), expressions: false, current: true };
    rules::keeps(&case.bundle, events, reading)?;
    children_have_ended(id, events, played, counts)?;
    if let Some((_, forked)) = fork::forked(events) {
        let (source, was) = (played.stored.get(&forked.from), told.source.as_ref());
        let ((_, source), was) = source.zip(was).ok_or("its source does not exist")?;
        fork::judge(events, source, was, counts)?;
    }
    if plot.is_calm() {
        panics_are_failures(id, events, played)?;
    }
    if plot.is_only_suspended()
        && let Some(event) = events.iter().find(|it| matches!(it.body, EventBody::AttemptInterrupted { .. }))
    {
        return Err(format!("no other process held it, but a call was interrupted: {:?}", event.body));
    }
    let ended_by_others = |event: &Event| match &event.body {
        EventBody::AttemptFailed { error, .. } => error.message == ENDED_BY_ANOTHER,
        _ => false,
    };
    if let Some(event) = events.iter().find(|event| ended_by_others(event)) {
        return Err(format!(
            "a call that another driver had stopped was recorded as a failure: {:?}",
            event.body
        ));
    }
    if plot.is_only_unwritable() {
        output_is_told_of(id, events, played)?;
    }
    let state = State::fold(events).map_err(|broken| broken.to_string())?;
    let mut head = state.head();
    if !state.rests() {
        // How far a run is that is under way, only its log tells.
        head.progress.clone_from(&record.head.progress);
    }
    if head != record.head {
        return Err(format!("its log says {head:?}, and its head {:?}", record.head));
    }
    let Some(last) = events.last().filter(|event| event.body.is_terminal()) else {
        return Err(format!("it has not ended: {:?}", state.status()));
    };
    if let Some(holder) = &record.holder {
        return Err(format!("it has ended and is held by {holder}"));
    }
    // Copied events count for the source.
    let begun = fork::forked(events).map_or(0, |(place, _)| place);
    count(&events[begun..], counts);
    let asked = events.iter().any(|event| matches!(event.body, EventBody::CancelRequested { .. }));
    let is_cancelled = state.status() == RunStatus::Cancelled;
    let ending = events.iter().find_map(|event| match &event.body {
        EventBody::RunEnding(ending) => Some(ending.status),
        _ => None,
    });
    let is_right = match ending {
        None => asked == is_cancelled,
        // The stages of `finally` may fail before they are killed.
        Some(RunStatus::Completed) => asked || !is_cancelled,
        Some(status) => (status == RunStatus::Cancelled) == is_cancelled,
    };
    if !is_right {
        return Err(format!(
            "it is {:?}, and the log has {}",
            state.status(),
            if asked { "a cancel" } else { "none" }
        ));
    }
    person::judge(events, &told.controls, counts)?;
    let ends_at = events.iter().position(|event| matches!(event.body, EventBody::RunEnding(_)));
    let cancel = told.controls.iter().find(|asked| match asked.control {
        // Later it only ends a pause.
        Control::Cancel => asked.before < ends_at.unwrap_or(events.len()),
        Control::Kill => asked.before < events.len(),
        _ => false,
    });
    if let Some(Asked { at, .. }) = cancel.filter(|_| !asked && plot.clocks_agree() && plot.leases_are_kept())
        && last.at.duration_since(*at) > OBEDIENCE
    {
        return Err(format!("it should be cancelled by {at} but is {:?} at {}", state.status(), last.at));
    }
    match state.status() {
        RunStatus::Completed => counts.completed += 1,
        RunStatus::Failed => counts.failed += 1,
        _ => {
            counts.cancelled += 1;
            // How far it got until then depends on timing.
            return Ok(());
        }
    }
    if asked {
        // A run that had failed was killed in its stages of `finally`.
        return Ok(());
    }
    let is_fork = told.source.is_some();
    let case = if is_fork { fork::begun_anew(case, events) } else { Some(case.clone()) };
    // The interpreter cannot compute the outcome of a fork from the middle of a run.
    let Some(case) = case else { return Ok(()) };
    let prompts = played.prompts.remove(id).unwrap_or_default();
    let played = reference::play::Played { events: events.clone(), view: state.into(), prompts };
    let Ok(expected) = interpret_as(&case, id.as_str(), &|iteration, stage| played.winner(iteration, stage))
    else {
        return Ok(());
    };
    // Whether two failures are equal depends on their messages, which the interpreter does not know.
    if played.view.error.as_ref().is_some_and(|error| error.class == FailureClass::Repeated) {
        return Ok(());
    }
    counts.compared += 1;
    counts.rerun += u64::from(is_fork);
    expected.difference(&played).map_or(Ok(()), Err)
}

/// A run that a node has started exists, is linked to the node, and has ended as the log says.
fn children_have_ended(
    id: &RunId,
    events: &[Event],
    played: &Played,
    counts: &mut Counts,
) -> Result<(), String> {
    // A fork has taken over how runs of its source ended.
    let begun = fork::forked(events).map_or(0, |(place, _)| place);
    for event in events.iter().skip(begun) {
        let EventBody::ChildEnded(ended) = &event.body else { continue };
        let Some((record, log)) = played.stored.get(&ended.run) else {
            match ended.status {
                None => continue,
                Some(status) => return Err(format!("{} is not there, and has {status}", ended.run)),
            }
        };
        let link = record.head.parent.as_deref().ok_or("a run that a node has started names it")?;
        if (&link.run, &link.path, link.attempt) != (id, &ended.path, ended.attempt) {
            return Err(format!("{} was started at {link:?}, and not at {}", ended.run, ended.path));
        }
        // A process that was suspended may create it after it was said to be missing; then it is cancelled at once.
        let is_late = ended.status.is_none()
            && record.head.status == RunStatus::Cancelled
            && !log.iter().any(|event| matches!(event.body, EventBody::RunStarted));
        if is_late {
            continue;
        }
        if ended.status != Some(record.head.status) || !log.last().is_some_and(|last| last.body.is_terminal())
        {
            return Err(format!("{} is {}, and not {:?}", ended.run, record.head.status, ended.status));
        }
        counts.children += 1;
    }
    Ok(())
}

/// A call that panicked has failed, or was not wanted any more; it is never repeated as if its process had
/// died.
fn panics_are_failures(id: &RunId, events: &[Event], played: &Played) -> Result<(), String> {
    for Event { body, .. } in events {
        if let EventBody::AttemptInterrupted { path, attempt, .. } = body
            && played.panicked.contains(&(id.clone(), path.clone(), *attempt))
        {
            return Err(format!("{path} #{attempt} panicked, but no failure was recorded"));
        }
    }
    Ok(())
}

/// The output of calls is stored, or its loss is reported.
fn output_is_told_of(id: &RunId, events: &[Event], played: &Played) -> Result<(), String> {
    // A driver that loses a run stops its calls, and does not wait for their last output.
    if events.iter().any(|event| matches!(event.body, EventBody::AttemptInterrupted { .. })) {
        return Ok(());
    }
    let entries = played.output.get(id).map(Vec::as_slice).unwrap_or_default();
    let lines = |entry: &OutputEntry| match entry.kind {
        OutputKind::Dropped => entry.text.parse().unwrap_or(0),
        _ => 1,
    };
    let (said, told) = (played.said.get(id).copied().unwrap_or(0), entries.iter().map(lines).sum::<u64>());
    if said == told {
        Ok(())
    } else {
        Err(format!("its calls output {said} lines, but {told} are stored or reported as lost"))
    }
}

/// Counts the events of a run's log.
fn count(events: &[Event], counts: &mut Counts) {
    let is_over = |error: &Failure| error.class == FailureClass::Budget;
    let mut started = HashSet::new();
    for Event { at, body, .. } in events {
        let counted = match body {
            EventBody::AttemptStarted { path, attempt, .. } => {
                started.insert((path, *attempt));
                continue;
            }
            EventBody::AttemptInterrupted { .. } => &mut counts.interrupted,
            EventBody::AttemptFailed { parked: true, retry_at: Some(until), .. } => {
                // It is requested again after a moment.
                let moment = until.duration_since(*at) <= SignedDuration::from_secs(1);
                counts.parked_late += u64::from(moment);
                &mut counts.parked
            }
            EventBody::AttemptFailed { path, attempt, error, .. } if is_over(error) => {
                let was_called = started.contains(&(path, *attempt));
                if was_called { &mut counts.stopped } else { &mut counts.refused }
            }
            EventBody::AttemptFailed { path, attempt, .. } => {
                started.remove(&(path, *attempt));
                continue;
            }
            EventBody::NodeAsked { reason: WaitReason::UnknownOutcome, .. } => &mut counts.doubted,
            EventBody::BudgetWarning { .. } => &mut counts.warned,
            EventBody::SessionRecorded { .. } => &mut counts.sessions,
            EventBody::SessionDropped { .. } => &mut counts.dropped,
            _ => continue,
        };
        *counted += 1;
    }
}
