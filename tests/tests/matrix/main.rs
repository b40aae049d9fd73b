//! Every type of node with every fault, at every append: the combinations of the rows of several tables.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

mod finally;
mod happenings;
mod media;
mod subjects;
mod waiting;
mod waits;

use std::collections::BTreeMap;

use serde_json::json;
use workflow_core::definition;
use workflow_core::event::EventBody;
use workflow_core::failure::{FailureClass, ItemFailure};
use workflow_core::ids::NodePath;
use workflow_core::status::{RunStatus, StageStatus};
use workflow_tests::faulty::Fault;
use workflow_tests::play::{Case, Played};
use workflow_tests::scenario::Scenario;

use self::happenings::{End, Happening};
use self::subjects::Subject;

/// How many lanes a stage has, and how their outputs are combined.
struct Lanes {
    yaml: &'static str,
    count: usize,
    /// Whether the stage's output is an array of its lanes' outputs.
    all: bool,
}

const ONE: Lanes = Lanes { yaml: "provider: cid", count: 1, all: false };

const SEVERAL: [Lanes; 4] = [
    Lanes { yaml: "providers: [{ provider: cid }, { provider: cid }]", count: 2, all: false },
    Lanes { yaml: "mode: parallel, providers: [{ provider: cid }, { provider: cid }]", count: 2, all: true },
    Lanes {
        yaml: "mode: parallel, parallel_strategy: race, providers: [{ provider: cid }, { provider: cid }]",
        count: 2,
        all: false,
    },
    Lanes {
        yaml: "mode: parallel, parallel_strategy: majority, providers: [{ provider: cid }, { provider: cid }]",
        count: 2,
        all: true,
    },
];

/// One row of each table.
struct Combination<'t> {
    subject: &'t Subject,
    happening: &'t Happening,
    lanes: &'t Lanes,
    case: Case,
}

impl<'t> Combination<'t> {
    fn new(subject: &'t Subject, happening: &'t Happening, lanes: &'t Lanes) -> Self {
        let case = Scenario::new("matrix", &happening.to(subject, lanes.yaml)).into();
        Self { subject, happening, lanes, case }
    }

    fn described(&self) -> String {
        format!("{} × {} × {}", self.subject.name, self.happening.name, self.lanes.yaml)
    }

    /// Checks the expected result of the combination, whichever hosts died.
    fn check(&self, played: &Played) {
        let (view, about) = (&played.view, self.described());
        let stages = &view.context.stages;
        let (status, work, class) = match self.happening.end {
            End::Well(_) | End::Passed(_) => (RunStatus::Completed, StageStatus::Completed, None),
            End::Failed(class) => (RunStatus::Failed, StageStatus::Failed, Some(class)),
            End::Without(class) => (RunStatus::Completed, StageStatus::Failed, Some(class)),
            // How far it got until then depends on timing.
            End::Cancelled => (RunStatus::Cancelled, stages["work"].status, None),
        };
        assert_eq!(view.status, status, "{about}");
        assert_eq!(stages["work"].status, work, "{about}");
        let reported = stages.get("report").is_some_and(|stage| stage.status == StageStatus::Completed);
        // The node that ends the run does so when its stage has completed.
        let has_passed = matches!(self.happening.end, End::Passed(_));
        let is_ended =
            self.subject.graph.contains("type: end") && work == StageStatus::Completed && !has_passed;
        assert_eq!(reported, status == RunStatus::Completed && !is_ended, "{about}");
        if let Some(class) = class {
            self.check_failure(played, class);
        }
        if let End::Passed(class) = self.happening.end {
            self.check_passed(played, class);
        } else if work == StageStatus::Completed && status == RunStatus::Completed {
            self.check_output(played);
        }
    }

    fn check_failure(&self, played: &Played, class: FailureClass) {
        let about = self.described();
        let failed: Vec<_> = played
            .events
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::AttemptFailed { path, error, retry_at: None, .. }
                | EventBody::NodeFailed { path, error, .. } => Some((path, error)),
                _ => None,
            })
            .collect();
        // The first failure, which caused all others.
        let (_, error) = failed.first().unwrap_or_else(|| panic!("{about}: nothing failed"));
        assert_eq!(error.class, class, "{about}");
        let error = played.view.context.stages["work"].error.as_ref().unwrap();
        let alone = failed.iter().all(|(path, _)| failed[0].0.to_string().starts_with(&path.to_string()));
        let expected = if alone && self.lanes.count == 1 { class } else { FailureClass::Stage };
        assert_eq!(error.class, expected, "{about}: {error:?}");
    }

    /// What failed is known, and what comes after it has run.
    fn check_passed(&self, played: &Played, class: FailureClass) {
        let about = self.described();
        let first = played.events.iter().find_map(|event| match &event.body {
            EventBody::AttemptFailed { path, error, continues: true, .. }
            | EventBody::NodeFailed { path, error, continues: true } => Some((path, error)),
            _ => None,
        });
        let (path, error) = first.unwrap_or_else(|| panic!("{about}: nothing failed"));
        assert_eq!(error.class, class, "{about}");
        let work = &played.view.context.stages["work"];
        let lanes = work.results.iter().filter(|lane| lane.status == StageStatus::Completed);
        let lanes: Vec<_> = lanes.collect();
        assert!(!lanes.is_empty(), "{about}");
        for lane in lanes {
            let node = |id: &str| lane.nodes.iter().find(|node| node.id.as_str() == id).unwrap();
            let failed = node(path.node.as_str());
            let classes: Vec<_> = match failed.errors.as_slice() {
                [] => vec![failed.error.as_ref().unwrap().class],
                items => {
                    let nulls = failed.output.value();
                    let at = |item: &ItemFailure| {
                        let whole = &nulls[item.index as usize];
                        item.inner.iter().fold(whole, |list, index| &list[*index as usize]).clone()
                    };
                    assert!(items.iter().all(|item| at(item).is_null()), "{about}");
                    assert_eq!(items.len(), self.subject.calls, "{about}");
                    items.iter().map(|item| item.class).collect()
                }
            };
            assert!(classes.iter().all(|found| *found == class), "{about}: {classes:?}");
            assert_eq!(node("after").status, StageStatus::Completed, "{about}");
        }
    }

    fn check_output(&self, played: &Played) {
        let about = self.described();
        let work = &played.view.context.stages["work"];
        let lanes = work.results.iter().filter(|lane| lane.status == StageStatus::Completed);
        let lanes: Vec<_> = lanes.collect();
        assert!(!lanes.is_empty(), "{about}");
        for lane in lanes {
            let node = |id: &str| lane.nodes.iter().find(|node| node.id.as_str() == id).unwrap();
            assert_eq!(node("subject").output.value(), self.subject.output, "{about}");
            assert_eq!(node("after").status, StageStatus::Completed, "{about}");
        }
        let graph = &self.subject.graph;
        let output = if graph.contains("type: export") && !graph.contains("type: foreach") {
            self.subject.output.clone()
        } else {
            json!({ "after": "last", "beside": "beside" })
        };
        let output = if self.lanes.all { json!(vec![output; self.lanes.count]) } else { output };
        assert_eq!(work.output.as_ref().unwrap().value(), output, "{about}");
        if self.happening.name == "variables" {
            assert_eq!(played.view.context.vars["x"].value(), self.subject.output, "{about}");
        }
    }

    /// How often each call was made, if no host died and no lane lost.
    fn check_counts(&self, played: &Played) {
        let about = self.described();
        let mut counts: BTreeMap<(&str, &NodePath), usize> = BTreeMap::new();
        for call in &played.calls {
            *counts.entry((&call.provider, &call.id.path)).or_default() += 1;
        }
        for ((provider, path), count) in &counts {
            let expected = match self.happening.end {
                End::Well(times) if *provider == "ann" => times,
                _ if *provider == "ann" => *count,
                // A successful call does not run again.
                _ => 1,
            };
            assert_eq!(*count, expected, "{about}: {path}");
        }
        if matches!(self.happening.end, End::Well(_)) {
            let places = counts.keys().filter(|(provider, _)| *provider == "ann").count();
            assert_eq!(places, self.subject.calls * self.lanes.count, "{about}");
        }
    }
}

/// Every subject with every fault, and the number of the pair.
fn each(lanes: &Lanes, check: impl Fn(&Combination<'_>, usize)) {
    let happenings = happenings::all();
    for (row, subject) in subjects::all().into_iter().enumerate() {
        for (column, happening) in happenings.iter().chain(&happenings::unfit(&subject)).enumerate() {
            check(&Combination::new(&subject, happening, lanes), row + column);
        }
    }
}

/// Whether a combination is played in part `part` of four: successful ones in all, the others in one, and
/// those of a `foreach` only if its items are sequential. With `MATRIX=all` everything is.
fn is_in(part: usize, combination: &Combination<'_>, number: usize) -> bool {
    let is_short = !combination.subject.graph.contains("parallel");
    combination.happening.name == "success" || (is_short && number % 4 == part) || is_all()
}

/// Whether nothing is left out.
fn is_all() -> bool {
    std::env::var("MATRIX").is_ok_and(|asked| asked == "all")
}

/// Applies a fault to each append of the first host.
fn at_every_append(fault: Fault, part: usize) {
    each(&ONE, |combination, number| {
        if !is_in(part, combination, number) {
            return;
        }
        let undisturbed = combination.case.play(0, |_, _| Fault::None);
        for at in 1..=undisturbed.appends {
            let faults = move |host, append| if (host, append) == (1, at) { fault } else { Fault::None };
            combination.check(&combination.case.play(0, faults));
        }
    });
}

#[test]
fn every_node_ends_as_what_happens_to_it_calls_for() {
    each(&ONE, |combination, _| {
        let played = combination.case.play(0, |_, _| Fault::None);
        combination.check(&played);
        combination.check_counts(&played);
    });
}

#[test]
fn every_node_does_so_in_each_of_several_lanes() {
    for (part, lanes) in SEVERAL.iter().enumerate() {
        each(lanes, |combination, number| {
            if is_in(part, combination, number) {
                combination.check(&combination.case.play(1, |_, _| Fault::None));
            }
        });
    }
}

#[test]
fn every_node_does_so_when_its_host_dies_before_an_append() {
    at_every_append(Fault::DieBefore, 0);
}

#[test]
fn every_node_does_so_when_its_host_dies_after_an_append() {
    at_every_append(Fault::DieAfter, 1);
}

#[test]
fn every_node_does_so_when_its_store_loses_an_append() {
    at_every_append(Fault::Lose, 2);
}

#[test]
fn every_node_does_so_when_its_store_loses_an_answer() {
    at_every_append(Fault::LoseAnswer, 3);
}

#[test]
fn every_type_of_node_is_there() {
    let graphs: String = subjects::all().into_iter().map(|subject| subject.graph).collect();
    let mut words = Vec::new();
    let nodes = serde_json::to_value(schemars::schema_for!(definition::Node)).unwrap();
    for node in nodes["oneOf"].as_array().unwrap() {
        words.push(format!("type: {}", node["properties"]["type"]["const"].as_str().unwrap()));
    }
    let strategies = serde_json::to_value(schemars::schema_for!(definition::ReduceStrategy)).unwrap();
    for strategy in strategies["oneOf"].as_array().unwrap() {
        words.push(format!("strategy: {}", strategy["const"].as_str().unwrap()));
    }
    let missing: Vec<_> = words.iter().filter(|word| !graphs.contains(*word)).collect();
    assert!(words.len() >= 11 && missing.is_empty(), "no subject has {missing:?} of {words:?}");
}
