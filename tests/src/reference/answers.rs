//! The answers of providers.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use workflow_core::data::Data;
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;
use workflow_core::provider::{ProviderError, Reply};
use workflow_core::status::{Wait, WaitReason};
use workflow_core::store::Signal;
use workflow_core::usage::Usage;

use super::case::Case;
use super::chance::Chance;

/// The result of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// An output.
    Reply(Value),
    /// A failure of that class, and the partial output before it.
    Failure(FailureClass, Option<Value>),
    /// The quota is used up for this many seconds; zero or less is a time in the past.
    Quota(i64),
}

/// The answer to the call of the node at `path` after `before` earlier answers.
pub fn answer(case: &Case, path: &NodePath, before: u32) -> Answer {
    let mut chance = Chance::of(case.seed, &format!("{path} {before}"));
    if chance.percent(case.trouble) {
        let class = match chance.below(10) {
            0..=3 => Some(FailureClass::Transient),
            4 => Some(FailureClass::Permanent),
            5..=6 => Some(FailureClass::InvalidOutput),
            7 => Some(FailureClass::RateLimited),
            _ => None,
        };
        let mut left = Chance::of(case.seed, &format!("left of {path} {before}"));
        return match class {
            // A failure that may be a panic has no output.
            Some(class) => {
                let gives = left.percent(50) && class != FailureClass::Permanent;
                Answer::Failure(class, gives.then(|| reply(&mut left, path)))
            }
            None => Answer::Quota(i64::try_from(chance.below(60)).unwrap() - 15),
        };
    }
    Answer::Reply(reply(&mut chance, path))
}

/// The reported usage of the call of the node at `path` after `before` earlier answers.
pub fn usage(case: &Case, path: &NodePath, before: u32) -> Option<Usage> {
    let mut chance = Chance::of(case.seed, &format!("usage of {path} {before}"));
    let mut tokens = |percent| Some(10 * chance.below(6) as u64).filter(|_| chance.percent(percent));
    let (input_tokens, output_tokens) = (tokens(80), tokens(60));
    let cost_usd = Some(f64::from(u8::try_from(chance.below(5)).unwrap()) / 4.0);
    let usage = Usage { cost_usd: cost_usd.filter(|_| chance.percent(75)), input_tokens, output_tokens };
    Some(usage).filter(|_| chance.percent(80))
}

fn reply(chance: &mut Chance, path: &NodePath) -> Value {
    let object = |chance: &mut Chance| {
        let mut object = json!({
            "done": chance.percent(40),
            "score": chance.below(10),
            "flag": chance.percent(50),
            "xs": list(chance),
            "by": format!("{path}"),
        });
        if chance.percent(15) {
            object["recommended_next_stage"] = format!("s{}", chance.below(6)).into();
        }
        object
    };
    match chance.below(100) {
        0..=44 => object(chance),
        45..=57 => format!("said at {path}").into(),
        58..=65 => format!("```json\n{}\n```", object(chance)).into(),
        66..=77 => list(chance),
        78..=87 => chance.one(&["yes", "no"]).to_owned().into(),
        88..=93 => chance.below(5).into(),
        94..=96 => Value::Null,
        _ => chance.percent(50).into(),
    }
}

/// Whether a person who is asked at `place` agrees.
pub(super) fn agrees(case: &Case, place: &str) -> bool {
    Chance::of(case.seed, &format!("person at {place}")).percent(80)
}

/// A person's answer to what a run waits for.
pub(crate) fn person(case: &Case, wait: &Wait) -> Value {
    let place = wait.place.as_deref().unwrap();
    match wait.reason {
        WaitReason::Approval => return agrees(case, place).into(),
        // The same as without a question.
        WaitReason::UnknownOutcome => {
            let is_new = Chance::of(case.seed, &format!("session at {place}")).percent(30);
            return if is_new { json!({ "outcome": "rerun", "session": "new" }) } else { "rerun".into() };
        }
        _ => {}
    }
    let choices = wait.schema.as_ref().map(|schema| schema.value()["enum"].as_array().cloned().unwrap());
    says(case, place, &choices.unwrap_or_default())
}

/// The signal that a wait is for, as it is always sent; none for a signal that is never sent.
pub(crate) fn signal_for(wait: &Wait) -> Option<Signal> {
    wait.signal.as_deref().filter(|name| *name != NEVER).map(signal)
}

/// The signal of that name, as it is always sent: it does not matter which of several is received.
pub(crate) fn signal(name: &str) -> Signal {
    Signal::new(name).unwrap().data(json!({ "told": name }))
}

/// The name of a signal that is never sent.
pub(crate) const NEVER: &str = "never";

/// The names of the signals that are sent.
pub(crate) const SIGNALS: [&str; 2] = ["go", "news"];

/// The answer of a person who is asked at `place`, one of these choices if there are any.
pub(super) fn says(case: &Case, place: &str, choices: &[Value]) -> Value {
    match choices {
        [] => format!("a person at {place}").into(),
        choices => Chance::of(case.seed, &format!("person at {place}")).one(choices).clone(),
    }
}

/// A short list of small values, some of them equal.
fn list(chance: &mut Chance) -> Value {
    let things = [json!(1), json!(2), json!("yes"), json!({ "k": "v" }), json!([1, "a"]), json!(null)];
    (0..chance.below(4)).map(|_| chance.one(&things).clone()).collect()
}

/// The result of a provider with that answer and usage.
pub(crate) fn result(answer: Answer, usage: Option<Usage>, now: Timestamp) -> Result<Reply, ProviderError> {
    let failed = |error| Err(ProviderError { usage: usage.clone(), ..error });
    match answer {
        Answer::Reply(value) => Ok(Reply { usage, ..Reply::json(&value) }),
        Answer::Failure(class, left) => {
            let output = left.map(Data::from);
            failed(ProviderError { output, ..ProviderError::new(class, "trouble") })
        }
        Answer::Quota(seconds) => {
            let until = now + SignedDuration::from_secs(seconds);
            failed(ProviderError::rate_limited("over its quota", Some(until)))
        }
    }
}

/// How many milliseconds an attempt takes.
pub(super) fn delay(case: &Case, path: &NodePath, attempt: u32) -> u64 {
    Chance::of(!case.seed, &format!("{path} {attempt}")).next() % 40
}
