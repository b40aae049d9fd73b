//! The answers of persons to runs, including invalid, late and duplicate ones; and the check of their
//! effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::status::{Wait, WaitReason};
use workflow_core::store::{Answer, Control, Signal};

use super::counts::Counts;
use crate::reference::answers;
use crate::reference::case::Case;
use crate::reference::chance::Chance;

/// A person who looks at runs now and then.
pub struct Person {
    /// Decides the answers.
    pub(super) chance: Chance,
    /// The answers so far.
    said: BTreeMap<RunId, Vec<Answer>>,
}

/// A control request to a run.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its number among the control requests.
    pub number: u64,
    /// The request.
    pub control: Control,
    /// Who sent it.
    pub by: Option<Arc<Actor>>,
    /// How many events there were before it.
    pub before: usize,
    /// When it was sent.
    pub at: Timestamp,
}

impl Person {
    /// A person of a world.
    pub fn new(seed: u64) -> Self {
        Self { chance: Chance::of(seed, "person"), said: BTreeMap::new() }
    }

    /// The control requests to a run of a case with these waits, or without any.
    pub fn says(&mut self, run: &RunId, case: &Case, waits: &[Wait]) -> Vec<Control> {
        let mut controls = Vec::new();
        if waits.iter().any(|wait| wait.reason == WaitReason::Crashes) {
            controls.push(Control::Resume);
        }
        for (wait, number) in waits.iter().filter_map(|wait| Some((wait, wait.number?))) {
            let answer = Answer { wait: number, value: Data::new(&answers::person(case, wait)) };
            self.said.entry(run.clone()).or_default().push(answer.clone());
            let mut said = vec![Control::Answer(answer.clone())];
            if self.chance.percent(20) {
                let none = Answer { value: Data::new(&17.into()), ..answer };
                let other = if self.chance.percent(50) { none } else { answer };
                said.insert(self.chance.below(2), Control::Answer(other));
            }
            if self.chance.percent(2) {
                said.insert(self.chance.below(2), Control::Cancel);
            }
            controls.extend(said);
        }
        for signal in waits.iter().filter_map(answers::signal_for) {
            controls.push(Control::Signal(signal.into()));
        }
        if self.chance.percent(5) {
            // Nothing may wait for it yet, or any more; it is sent twice.
            let name = *self.chance.one(&answers::SIGNALS[..]);
            let id = format!("s{}", self.chance.below(3));
            let signal = Control::Signal(answers::signal(name).id(id).unwrap().into());
            controls.extend([signal.clone(), signal]);
        }
        if self.chance.percent(10)
            && let Some(said) = self.said.get(run)
        {
            controls.push(Control::Answer(self.chance.one(said).clone()));
        }
        if self.chance.percent(1) {
            // No request follows the first event of a run.
            controls.push(Control::Answer(Answer { wait: 1, value: Data::new(&true.into()) }));
        }
        controls
    }
}

/// Checks the effect of every answer: it is applied once, or refused with a reason. The events of all control requests
/// name who sent them.
///
/// # Errors
///
/// The first violation.
pub fn judge(events: &[Event], asked: &[Asked], counts: &mut Counts) -> Result<(), String> {
    let last = events.iter().filter_map(control).max().unwrap_or(0);
    for Asked { number, control: asked, by, .. } in asked {
        let carried = events.iter().find(|event| control(event) == Some(*number)).map(who);
        if carried.is_some_and(|carried| carried != by.as_ref()) {
            return Err(format!("the event of the control request {number} does not name who sent it"));
        }
        if let Control::Signal(signal) = asked {
            judge_signal(events, *number, signal, last, counts)?;
            continue;
        }
        let Control::Answer(answer) = asked else { continue };
        let mut found = events.iter().filter(|event| control(event) == Some(*number));
        let (Some(event), another) = (found.next(), found.next()) else {
            // Its run had ended, or was abandoned before it was delivered.
            if *number < last {
                return Err(format!("the answer {number} had no effect, but a later control request had"));
            }
            counts.unheard += 1;
            continue;
        };
        if another.is_some() {
            return Err(format!("the answer {number} was applied twice"));
        }
        let before = &events[..events.iter().take_while(|before| before.seq < event.seq).count()];
        let asks = before.iter().find(|asks| asks.seq == answer.wait).and_then(asks);
        let is_fit = asks.as_ref().is_some_and(|asks| could_be_given(asks, &answer.value.value()));
        let is_given = is_given(before, answer.wait);
        let is_cancelling =
            before.iter().any(|event| matches!(event.body, EventBody::CancelRequested { .. }));
        match &event.body {
            EventBody::Answered { wait, answer: given, .. } if *wait == answer.wait => {
                if *given != answer.value {
                    return Err(format!("the answer {number} differs in the log"));
                }
                if !is_fit || is_given || is_cancelling {
                    return Err(format!("the answer {number} was applied, but is invalid"));
                }
                counts.answered += 1;
            }
            EventBody::AnswerRefused { wait, .. } if *wait == answer.wait => {
                let counted = if is_cancelling {
                    &mut counts.answered_while_cancelling
                } else if is_given {
                    &mut counts.answered_twice
                } else if asks.is_some() && !is_fit {
                    &mut counts.answered_wrong
                } else if asks.is_none() {
                    &mut counts.answered_unasked
                } else if has_ended_since(before, answer.wait) {
                    &mut counts.answered_late
                } else {
                    return Err(format!("the answer {number} was refused, but is valid"));
                };
                *counted += 1;
            }
            body => return Err(format!("the answer {number} resulted in {body:?}")),
        }
    }
    Ok(())
}

/// Checks that a signal was received once, unchanged.
fn judge_signal(
    events: &[Event],
    number: u64,
    signal: &Signal,
    last: u64,
    counts: &mut Counts,
) -> Result<(), String> {
    let mut found = events.iter().filter(|event| control(event) == Some(number));
    let cancels = |event: &Event| matches!(event.body, EventBody::CancelRequested { .. });
    match (found.next().map(|event| &event.body), found.next()) {
        (Some(EventBody::SignalReceived { signal: received, .. }), None) if **received == *signal => {
            counts.signals += 1;
            Ok(())
        }
        (None, None) if number > last || events.iter().any(cancels) => {
            counts.unheard += 1;
            Ok(())
        }
        (None, None) => Err(format!("the signal {number} was lost: a later control request had an effect")),
        (Some(body), _) => Err(format!("the signal {number} resulted in {body:?}, or was received twice")),
        (None, Some(_)) => Ok(()),
    }
}

/// The control request that an event applies.
fn control(event: &Event) -> Option<u64> {
    match &event.body {
        EventBody::PauseRequested { control, .. }
        | EventBody::RunResumed { control, .. }
        | EventBody::CancelRequested { control, .. }
        | EventBody::Answered { control, .. }
        | EventBody::AnswerRefused { control, .. }
        | EventBody::SignalReceived { control, .. } => Some(*control),
        _ => None,
    }
}

/// Who sent the control request that an event applies.
fn who(event: &Event) -> Option<&Arc<Actor>> {
    match &event.body {
        EventBody::PauseRequested { by, .. }
        | EventBody::RunResumed { by, .. }
        | EventBody::CancelRequested { by, .. }
        | EventBody::Answered { by, .. }
        | EventBody::AnswerRefused { by, .. }
        | EventBody::SignalReceived { by, .. } => by.as_ref(),
        _ => None,
    }
}

/// The question of an event, and the schema of the answer.
fn asks(event: &Event) -> Option<(WaitReason, Value)> {
    match &event.body {
        EventBody::StageAsked { .. } => Some((WaitReason::Approval, Value::Null)),
        EventBody::NodeAsked { reason, schema, .. } => {
            Some((*reason, schema.as_ref().map(Data::value).unwrap_or_default()))
        }
        _ => None,
    }
}

/// Whether an answer is valid for a question. The questions of random workflows have choices, or no schema.
fn could_be_given((reason, schema): &(WaitReason, Value), answer: &Value) -> bool {
    match reason {
        WaitReason::Approval => answer.is_boolean() || answer["approved"].is_boolean(),
        WaitReason::UnknownOutcome => {
            let outcome = answer.get("outcome").unwrap_or(answer);
            let happened = *outcome == json!("happened") && answer.get("result").is_some();
            happened || [json!("rerun"), json!("not_happened")].contains(outcome)
        }
        _ => schema["enum"].as_array().map_or(answer.is_string(), |choices| choices.contains(answer)),
    }
}

fn is_given(before: &[Event], number: u64) -> bool {
    before.iter().any(|event| matches!(event.body, EventBody::Answered { wait, .. } if wait == number))
}

/// Whether a stage or node ended after the question, so that it may no longer be open.
fn has_ended_since(before: &[Event], number: u64) -> bool {
    before.iter().filter(|event| event.seq > number).any(|event| {
        matches!(
            event.body,
            EventBody::StageCompleted { .. }
                | EventBody::StageFailed { .. }
                | EventBody::LaneCompleted { .. }
                | EventBody::LaneFailed { .. }
                | EventBody::NodeFailed { .. }
                | EventBody::AttemptFailed { retry_at: None, .. }
                | EventBody::AttemptSucceeded { .. }
        )
    })
}
