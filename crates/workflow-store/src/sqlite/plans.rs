//! Checks query plans: no statement scans a table that grows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use serde_json::json;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::definition::Workflow;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::output::OutputEntry;
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::store::{Control, LabelLimit, NewRun, OutputFilter, RunFilter, RunHead};

use super::append::Append;
use super::fault::Outcome;
use super::options::SqliteOptions;
use super::output::OutputAppend;
use super::queue::{Job as _, Queue};
use super::read::Reading;
use super::runs::Creation;
use super::writing::Writing;
use super::{Prune, connect, controls, lease, runs, watch};

/// Whether a query plan is inefficient.
fn wrong(plan: &str) -> bool {
    // There are only as many holders as processes.
    let scan = plan.starts_with("SCAN ") && !plan.starts_with("SCAN holder");
    let in_order =
        plan.contains(" USING ") && !plan.starts_with("SCAN event") && !plan.starts_with("SCAN output");
    scan && !in_order || plan.contains("TEMP B-TREE") || plan.contains("AUTOMATIC")
}

fn plans(connection: &Connection, sql: &str) -> Vec<String> {
    let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = explain.parameter_count();
    for n in 1..=parameters {
        explain.raw_bind_parameter(n, 1).unwrap();
    }
    let mut rows = explain.raw_query();
    let mut plans = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        plans.push(row.get(3).unwrap());
    }
    plans
}

fn done<T>(outcome: Outcome<T>) -> T {
    outcome.unwrap_or_else(|_| panic!("it was refused, or failed"))
}

#[test]
fn no_statement_reads_a_table_that_grows_from_end_to_end() {
    let home = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new().output_limit(2_000);
    let (place, mut connection) = connect::open(&home.path().join("runs.db"), &options).unwrap();
    let asked = Arc::new(Mutex::new(BTreeSet::new()));
    let remembered = Arc::clone(&asked);
    let remember = move |event: TraceEvent<'_>| {
        if let TraceEvent::Stmt(statement, _) = event {
            remembered.lock().unwrap().insert(statement.sql().into_owned());
        }
    };
    connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(remember)).unwrap();
    let place = Arc::new(place);
    let mut writing = Writing::new(connection, Arc::clone(&place), options);
    writing.begin().unwrap();
    let run = RunId::new("r1").unwrap();
    let hash = write_everything(&mut writing, &run);
    let reading = Reading { connection: &writing.connection, place: &place, now: 0 };
    read_everything(&reading, &run, &hash);
    watch::signal(&writing.connection).unwrap();
    done(runs::delete(&mut writing, &run));
    writing.commit().unwrap();

    let asked = asked.lock().unwrap().clone();
    assert!(asked.len() > 40, "{}", asked.len());
    let mut bad = Vec::new();
    for sql in
        asked.iter().filter(|sql| !["BEGIN", "COMMIT", "PRAGMA"].iter().any(|word| sql.starts_with(word)))
    {
        let plans = plans(&writing.connection, sql);
        if plans.iter().any(|plan| wrong(plan)) {
            bad.push(format!("{sql}: {plans:?}"));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));

    // Statements that the check must find.
    for sql in [
        "SELECT body FROM event WHERE number > 3",
        "SELECT number FROM output ORDER BY size",
        "SELECT id FROM run WHERE head = 'x'",
    ] {
        assert!(plans(&writing.connection, sql).iter().any(|plan| wrong(plan)), "{sql}");
    }
}

fn write_everything(writing: &mut Writing, run: &RunId) -> BundleHash {
    let path = writing.place.path.clone();
    let workflow = Workflow::new(WorkflowId::new("w").unwrap(), "A workflow");
    let bundle = Arc::new(Bundle::new(workflow));
    let (hash, at) = (bundle.hash().unwrap(), Timestamp::UNIX_EPOCH);
    let head = RunHead {
        workflow_id: bundle.workflow.id.clone(),
        bundle: hash.clone(),
        status: RunStatus::Running,
        wait: None,
        created_at: at,
        started_at: None,
        completed_at: None,
        error: None,
        labels: BTreeMap::new(),
        forked_from: None,
        started_by: None,
        stopped_by: None,
        progress: None,
        slot: None,
        priority: workflow_core::priority::Priority::NORMAL,
        parent: None,
    };
    let event = |seq, body| Event { seq, at, body };
    let new =
        NewRun { id: run.clone(), bundle, events: vec![event(1, EventBody::RunStarted)], head: head.clone() };
    let creation = Creation::new(&path, new).unwrap();
    let lease = done(creation.write(writing, true)).remove(0);
    done(controls::request(writing, run, &Control::Pause.into()));
    let paused = event(2, EventBody::PauseRequested { control: 1, by: None });
    done(Append::new(&path, &lease, 1, &[paused], Some(&head)).unwrap().write(writing));
    for number in 1..30 {
        let entry: OutputEntry = serde_json::from_value(json!({
            "number": number, "after_event": 1, "at": at, "path": "1/s[0]/run", "attempt": 1,
            "kind": "stdout", "text": "x".repeat(90),
        }))
        .unwrap();
        done(OutputAppend::new(&path, &lease, &[entry], 2_000).unwrap().write(writing));
    }
    writing.look_again();
    writing.look_after_registration().unwrap();
    done(writing.renew());
    done(Append::new(&path, &lease, 2, &[], None).unwrap().write(writing));
    done(lease::release(writing, &lease));
    done(lease::claim(writing, run, true));
    writing.leave().unwrap();
    done(lease::claim_next(writing, 9, Timestamp::MAX, None, true));
    writing.leave().unwrap();
    let limit = LabelLimit::new("tenant", 1).unwrap();
    done(lease::claim_next(writing, 9, Timestamp::MAX, Some(&limit), true));
    writing.bury().unwrap();
    writing.living(99).unwrap();
    writing.leave().unwrap();
    let (answer, _) = futures::channel::oneshot::channel();
    Prune::new(Arc::new(Queue::new()), 0, 9, answer).apply(writing, None).unwrap();
    hash
}

fn read_everything(reading: &Reading<'_>, run: &RunId, hash: &BundleHash) {
    done(reading.events(run, 0, 9));
    done(reading.output(run, 0, 9));
    for filter in [OutputFilter::all().after(3).counted(), OutputFilter::all().before(3).limit(1)] {
        done(reading.output_window(run, &filter));
    }
    done(reading.last_output(run));
    done(reading.controls(run, 0));
    done(reading.get(run));
    done(reading.bundle(hash));
    for bits in 0..=255_u8 {
        let mut filter = RunFilter::all();
        let wanted = |bit: u8| bits & (1 << bit) != 0;
        filter.workflow = wanted(0).then(|| WorkflowId::new("w").unwrap());
        filter.statuses = if wanted(1) { vec![RunStatus::Paused, RunStatus::Running] } else { Vec::new() };
        filter.created_from = wanted(2).then_some(Timestamp::UNIX_EPOCH);
        filter.created_before = wanted(2).then_some(Timestamp::MAX);
        filter.after = wanted(3).then(|| run.clone());
        filter.limit = wanted(4).then_some(3);
        if wanted(5) {
            filter = filter.label("owner", "ann").label("tenant", "acme");
        }
        if wanted(6) {
            filter = filter.waiting_for(WaitReason::Question).waiting_for(WaitReason::Approval).text("r");
        }
        filter.ended_from = wanted(7).then_some(Timestamp::UNIX_EPOCH);
        filter.ended_before = wanted(7).then_some(Timestamp::MAX);
        done(reading.list(&filter));
        done(reading.count(&filter));
    }
}
