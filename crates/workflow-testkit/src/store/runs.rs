//! Builders of runs for the cases and for other tests of a store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

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
use workflow_core::priority::Priority;
use workflow_core::status::{RunStatus, StageStatus, Wait};
use workflow_core::store::{Lease, NewRun, RunHead, RunProgress, RunSlot, RunStore, SlotMode, StoreError};

use crate::patience;

/// Parses the id of a run.
pub fn id(text: &str) -> RunId {
    RunId::new(text).unwrap()
}

/// The time `seconds` after a fixed moment.
pub fn at(seconds: u64) -> Timestamp {
    let start: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
    start + SignedDuration::from_secs(i64::try_from(seconds).unwrap())
}

/// An event with the time `seq` seconds after the fixed moment.
pub fn event(seq: u64, body: EventBody) -> Event {
    Event { seq, at: at(seq), body }
}

/// The bundle of a workflow with one stage.
pub fn bundle(workflow: &str) -> Arc<Bundle> {
    let stages = IndexMap::from([(StageId::new("plan").unwrap(), Stage::default())]);
    Arc::new(Bundle::new(Workflow {
        id: WorkflowId::new(workflow).unwrap(),
        name: format!("The workflow {workflow}"),
        description: None,
        inputs: None,
        defaults: None,
        output: None,
        worktree: None,
        concurrency: None,
        priority: None,
        repeat: None,
        budget: None,
        stages,
        finally: Vec::new(),
        finally_timeout: None,
    }))
}

/// A run of `workflow` that was created `age` seconds after the fixed moment.
pub fn run_of(workflow: &str, name: &str, age: u64) -> NewRun {
    let bundle = bundle(workflow);
    let hash = bundle.hash().unwrap();
    let created = RunCreated {
        run: id(name),
        workflow: bundle.workflow.id.clone(),
        bundle: hash.clone(),
        vars: IndexMap::from([("feature".to_owned(), Data::new(&json!({"name": "ü\n\u{1b}[31m"})))]),
        labels: BTreeMap::new(),
        on_failure: None,
        interactive: false,
        max_iters: None,
        isolated: false,
        slot: None,
        priority: Priority::NORMAL,
        parent: None,
        budget: None,
        seed: u64::MAX,
        by: None,
        signature: None,
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
        labels: BTreeMap::new(),
        forked_from: None,
        started_by: None,
        stopped_by: None,
        progress: None,
        slot: None,
        priority: Priority::NORMAL,
        parent: None,
    };
    let mut first = event(1, EventBody::RunCreated(created.into()));
    first.at = at(age);
    NewRun { id: id(name), bundle, events: vec![first], head }
}

/// A run of the workflow `feature` with labels, created `age` seconds after the fixed moment. The labels need
/// not be valid: a store does not check them.
pub fn labelled(name: &str, age: u64, labels: &[(&str, &str)]) -> NewRun {
    let mut run = run_of("feature", name, age);
    run.head.labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if let Some(EventBody::RunCreated(created)) = run.events.first_mut().map(|event| &mut event.body) {
        Arc::make_mut(created).labels = run.head.labels.clone();
    }
    run
}

/// A run of the workflow `feature` that needs the slot with this key.
pub fn with_slot(name: &str, key: &str, mode: SlotMode) -> NewRun {
    let mut run = run_of("feature", name, 1);
    run.head.slot = Some(Arc::new(RunSlot { key: key.to_owned(), mode }));
    if let Some(EventBody::RunCreated(created)) = run.events.first_mut().map(|event| &mut event.body) {
        Arc::make_mut(created).slot.clone_from(&run.head.slot);
    }
    run
}

/// A run of the workflow `feature`.
pub fn new_run(name: &str) -> NewRun {
    run_of("feature", name, 1)
}

/// Creates [`new_run`] in `store`.
pub fn create(store: &dyn RunStore, name: &str) -> Lease {
    block_on(store.create(new_run(name))).unwrap()
}

/// Creates [`new_run`] with another status, and releases it.
pub fn create_free(store: &dyn RunStore, name: &str, status: RunStatus) {
    let lease = create(store, name);
    if status != RunStatus::Pending {
        block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head(status)))).unwrap();
    }
    block_on(store.release(lease)).unwrap();
}

/// Creates a run with that priority, created `age` seconds after the fixed moment, that continues at once or is paused until a
/// time, and releases it.
pub fn create_turn(store: &dyn RunStore, name: &str, age: u64, priority: i64, until: Option<u64>) {
    let mut run = run_of("feature", name, age);
    run.head.priority = Priority::new(priority).unwrap();
    if let Some(EventBody::RunCreated(created)) = run.events.first_mut().map(|event| &mut event.body) {
        Arc::make_mut(created).priority = run.head.priority;
    }
    let mut head = run.head.clone();
    let lease = block_on(store.create(run)).unwrap();
    if let Some(until) = until {
        head.status = RunStatus::Paused;
        let mut wait = Wait::paused();
        wait.until = Some(at(until));
        head.wait = Some(Box::new(wait));
        block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head))).unwrap();
    }
    block_on(store.release(lease)).unwrap();
}

/// Creates a run that was created at `created` and ended at `ended`, in seconds after the fixed moment, and
/// releases it.
pub fn create_ended(store: &dyn RunStore, name: &str, created: u64, ended: u64, status: RunStatus) {
    let run = run_of("feature", name, created);
    let mut head = run.head.clone();
    (head.status, head.completed_at) = (status, Some(at(ended)));
    let lease = block_on(store.create(run)).unwrap();
    block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head))).unwrap();
    block_on(store.release(lease)).unwrap();
}

/// An event of medium size.
pub fn succeeded(seq: u64) -> Event {
    output_of(seq, &json!({"text": "line one\nline two", "n": seq, "more": true}))
}

/// An event with that output.
pub fn output_of(seq: u64, output: &serde_json::Value) -> Event {
    let path = "1/plan[0]/run".parse().unwrap();
    event(
        seq,
        EventBody::AttemptSucceeded {
            path,
            attempt: 1,
            output: Data::new(output),
            set: None,
            usage: None,
            details: None,
            ran_until: None,
        },
    )
}

/// A small event.
pub fn started(seq: u64) -> Event {
    event(seq, EventBody::RunStarted)
}

/// An output entry.
pub fn entry(number: u64, text: &str) -> OutputEntry {
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

/// The head of [`new_run`] with another status.
pub fn head(status: RunStatus) -> RunHead {
    let mut head = new_run("r").head;
    head.status = status;
    head.wait = (status == RunStatus::Paused).then(|| Box::new(Wait::paused()));
    head.completed_at = status.is_terminal().then(|| at(2));
    let mut progress = RunProgress::default();
    progress.iteration = 3;
    progress.stages = [("plan".parse().unwrap(), StageStatus::Completed)].into_iter().collect();
    progress.spent.cost_usd = Some(0.1);
    progress.waits.extend(head.wait.as_deref().cloned());
    (head.forked_from, head.progress) = (Some(id("r0")), Some(Arc::new(progress)));
    head
}

/// Appends without a head.
///
/// # Errors
///
/// The error of the store.
pub fn append(
    store: &dyn RunStore,
    lease: &Lease,
    expected: u64,
    events: &[Event],
) -> Result<(), StoreError> {
    block_on(store.append(lease, expected, &events.into(), None)).map(drop)
}

/// All events of a run.
pub fn events(store: &dyn RunStore, run: &RunId) -> Vec<Event> {
    block_on(store.events(run, 0, usize::MAX)).unwrap()
}

/// The numbers of events.
pub fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

/// Claims a run whose holder has released it, or is about to.
pub fn claim_in_the_end(store: &dyn RunStore, run: &RunId) -> Lease {
    let patience = Instant::now() + patience();
    loop {
        match block_on(store.claim(run)) {
            Err(StoreError::Held { holder, .. }) => {
                assert!(Instant::now() < patience, "{run} is never released by {holder}");
                std::thread::yield_now();
            }
            lease => return lease.unwrap(),
        }
    }
}

/// Waits until `condition` holds.
pub fn in_the_end(what: &str, condition: impl Fn() -> bool) {
    let patience = Instant::now() + patience();
    while !condition() {
        assert!(Instant::now() < patience, "timed out waiting until {what}");
        std::thread::yield_now();
    }
}
