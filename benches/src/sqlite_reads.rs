//! Reads of an SQLite database after a restart, and output entries beside state changes.
//!
//! Reads do not wait, so the processor time of all threads counts; writes wait for the disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::json;
use workflow_core::bundle::Bundle;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::ids::RunId;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::priority::Priority;
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::{Lease, NewRun, OutputFilter, RunFilter, RunHead, RunStore};
use workflow_store::{SqliteOptions, SqliteStore};

use crate::measure::{Effort, Result, Times, all_busy, repeat, timed};
use crate::table::{Row, time};
use crate::work::{all, chain, directory};

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = vec![long_run(effort)?, unfinished(effort)?];
    rows.extend(lists(effort)?);
    rows.extend(log_windows(effort)?);
    rows.extend(output(effort)?);
    Ok(rows)
}

fn open(home: &tempfile::TempDir) -> Result<SqliteStore> {
    // Leases are not renewed here.
    let options = SqliteOptions::new().lease_time(Duration::from_secs(3_600));
    Ok(SqliteStore::open_with(home.path().join("runs.db"), options)?)
}

fn long_run(effort: Effort) -> Result<Row> {
    let count = effort.amount(10_000);
    let home = directory()?;
    let store = open(&home)?;
    let lease = block_on(store.create(new_run("long")?))?;
    let events = (2..).take(count).map(succeeded).collect::<Result<Vec<_>>>()?;
    for portion in events.chunks(4) {
        let expected = portion[0].seq - 1;
        block_on(store.append(&lease, expected, &portion.into(), None))?;
    }
    let [read] = repeat(effort.repetitions(), 1, || {
        let (read, time) = all_busy(|| block_on(store.events(&lease.run, 0, usize::MAX)));
        assert_eq!(read?.len(), count + 1);
        Ok([time])
    })?;
    let row = Row::times(format!("reading a run of {count} events from SQLite"), read, None);
    Ok(row.goal("G10 ≤ 20 ms", read.median <= 20e6))
}

/// Claims the runs of a dead process, and reads them.
fn unfinished(effort: Effort) -> Result<Row> {
    let count = effort.amount(10_000);
    let home = directory()?;
    let store = open(&home)?;
    let created = (0..count).map(|number| new_run(&format!("run-{number}"))).collect::<Result<Vec<_>>>()?;
    block_on(all(created.into_iter().map(|run| async { Ok(store.create(run).await.map(drop)?) })))?;
    drop(store);
    let [ready] = repeat(effort.repetitions().min(5), 1, || {
        let store = open(&home)?;
        let (ready, time) = all_busy(|| -> Result<()> {
            let leases = block_on(store.claim_next(usize::MAX, jiff::Timestamp::MAX))?;
            assert_eq!(leases.len(), count);
            block_on(all(leases.iter().map(|lease| async {
                assert_eq!(store.events(&lease.run, 0, usize::MAX).await?.len(), 1);
                Ok(())
            })))
        });
        ready?;
        Ok([time])
    })?;
    let row = Row::times(format!("claiming and reading {count} unfinished runs in SQLite"), ready, None);
    Ok(row.goal("G10 ≤ 1 s", ready.median <= 1e9))
}

/// A page of a list of runs, and how many there are in all.
fn lists(effort: Effort) -> Result<Vec<Row>> {
    let count = effort.amount(10_000);
    let home = directory()?;
    let store = open(&home)?;
    let created = (0..count).map(|number| {
        let mut run = new_run(&format!("run-{number}"))?;
        run.head.labels.insert("owner".to_owned(), format!("person {}", number % 10));
        if number % 10 == 0 {
            (run.head.status, run.head.wait) =
                (RunStatus::Paused, Some(Box::new(Wait::of(WaitReason::Question))));
        }
        Ok(run)
    });
    let created = created.collect::<Result<Vec<_>>>()?;
    block_on(all(created.into_iter().map(|run| async {
        let lease = store.create(run).await?;
        Ok(store.release(lease).await?)
    })))?;
    let filters = [
        (format!("a page of 50 of {count} runs in SQLite, and how many there are"), RunFilter::all(), 1),
        ("  of those that ask something".to_owned(), RunFilter::all().waiting_for(WaitReason::Question), 10),
        ("  of those with a text in a label".to_owned(), RunFilter::all().text("PERSON 7"), 10),
    ];
    let mut rows = Vec::new();
    for (what, filter, part) in filters {
        let page = filter.limit(50);
        let [read] = repeat(effort.repetitions(), 1, || {
            let (read, time) =
                timed(|| block_on(async { (store.list(&page).await, store.count(&page).await) }));
            assert_eq!((read.0?.len(), read.1?), (50.min(count / part), (count / part) as u64));
            Ok([time])
        })?;
        rows.push(Row::times(what, read, None).goal("≤ 20 ms", read.median <= 20e6));
    }
    Ok(rows)
}

/// A page of a long log, and what a search in it takes that counts all it finds.
fn log_windows(effort: Effort) -> Result<Vec<Row>> {
    let count = effort.amount(1_000_000) as u64;
    let home = directory()?;
    let options = SqliteOptions::new().lease_time(Duration::from_secs(3_600)).output_limit(1 << 30);
    let store = SqliteStore::open_with(home.path().join("runs.db"), options)?;
    let lease = block_on(store.create(new_run("log")?))?;
    let mut number = 1;
    while number <= count {
        let entries = (number..).take(256).map(line).collect::<Result<Vec<_>>>()?;
        number += entries.len() as u64;
        block_on(store.append_output(&lease, &entries))?;
    }
    let page = OutputFilter::all().limit(100);
    let search = |text: &str| OutputFilter::all().text(text).limit(100).counted();
    let windows = [
        ("the newest 100 lines of SQLite's", page, None),
        (
            "searching and counting in them, 1 line in 1,000 found",
            search("WARNING"),
            Some((number - 1) / 1_000),
        ),
        ("searching and counting in them, every line found", search("Line"), Some(number - 1)),
    ];
    let mut rows = Vec::new();
    for (n, (what, filter, total)) in windows.into_iter().enumerate() {
        let [read] = repeat(effort.repetitions().min(5), 1, || {
            let (window, time) = timed(|| block_on(store.output_window(&lease.run, &filter)));
            let window = window?;
            assert_eq!((window.entries.len(), window.total), (100.min(window.entries.len()), total));
            Ok([time])
        })?;
        let row =
            Row::times(if n == 0 { format!("{what} {count}") } else { format!("  {what}") }, read, None);
        rows.push(if total.is_some() { row.goal("≤ 300 ms", read.median <= 300e6) } else { row });
    }
    Ok(rows)
}

/// How long a state change takes, alone and beside as much output as can be stored.
fn output(effort: Effort) -> Result<Vec<Row>> {
    let count = effort.amount(2_000);
    let home = directory()?;
    let store = Arc::new(open(&home)?);
    let steps = block_on(store.create(new_run("steps")?))?;
    let lines = block_on(store.create(new_run("lines")?))?;
    let idle = state_changes(&store, &steps, 1, count)?;
    let (stop, stored) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (busy, took) = thread::scope(|scope| {
        let talk = scope.spawn(|| -> Result<Duration> {
            let start = Instant::now();
            let mut number = 1;
            while !stop.load(Ordering::Relaxed) {
                let entries = (number..).take(256).map(line).collect::<Result<Vec<_>>>()?;
                number += 256;
                block_on(store.append_output(&lines, &entries))?;
                stored.fetch_add(entries.len(), Ordering::Relaxed);
            }
            Ok(start.elapsed())
        });
        let busy = state_changes(&store, &steps, 1 + count as u64, count);
        stop.store(true, Ordering::Relaxed);
        let took = talk.join().map_err(|_| "the thread panicked")??;
        Result::Ok((busy?, took))
    })?;
    let rate = 1e9 / Times::of(std::iter::once(took), stored.into_inner()).median;
    let p99 = |times: &[Duration]| times[times.len() * 99 / 100].as_secs_f64() * 1e9;
    let ratio = p99(&busy) / p99(&idle);
    let median = |times: &[Duration]| Times::of(times.iter().copied(), 1);
    Ok(vec![
        Row::figure("output entries stored in SQLite beside state changes", format!("{rate:.0}/s"))
            .goal("G11 ≥ 50,000/s", rate >= 5e4),
        Row::times("  a state change meanwhile, and alone", median(&busy), Some(median(&idle))),
        Row::figure("  p99 of them", time(p99(&busy)))
            .floor(time(p99(&idle)), ratio)
            .goal("G11 ≤ 2 × alone", ratio <= 2.0),
    ])
}

/// Appends one after the other; returns the sorted times.
fn state_changes(store: &SqliteStore, lease: &Lease, last: u64, count: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(count);
    for expected in (last..).take(count) {
        let event = succeeded(expected + 1)?;
        let (stored, time) = timed(|| block_on(store.append(lease, expected, &[event].into(), None)));
        stored?;
        times.push(time);
    }
    times.sort_unstable();
    Ok(times)
}

pub(crate) fn new_run(name: &str) -> Result<NewRun> {
    let bundle = Arc::new(Bundle::new(chain(5)?));
    let (id, hash, at) = (RunId::new(name)?, bundle.hash()?, Timestamp::UNIX_EPOCH);
    let created = RunCreated {
        run: id.clone(),
        workflow: bundle.workflow.id.clone(),
        bundle: hash.clone(),
        vars: IndexMap::new(),
        labels: BTreeMap::new(),
        on_failure: None,
        interactive: false,
        max_iters: None,
        isolated: false,
        slot: None,
        priority: Priority::NORMAL,
        parent: None,
        budget: None,
        seed: 0,
        by: None,
        signature: None,
    };
    let head = RunHead {
        workflow_id: bundle.workflow.id.clone(),
        bundle: hash,
        status: RunStatus::Pending,
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
        priority: Priority::NORMAL,
        parent: None,
    };
    let events = vec![Event { seq: 1, at, body: EventBody::RunCreated(created.into()) }];
    Ok(NewRun { id, bundle, events, head })
}

pub(crate) fn succeeded(seq: u64) -> Result<Event> {
    let output = Data::new(&json!({ "done": true, "text": "what the provider said" }));
    let body = EventBody::AttemptSucceeded {
        path: "1/plan[0]/run".parse()?,
        attempt: 1,
        output,
        set: None,
        usage: None,
        details: None,
        ran_until: None,
    };
    Ok(Event { seq, at: Timestamp::UNIX_EPOCH, body })
}

fn line(number: u64) -> Result<OutputEntry> {
    Ok(OutputEntry {
        number,
        after_event: 1,
        at: Timestamp::UNIX_EPOCH,
        path: "1/plan[0]/run".parse()?,
        attempt: 1,
        kind: OutputKind::Stdout,
        text: match number % 1_000 {
            0 => "warning: a line of what a program says while it works, as long as others".to_owned(),
            _ => "a line of what a program says while it works, of the usual length".to_owned(),
        },
    })
}
