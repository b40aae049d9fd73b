//! The host dies, or the store fails, at every append of every scenario and example.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::path::{Path, PathBuf};

use serde_json::json;
use workflow_core::store::MemoryStore;
use workflow_tests::faulty::Fault;
use workflow_tests::play::Case;
use workflow_tests::scenario::Scenario;

/// Applies faults to every append of a case.
fn at_every_append(case: &Case, faults: &[Fault], seed: u64) {
    let whole = case.play(seed, |_, _| Fault::None);
    assert!(whole.appends >= 1);
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
    Scenario::all().into_iter().map(Case::from).collect()
}

/// The files in a folder, in order; none if there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn text(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

/// The example workflows of the project, with scripted commands.
fn examples() -> Vec<Case> {
    let script = json!({
        "check": { "reply": { "done": false } },
        "check@3": { "reply": { "done": true } },
        "ask": [{ "fail": "transient" }, { "fail": "transient" }, { "reply": "answered call 3" }],
        "notify": { "fail": "transient" },
        "collect": { "reply": { "changes": ["one", "two"] } },
        "sort": { "reply": { "kind": "bug" } },
        "judge": { "reply": { "approved": false, "remarks": "none" } },
        "judge@3": { "reply": { "approved": true, "remarks": "none" } },
        "links": { "fail": "permanent" },
        "review": { "reply": { "remark": "good" } },
        "measure[1]": { "after": 5, "reply": 12 },
        "vote[0]": { "after": 20, "fail": "transient" },
        "vote[1]": { "reply": "for" },
    });
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut cases = Vec::new();
    for folder in ["workflows", "graphs/workflows"].map(|folder| examples.join(folder)) {
        let mut parts = String::new();
        for file in files(&folder.join("stages")) {
            let name = file.file_stem().unwrap().to_str().unwrap();
            parts.extend(["--- # profile ", name, "\n", &text(&file)]);
        }
        let named = |file: PathBuf| {
            let name = file.file_name()?.to_str()?.strip_suffix(".workflow.yml")?;
            Some((name.to_owned(), text(&file)))
        };
        let workflows: Vec<_> = files(&folder).into_iter().filter_map(named).collect();
        for (name, text) in &workflows {
            parts.extend(["--- # workflow ", name, "\n", text]);
        }
        for (name, text) in &workflows {
            let scenario = Scenario::new(name, &(text.clone() + &parts));
            cases.push(Case { script: script.clone(), ..scenario.into() });
        }
    }
    assert!(!cases.is_empty());
    cases
}

#[test]
fn a_scenario_continues_after_its_host_died_at_any_append() {
    for case in scenarios() {
        at_every_append(&case, &[Fault::DieBefore, Fault::DieAfter], 1);
    }
}

#[test]
fn an_example_continues_after_its_host_died_at_any_append() {
    for case in examples() {
        at_every_append(&case, &[Fault::DieBefore, Fault::DieAfter], 2);
    }
}

#[test]
fn a_host_that_dies_again_and_again_gets_there() {
    for case in scenarios().into_iter().chain(examples()) {
        let whole = case.play(3, |_, _| Fault::None);
        // If there are calls to reclaim, the first append only confirms the lease.
        let played = case.play(3, |_, append| if append == 3 { Fault::DieAfter } else { Fault::None });
        assert_eq!(played.outcome(), whole.outcome(), "{}", case.scenario.name);
    }
}

#[test]
fn a_scenario_continues_when_the_outcome_of_any_append_is_not_known() {
    for case in scenarios() {
        at_every_append(&case, &[Fault::Lose, Fault::LoseAnswer, Fault::LoseAnswerAndRead], 4);
    }
}

#[test]
fn a_scenario_can_be_resumed_after_its_store_gave_up_at_any_append() {
    for case in scenarios() {
        let whole = case.play(5, |_, _| Fault::None);
        for at in 1..=whole.appends {
            let gives_up =
                move |host, append| if host == 1 && append >= at { Fault::Lose } else { Fault::None };
            // The run of a node may be the one whose driver gives up: then its parent waits for it.
            let patience = case.scenario.runs_others().then_some(3_600_000);
            let played = case.play_in(&MemoryStore::new(), 5, gives_up, patience);
            assert_eq!(played.outcome(), whole.outcome(), "{}, from append {at} on", case.scenario.name);
        }
    }
}
