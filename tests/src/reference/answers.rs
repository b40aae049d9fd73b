//! What providers answer.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;
use workflow_core::status::{Wait, WaitReason};

use super::case::Case;
use super::chance::Chance;

/// What comes of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// An output.
    Reply(Value),
    /// A failure of that class.
    Failure(FailureClass),
    /// The quota is used up for so many seconds.
    Quota(i64),
}

/// The answer to the call of the node at `path` before which so many had an answer.
pub fn answer(case: &Case, path: &NodePath, before: u32) -> Answer {
    let mut chance = Chance::of(case.seed, &format!("{path} {before}"));
    if chance.percent(case.trouble) {
        return match chance.below(10) {
            0..=4 => Answer::Failure(FailureClass::Transient),
            5 => Answer::Failure(FailureClass::Permanent),
            6..=7 => Answer::Failure(FailureClass::InvalidOutput),
            8 => Answer::Failure(FailureClass::RateLimited),
            _ => Answer::Quota(1 + i64::try_from(chance.below(60)).unwrap()),
        };
    }
    Answer::Reply(reply(&mut chance, path))
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

/// Whether a person agrees who is asked at `place`.
pub(super) fn agrees(case: &Case, place: &str) -> bool {
    Chance::of(case.seed, &format!("person at {place}")).percent(80)
}

/// What a person answers to what a run waits for.
pub(crate) fn person(case: &Case, wait: &Wait) -> Value {
    let place = wait.place.as_deref().unwrap();
    if wait.reason == WaitReason::Approval {
        return agrees(case, place).into();
    }
    let choices = wait.schema.as_ref().map(|schema| schema.value()["enum"].as_array().cloned().unwrap());
    says(case, place, &choices.unwrap_or_default())
}

/// What a person answers who is asked at `place`, of these choices where there are any.
pub(super) fn says(case: &Case, place: &str, choices: &[Value]) -> Value {
    match choices {
        [] => format!("a person at {place}").into(),
        choices => Chance::of(case.seed, &format!("person at {place}")).one(choices).clone(),
    }
}

/// A short list of small things, some of them alike.
fn list(chance: &mut Chance) -> Value {
    let things = [json!(1), json!(2), json!("yes"), json!({ "k": "v" }), json!([1, "a"]), json!(null)];
    (0..chance.below(4)).map(|_| chance.one(&things).clone()).collect()
}

/// How many milliseconds an attempt takes.
pub(super) fn delay(case: &Case, path: &NodePath, attempt: u32) -> u64 {
    Chance::of(!case.seed, &format!("{path} {attempt}")).next() % 40
}
