//! This version reads and continues runs that a released version has stored.
//!
//! `tests/formats` has a folder for each released version: the same runs in each kind of store, and beside
//! them what they are: a file for each run, with the record by which it is listed, its output and its controls
//! in the first line, and an event in each of the others. A folder is written once: where a version under way
//! stores something that none of its folders has, it gets another one, with a number after the version.
//! `cargo xtask formats` writes the last one.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

mod place;
mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use serde::{Deserialize, Serialize};
use serde_json::json;
use workflow_core::event::{Event, EventBody};
use workflow_core::machine::State;
use workflow_core::output::OutputEntry;
use workflow_core::provider::Reply;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{
    ControlRecord, ControlRequest, NewRun, RunFilter, RunHead, RunRecord, RunStore, Signal,
};
use workflow_exec::{Engine, EngineBuilder};
use workflow_providers::FunctionProvider;
use workflow_tests::rules::{self, Reading};
use workflow_tests::scenario;

use crate::place::Kind;

/// The versions whose formats are read. The last one is the current version.
const VERSIONS: [&str; 5] = ["0.1.0", "0.1.0-2", "0.1.0-3", "0.1.0-4", "0.1.0-5"];

/// The folder beside the stores.
const LOGS: &str = "logs";

/// The data of a run besides its events.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Facts {
    record: RunRecord,
    output: Vec<OutputEntry>,
    controls: Vec<ControlRecord>,
}

/// A run: its data, and its events as they were written.
type Runs = BTreeMap<String, (Facts, Vec<String>)>;

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("formats").join(version)
}

/// The runs that were committed with a version.
fn committed(folder: &Path) -> Runs {
    let version = folder.file_name().unwrap().display();
    for what in Kind::ALL.map(Kind::name).into_iter().chain([LOGS]) {
        assert!(
            folder.join(what).exists(),
            "{what} of the version {version} is missing: what was committed is never removed; \
             `cargo xtask formats` writes it for the version under way"
        );
    }
    fs::read_dir(folder.join(LOGS)).unwrap().map(|entry| read(&entry.unwrap().path())).collect()
}

fn read(file: &Path) -> (String, (Facts, Vec<String>)) {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(str::to_owned);
    let facts = serde_json::from_str(&lines.next().unwrap()).unwrap();
    (file.file_stem().unwrap().to_str().unwrap().to_owned(), (facts, lines.collect()))
}

async fn facts(store: &dyn RunStore, record: RunRecord) -> Facts {
    let output = store.output(&record.run_id, 0, usize::MAX).await.unwrap();
    let controls = store.controls(&record.run_id, 0).await.unwrap();
    Facts { record, output, controls }
}

fn lines(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
}

/// Writes all committed files of this version.
fn write(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join(LOGS)).unwrap();
    let memory = runs::runs();
    for kind in Kind::ALL {
        kind.write(folder, |store| block_on(copy(&memory, store)));
    }
    block_on(async {
        for record in memory.list(&RunFilter::all()).await.unwrap() {
            let run = record.run_id.clone();
            let first = serde_json::to_string(&facts(&memory, record).await).unwrap();
            let events = lines(&scenario::events(&memory, &run).await).join("\n");
            fs::write(folder.join(LOGS).join(format!("{run}.jsonl")), format!("{first}\n{events}\n"))
                .unwrap();
        }
    });
}

/// Copies the runs to another store, in the appends of an engine.
async fn copy(from: &dyn RunStore, to: &dyn RunStore) {
    let mut records = from.list(&RunFilter::all()).await.unwrap();
    records.reverse();
    for RunRecord { run_id: id, .. } in records {
        let events = scenario::events(from, &id).await;
        let mut state = State::first(&events[0]).unwrap();
        let bundle = from.bundle(&state.created().bundle).await.unwrap();
        let new = NewRun { id: id.clone(), bundle, events: vec![events[0].clone()], head: state.head() };
        let lease = to.create(new).await.unwrap();
        for control in from.controls(&id, 0).await.unwrap() {
            to.request(&id, ControlRequest { control: control.control, by: control.by }).await.unwrap();
        }
        for portion in events[1..].chunks(2) {
            let before = (state.last_event(), state.head());
            for event in portion {
                state.apply(event).unwrap();
            }
            let head = Some(state.head()).filter(|head| *head != before.1);
            to.append(&lease, before.0, &portion.into(), head.as_ref()).await.unwrap();
        }
        let output = from.output(&id, 0, usize::MAX).await.unwrap();
        if !output.is_empty() {
            to.append_output(&lease, &output).await.unwrap();
        }
        to.release(lease).await.unwrap();
    }
}

/// An engine whose providers answer at once.
fn engine(store: Box<dyn RunStore>) -> Engine {
    let answers = || FunctionProvider::from_fn(|_| Ok(Reply::json(&json!({ "done": true }))));
    let with = |builder: EngineBuilder, name| builder.provider(name, answers());
    ["ann", "bob", "cid", "dot"].into_iter().fold(Engine::builder().store(store), with).build().unwrap()
}

/// Checks a log, whose bundle is in the store.
async fn obeys_the_rules(store: &dyn RunStore, events: &[Event]) {
    let EventBody::RunCreated(created) = &events[0].body else { panic!("not created") };
    let bundle = store.bundle(&created.bundle).await.unwrap();
    let reading = Reading { clocks: true, expressions: true, current: false };
    rules::keeps(&bundle, events, reading).unwrap();
}

/// Checks that a store has every run without changes.
async fn reads_back(store: &dyn RunStore, runs: &Runs) {
    let records = store.list(&RunFilter::all()).await.unwrap();
    assert_eq!(records.len(), runs.len());
    for record in records {
        let (expected, text) = &runs[record.run_id.as_str()];
        let events = scenario::events(store, &record.run_id).await;
        assert_eq!(lines(&events), *text, "byte for byte");
        assert_eq!(as_stored(State::fold(&events).unwrap().head(), &record.head), record.head);
        obeys_the_rules(store, &events).await;
        let mut record = record;
        record.head = as_stored(record.head, &expected.record.head);
        assert_eq!(facts(store, record).await, *expected);
    }
}

/// A head without what the stored one does not have, because its version did not know it or because it was stored before
/// the run came so far.
fn as_stored(mut head: RunHead, stored: &RunHead) -> RunHead {
    head.progress.clone_from(&stored.progress);
    if stored.forked_from.is_none() {
        head.forked_from = None;
    }
    if let Some((wait, stored)) = head.wait.as_mut().zip(stored.wait.as_ref())
        && stored.since.is_none()
    {
        wait.since = None;
    }
    head
}

/// Drives every unfinished run to its end, whatever it waits for; returns how many there were.
async fn goes_on(engine: &Engine) -> usize {
    let runs = engine.store().list(&RunFilter::unfinished()).await.unwrap();
    // The oldest first: a run can wait for an earlier one to end.
    for RunRecord { run_id: run, .. } in runs.iter().rev() {
        let before = scenario::events(engine.store(), run).await;
        let mut view = engine.drive(run).await.unwrap();
        for _ in 0..9 {
            if view.status.is_terminal() {
                break;
            }
            let handle = engine.handle(run);
            if view.wait.as_ref().is_some_and(|wait| wait.reason == WaitReason::Pause) {
                let _ = handle.resume().await.unwrap();
            }
            // What the run asks that it waits for.
            let child = view.wait.as_ref().and_then(|wait| wait.run.clone());
            let (handle, waits) = match child {
                Some(child) => {
                    let child = engine.handle(&child);
                    let waits = child.view().await.unwrap().waits;
                    (child, waits)
                }
                None => (handle, view.waits),
            };
            for wait in waits {
                if wait.signal.is_some() {
                    // The second one is waited for with a limit, so that driving the run would wait too.
                    for name in ["second", "first"] {
                        let _ = handle.signal(Signal::new(name).unwrap()).await.unwrap();
                    }
                }
                let Some(number) = wait.number else { continue };
                let value = match wait.reason {
                    WaitReason::Approval => json!(true),
                    WaitReason::UnknownOutcome => json!("rerun"),
                    _ if wait.schema.is_some() => json!("a"),
                    _ => json!("this"),
                };
                let _ = handle.answer(number, value).await.unwrap();
            }
            // Nothing is driven in the background here.
            view = engine.drive(run).await.unwrap();
        }
        let asked = run.as_str() == "asked";
        let expected = if asked { RunStatus::Cancelled } else { RunStatus::Completed };
        assert_eq!(view.status, expected, "{run}: {:?}", view.error);
        let events = scenario::events(engine.store(), run).await;
        assert!(events.starts_with(&before));
        obeys_the_rules(engine.store(), &events).await;
    }
    runs.len()
}

/// All checks of a committed folder.
fn holds_for(folder: &Path, kind: Kind) {
    let runs = committed(folder);
    kind.with_copy(folder, |open| {
        block_on(reads_back(&*open(), &runs));
        let unfinished = block_on(goes_on(&engine(open())));
        assert!(unfinished >= 10, "{unfinished} runs have not ended");
        let left = block_on(open().list(&RunFilter::unfinished())).unwrap();
        assert_eq!(left, []);
    });
}

/// `cargo xtask formats` runs this test to write them.
#[test]
fn the_formats_are_committed_with_every_kind_of_event() {
    let (version, current) = (env!("CARGO_PKG_VERSION"), VERSIONS[VERSIONS.len() - 1]);
    assert!(current.starts_with(version), "name the version {version}, and run `cargo xtask formats`");
    if std::env::var_os("UPDATE_FORMATS").is_some() {
        write(&folder(current));
    }
    let schemas = workflow_core::schema::schemas();
    let (_, schema) = schemas.iter().find(|(name, _)| *name == "run-event").unwrap();
    let variants = schema["$defs"]["EventBody"]["oneOf"].as_array().unwrap();
    let mut kinds: BTreeSet<_> =
        variants.iter().map(|variant| variant["properties"]["type"]["const"].as_str().unwrap()).collect();
    assert!(kinds.contains("attempt_started") && kinds.len() > 30, "{kinds:?}");
    // The kinds of events that name who did it, and the control requests.
    let (mut waits, mut labels, mut named, mut priorities) = (0, 0, BTreeSet::new(), BTreeSet::new());
    for (facts, text) in committed(&folder(current)).into_values() {
        labels += facts.record.head.labels.len();
        priorities.insert(facts.record.head.priority.get().signum());
        named.extend(facts.controls.iter().filter(|control| control.by.is_some()).map(|_| "control"));
        for line in text {
            let event: Event = serde_json::from_str(&line).unwrap();
            kinds.remove(event.body.kind());
            named.extend(line.contains(r#""by":{"id""#).then(|| event.body.kind()));
            let backs_off = matches!(event.body, EventBody::AttemptInterrupted { retry_at: Some(_), .. });
            waits += usize::from(backs_off);
        }
    }
    assert!(kinds.is_empty(), "events that no committed log has: {kinds:?}");
    assert!(waits > 0, "no committed log has a node that waits after an interruption");
    assert_eq!(named.len(), 10, "what names who did it: {named:?}");
    assert!(labels > 0, "no committed run has labels");
    assert_eq!(
        priorities.len(),
        3,
        "committed runs have a low, a normal and a high priority: {priorities:?}"
    );
}

#[test]
fn runs_in_committed_files_are_read_and_driven_on() {
    for version in VERSIONS {
        holds_for(&folder(version), Kind::Files);
    }
}

#[test]
fn runs_in_a_committed_sqlite_database_are_read_and_driven_on() {
    for version in VERSIONS {
        holds_for(&folder(version), Kind::Sqlite);
    }
}

#[test]
fn runs_in_a_committed_postgresql_database_are_read_and_driven_on() {
    for version in VERSIONS {
        holds_for(&folder(version), Kind::Postgres);
    }
}

#[test]
fn what_would_be_committed_now_is_read_and_driven_on_too() {
    let home = tempfile::tempdir().unwrap();
    write(home.path());
    for kind in Kind::ALL {
        holds_for(home.path(), kind);
    }
}
