//! Runs to store.

use std::sync::Arc;

use futures::executor::block_on;
use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use workflow_core::bundle::Bundle;
use workflow_core::data::Data;
use workflow_core::definition::{Stage, Workflow};
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::{RunId, StageId, WorkflowId};
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::status::{RunStatus, Wait};
use workflow_core::store::{Lease, NewRun, RunHead, RunStore, StoreError};

pub(crate) fn id(text: &str) -> RunId {
    RunId::new(text).unwrap()
}

/// `seconds` after a fixed moment.
pub(crate) fn at(seconds: u64) -> Timestamp {
    let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    start + SignedDuration::from_secs(i64::try_from(seconds).unwrap())
}

pub(crate) fn event(seq: u64, body: EventBody) -> Event {
    Event { seq, at: at(seq), body }
}

pub(crate) fn bundle(workflow: &str) -> Arc<Bundle> {
    let stages = IndexMap::from([(StageId::new("plan").unwrap(), Stage::default())]);
    Arc::new(Bundle::new(Workflow {
        id: WorkflowId::new(workflow).unwrap(),
        name: format!("The workflow {workflow}"),
        description: None,
        repeat: None,
        budget: None,
        stages,
    }))
}

/// A run of `workflow` that was created `age` seconds after the fixed moment.
pub(crate) fn run_of(workflow: &str, name: &str, age: u64) -> NewRun {
    let bundle = bundle(workflow);
    let hash = bundle.hash().unwrap();
    let created = RunCreated {
        run: id(name),
        workflow: bundle.workflow.id.clone(),
        bundle: hash.clone(),
        vars: IndexMap::from([("feature".to_owned(), Data::new(&json!({"name": "ü\n\u{1b}[31m"})))]),
        on_failure: None,
        interactive: false,
        seed: u64::MAX,
    };
    let head = RunHead {
        workflow_id: bundle.workflow.id.clone(),
        bundle: hash,
        status: RunStatus::Pending,
        wait: None,
        created_at: at(age),
        started_at: None,
        completed_at: None,
        error: None,
    };
    let mut first = event(1, EventBody::RunCreated(created.into()));
    first.at = at(age);
    NewRun { id: id(name), bundle, events: vec![first], head }
}

pub(crate) fn new_run(name: &str) -> NewRun {
    run_of("feature", name, 1)
}

pub(crate) fn create(store: &dyn RunStore, name: &str) -> Lease {
    block_on(store.create(new_run(name))).unwrap()
}

/// An event of middling size.
pub(crate) fn succeeded(seq: u64) -> Event {
    output_of(seq, &json!({"text": "line one\nline two", "n": seq, "more": true}))
}

pub(crate) fn output_of(seq: u64, output: &serde_json::Value) -> Event {
    let path = "1/plan[0]/run".parse().unwrap();
    event(
        seq,
        EventBody::AttemptSucceeded { path, attempt: 1, output: Data::new(output), set: None, usage: None },
    )
}

pub(crate) fn started(seq: u64) -> Event {
    event(seq, EventBody::RunStarted)
}

pub(crate) fn entry(number: u64, text: &str) -> OutputEntry {
    OutputEntry {
        number,
        after_event: 1,
        at: at(number),
        path: "1/plan[0]/run".parse().unwrap(),
        attempt: 1,
        kind: OutputKind::Stdout,
        text: text.to_owned(),
    }
}

/// The head of [`new_run`] in another status.
pub(crate) fn head(status: RunStatus) -> RunHead {
    let mut head = new_run("r").head;
    head.status = status;
    head.wait = (status == RunStatus::Paused).then(Wait::paused);
    head
}

pub(crate) fn append(
    store: &dyn RunStore,
    lease: &Lease,
    expected: u64,
    events: &[Event],
) -> Result<(), StoreError> {
    block_on(store.append(lease, expected, events, None)).map(drop)
}

pub(crate) fn events(store: &dyn RunStore, run: &RunId) -> Vec<Event> {
    block_on(store.events(run, 0, usize::MAX)).unwrap()
}

pub(crate) fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}
