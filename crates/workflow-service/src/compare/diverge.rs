//! The first point where two runs differ.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;
use workflow_core::ids::{NodePath, StageId};

use crate::report::{Report, ReportCall, ReportStage, count};

/// The first point where two runs differ, in the order of their stages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Divergence {
    /// The iteration.
    pub iteration: u32,
    /// The stage where they differ; absent where only the statuses of the runs do.
    pub stage: Option<StageId>,
    /// The node whose calls differ; absent where the whole stage does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<NodePath>,
    /// What differs.
    pub what: DivergedIn,
    /// What the first run has there.
    pub first: String,
    /// What the second run has there.
    pub second: String,
}

/// In what two runs differ at a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum DivergedIn {
    /// Another stage, or none, follows.
    Stage,
    /// A person answered differently.
    Answer,
    /// Another provider was called, or only one of the runs called a provider.
    Provider,
    /// A call needed more attempts, or ended differently.
    Attempts,
    /// The stage ended differently.
    Outcome,
    /// The stage has another output.
    Output,
    /// The stages are the same, and the runs have different statuses.
    Status,
}

/// The first point where they differ.
pub(super) fn first(one: &Report, other: &Report) -> Option<Divergence> {
    for n in 0..one.stages.len().max(other.stages.len()) {
        let (first, second) = (one.stages.get(n), other.stages.get(n));
        let (Some(a), Some(b)) = (first, second) else { return not_begun(one, other, first, second) };
        if (a.iteration, &a.stage) != (b.iteration, &b.stage) {
            return not_begun(one, other, first, second);
        }
        if let Some(found) = within((one, a), (other, b)) {
            return Some(found);
        }
    }
    (one.status != other.status).then(|| Divergence {
        iteration: one.iteration,
        stage: None,
        path: None,
        what: DivergedIn::Status,
        first: one.status.to_string(),
        second: other.status.to_string(),
    })
}

/// Where a stage has begun in one of the runs only: that can be because of what a person was asked before it.
fn not_begun(
    one: &Report,
    other: &Report,
    first: Option<&ReportStage>,
    second: Option<&ReportStage>,
) -> Option<Divergence> {
    let asked = first.into_iter().chain(second).find_map(|at| {
        let (first, second) = (answers(one, at), answers(other, at));
        (first != second).then(|| Divergence {
            iteration: at.iteration,
            stage: Some(at.stage.clone()),
            path: None,
            what: DivergedIn::Answer,
            first,
            second,
        })
    });
    asked.or_else(|| stage(first, second))
}

fn stage(first: Option<&ReportStage>, second: Option<&ReportStage>) -> Option<Divergence> {
    let at = first.or(second)?;
    let name = |stage: Option<&ReportStage>| {
        stage.map_or("no further stage".to_owned(), |stage| {
            format!("stage {} of iteration {}", stage.stage, stage.iteration)
        })
    };
    Some(Divergence {
        iteration: at.iteration,
        stage: Some(at.stage.clone()),
        path: None,
        what: DivergedIn::Stage,
        first: name(first),
        second: name(second),
    })
}

/// Where the same stage differs.
fn within<'r>(
    (one, a): (&'r Report, &ReportStage),
    (other, b): (&'r Report, &ReportStage),
) -> Option<Divergence> {
    let at = |path: Option<&NodePath>, what, first: String, second: String| {
        (first != second).then(|| Divergence {
            iteration: a.iteration,
            stage: Some(a.stage.clone()),
            path: path.cloned(),
            what,
            first,
            second,
        })
    };
    let calls = |report: &'r Report| -> BTreeMap<&NodePath, &ReportCall> {
        let of_stage = |call: &&ReportCall| call.path.iteration == a.iteration && call.path.stage == a.stage;
        report.calls.iter().filter(of_stage).map(|call| (&call.path, call)).collect()
    };
    let (first, second) = (calls(one), calls(other));
    // A call that only one of the reports has may have been left out of the other one.
    let are_complete = !one.omits_calls && !other.omits_calls;
    let differing = || {
        let paths: BTreeSet<_> = first.keys().chain(second.keys()).copied().collect();
        paths.into_iter().find_map(|path| match (first.get(path), second.get(path)) {
            (Some(a), Some(b)) => at(Some(path), DivergedIn::Provider, provider(a), provider(b))
                .or_else(|| at(Some(path), DivergedIn::Attempts, attempts(a), attempts(b))),
            (a, b) => {
                let made =
                    |call: Option<&&ReportCall>| call.map_or("no call".to_owned(), |call| provider(call));
                at(Some(path), DivergedIn::Provider, made(a), made(b)).filter(|_| are_complete)
            }
        })
    };
    at(None, DivergedIn::Answer, answers(one, a), answers(other, b))
        .or_else(differing)
        .or_else(|| at(None, DivergedIn::Outcome, outcome(a), outcome(b)))
        .or_else(|| {
            let text = |stage: &ReportStage| {
                stage.output.as_ref().map_or("no output".to_owned(), |output| output.text.clone())
            };
            (a.output != b.output).then(|| Divergence {
                iteration: a.iteration,
                stage: Some(a.stage.clone()),
                path: None,
                what: DivergedIn::Output,
                first: text(a),
                second: text(b),
            })
        })
}

/// What people answered in a pass of a stage.
fn answers(report: &Report, stage: &ReportStage) -> String {
    let place = format!("{}/{}", stage.iteration, stage.stage);
    let answers = report.questions.iter().filter(|question| {
        question.place.strip_prefix(&place).is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
    });
    let answers: Vec<_> = answers
        .map(|question| {
            question.answer.as_ref().map_or("not answered".to_owned(), |answer| answer.text.clone())
        })
        .collect();
    if answers.is_empty() { "nothing was asked".to_owned() } else { answers.join("\n") }
}

fn provider(call: &ReportCall) -> String {
    call.provider.as_deref().unwrap_or("no provider").to_owned()
}

fn attempts(call: &ReportCall) -> String {
    let last = call.attempts.iter().rev().find_map(|attempt| attempt.error.as_ref());
    let error = last.map(|error| format!(": {}", error.message)).unwrap_or_default();
    format!("{} after {}{error}", call.status, count(call.spent.attempts, "attempt"))
}

fn outcome(stage: &ReportStage) -> String {
    let error = stage.error.as_ref().map(|error| format!(": {}", error.message)).unwrap_or_default();
    format!("{}{error}", stage.status)
}
