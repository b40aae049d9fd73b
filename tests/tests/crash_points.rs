//! The host dies, or the store fails, at every append of every scenario and example.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

use std::collections::HashSet;
use std::path::Path;

use futures::future::{Either, select};
use serde_json::{Value, json};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::NodePath;
use workflow_core::machine::RunView;
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, StoreError};
use workflow_exec::EngineError;
use workflow_tests::faulty::{Fault, Faulty};
use workflow_tests::rules;
use workflow_tests::scenario::{self, Scenario};
use workflow_tests::scripted::{Call, Deeds};
use workflow_tests::sim::Sim;

/// What a run came to.
struct Played {
    events: Vec<Event>,
    calls: Vec<Call>,
    view: RunView,
    appends: u64,
}

/// A scenario, and what its providers do where it does not say it itself.
struct Case {
    scenario: Scenario,
    script: Value,
}

impl Case {
    /// Plays the scenario over a store that meets append number `n` of the host number `h` with
    /// `script(h, n)`. When a host dies, the next goes on with the run.
    fn play(&self, seed: u64, script: impl Fn(u64, u64) -> Fault + Clone + Send + Sync + 'static) -> Played {
        let scenario = &self.scenario;
        scenario.rewind();
        let (sim, memory) = (Sim::seeded(seed), MemoryStore::new());
        let deeds = Deeds::scripted(&sim, self.script.clone());
        let creator = scenario.engine(&sim, &deeds, memory.clone());
        let run = sim.block_on(scenario.create(&sim, &creator));
        let mut stored = Vec::new();
        for host in 1..100 {
            let script = script.clone();
            let store = Faulty::new(&memory.reopen(), move |append| script(host, append));
            let engine = scenario.engine(&sim, &deeds, store.clone());
            let view = sim.block_on(async {
                match select(Box::pin(scenario.play(&sim, &engine, &run)), Box::pin(store.death())).await {
                    Either::Left((Ok(view), _)) => Some(view),
                    Either::Left((Err(EngineError::Store(StoreError::Io { .. })), _)) => {
                        assert!(deeds.calls().iter().all(|call| call.end.is_some()), "calls go on");
                        None
                    }
                    Either::Left((Err(error), _)) => panic!("{error}"),
                    Either::Right(_) => None,
                }
            });
            let view = view.filter(|view| view.status.is_terminal());
            sim.drop_tasks();
            let events = sim.block_on(scenario::events(&memory, &run));
            assert!(events.starts_with(&stored), "what was stored stays");
            if let Some(view) = view {
                let plan = creator.parse(&scenario.yaml, &scenario.name).unwrap();
                rules::check(plan.workflow(), &events);
                let played = Played { events, calls: deeds.calls(), view, appends: store.appends() };
                played.check_calls();
                return played;
            }
            stored = events;
        }
        panic!("{}: the run does not get on", scenario.name);
    }
}

impl Played {
    /// Each call has a start of its own in the log, which is older; and nothing goes on after the end.
    fn check_calls(&self) {
        let started: HashSet<(&NodePath, u32)> = self
            .events
            .iter()
            .filter_map(|event| match &event.body {
                EventBody::AttemptStarted { path, attempt, .. } => Some((path, *attempt)),
                _ => None,
            })
            .collect();
        let mut called = HashSet::new();
        for call in &self.calls {
            let id = (&call.id.path, call.id.attempt);
            assert!(started.contains(&id), "{id:?} was called and not recorded");
            assert!(called.insert(id), "{id:?} was called twice");
            let (at, _) = call.end.unwrap_or_else(|| panic!("{id:?} goes on"));
            let elapsed = self.events.last().unwrap().at.duration_since(self.events[0].at);
            assert!(i128::from(at) <= elapsed.as_millis(), "{id:?} outlives its run");
        }
    }

    /// What matters of a run in the end, whatever happened on the way.
    fn outcome(&self) -> Value {
        let view = &self.view;
        if view.status == RunStatus::Cancelled {
            // How far it came until somebody cancelled it is a matter of time.
            return json!({ "status": view.status });
        }
        let stages = view.context.stages.iter();
        let stages = stages.map(|(id, stage)| json!([id, stage.status, stage.iteration, stage.output]));
        json!({
            "status": view.status,
            "iteration": view.iteration,
            "vars": view.context.vars,
            "stages": stages.collect::<Vec<_>>(),
            "failed": view.failed_stages,
            "error": view.error.as_ref().map(|error| error.class),
        })
    }
}

/// Does something to every append of a case.
fn at_every_append(case: &Case, faults: &[Fault], seed: u64) {
    let whole = case.play(seed, |_, _| Fault::None);
    assert!(whole.appends >= 2);
    for at in 1..=whole.appends {
        for fault in faults.iter().copied() {
            let played = case
                .play(seed, move |host, append| if (host, append) == (1, at) { fault } else { Fault::None });
            let name = &case.scenario.name;
            assert_eq!(played.outcome(), whole.outcome(), "{name}, append {at}, {fault:?}");
        }
    }
}

fn scenarios() -> Vec<Case> {
    Scenario::all().into_iter().map(|scenario| Case { scenario, script: Value::Null }).collect()
}

/// The workflows that the project ships as examples, with what their commands do.
fn examples() -> Vec<Case> {
    let script = json!({
        "check": { "reply": { "done": false } },
        "check@3": { "reply": { "done": true } },
        "ask": [{ "fail": "transient" }, { "fail": "transient" }, { "reply": "answered call 3" }],
        "notify": { "fail": "transient" },
        "review": { "reply": { "remark": "good" } },
        "measure[1]": { "after": 5, "reply": 12 },
        "vote[0]": { "after": 20, "fail": "transient" },
        "vote[1]": { "reply": "for" },
    });
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/workflows");
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_name().unwrap().to_str().unwrap();
        if let Some(name) = name.strip_suffix(".workflow.yml") {
            let scenario = Scenario::new(name, &std::fs::read_to_string(&file).unwrap());
            cases.push(Case { scenario, script: script.clone() });
        }
    }
    assert!(!cases.is_empty());
    cases
}

#[test]
fn a_scenario_goes_on_after_its_host_died_at_any_append() {
    for case in scenarios() {
        at_every_append(&case, &[Fault::DieBefore, Fault::DieAfter], 1);
    }
}

#[test]
fn an_example_goes_on_after_its_host_died_at_any_append() {
    for case in examples() {
        at_every_append(&case, &[Fault::DieBefore, Fault::DieAfter], 2);
    }
}

#[test]
fn a_host_that_dies_again_and_again_gets_there() {
    for case in scenarios().into_iter().chain(examples()) {
        let whole = case.play(3, |_, _| Fault::None);
        let played = case.play(3, |_, append| if append == 2 { Fault::DieAfter } else { Fault::None });
        assert_eq!(played.outcome(), whole.outcome(), "{}", case.scenario.name);
    }
}

#[test]
fn a_scenario_goes_on_when_the_outcome_of_any_append_is_not_known() {
    for case in scenarios() {
        at_every_append(&case, &[Fault::Lose, Fault::LoseAnswer, Fault::LoseAnswerAndRead], 4);
    }
}

#[test]
fn a_scenario_can_be_taken_up_after_its_store_gave_up_at_any_append() {
    for case in scenarios() {
        let whole = case.play(5, |_, _| Fault::None);
        for at in 1..=whole.appends {
            let gives_up =
                move |host, append| if host == 1 && append >= at { Fault::Lose } else { Fault::None };
            let played = case.play(5, gives_up);
            assert_eq!(played.outcome(), whole.outcome(), "{}, from append {at} on", case.scenario.name);
        }
    }
}
