//! The store in SQLite, through the trait.

mod at_once;
mod faults;
mod former;
mod leases;
#[cfg(unix)]
mod processes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{OptionFuture, join, join_all};
use jiff::Timestamp;
use rusqlite::Connection;
use workflow_core::ids::RunId;
use workflow_core::output::OutputKind;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, RunFilter, RunHead, RunStore, StoreError};
use workflow_store::{SqliteOptions, SqliteStore, Synchronous};
use workflow_testkit::ManualClock;
use workflow_testkit::store::{Damage, Fixture};

use crate::fixture::*;

fn database(home: &tempfile::TempDir) -> PathBuf {
    home.path().join("runs.db")
}

fn open() -> (Arc<SqliteStore>, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    (Arc::new(SqliteStore::open(database(&home)).unwrap()), home)
}

/// Blocks all other writers until it is dropped.
fn lock_out(path: &Path) -> Connection {
    let blocker = Connection::open(path).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    blocker
}

/// A database with its own clock.
struct Database {
    home: tempfile::TempDir,
    clock: ManualClock,
    synchronous: Synchronous,
}

impl Database {
    fn new() -> Self {
        Self::with(Synchronous::Full)
    }

    fn with(synchronous: Synchronous) -> Self {
        Self { home: tempfile::tempdir().unwrap(), clock: ManualClock::new(), synchronous }
    }
}

impl Fixture for Database {
    fn open(&self) -> Box<dyn RunStore> {
        let options = SqliteOptions::new().clock(self.clock.reader()).synchronous(self.synchronous);
        Box::new(SqliteStore::open_with(database(&self.home), options).unwrap())
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn damage(&self, run: &RunId, event: u64, damage: Damage) {
        let connection = Connection::open(database(&self.home)).unwrap();
        let find = "SELECT event.rowid, body FROM event JOIN run ON run.key = event.run
            WHERE run.id = ?1 AND number >= ?2 ORDER BY number LIMIT 1";
        let number = i64::try_from(event).unwrap();
        let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        let (row, body) = connection.query_row(find, (run.as_str(), number), row).unwrap();
        let is_it = format!("\"seq\":{event},");
        let lines = body.lines().map(|line| match damage {
            _ if !line.contains(&is_it) => line.to_owned(),
            Damage::UnknownEvent => line.replace("attempt_succeeded", Damage::UNKNOWN_EVENT),
            _ => "garbage".to_owned(),
        });
        let damaged = lines.collect::<Vec<_>>().join("\n");
        assert_ne!(damaged, body);
        connection.execute("UPDATE event SET body = ?1 WHERE rowid = ?2", (damaged, row)).unwrap();
    }
}

workflow_testkit::store_suite!(Database::new(); durable, processes, leases, hints, damage, slots);

#[test]
fn of_the_runs_that_many_stores_create_one_at_a_time_has_the_slot() {
    crate::slots::one_at_a_time(&Database::new());
}

#[test]
fn a_reopened_store_has_all_however_it_syncs() {
    for synchronous in [Synchronous::Full, Synchronous::Normal] {
        let home = tempfile::tempdir().unwrap();
        let options = SqliteOptions::new().synchronous(synchronous);
        let store = SqliteStore::open_with(database(&home), options.clone()).unwrap();
        let lease = create(&store, "r1");
        append(&store, &lease, 1, &[started(2), succeeded(3)]).unwrap();
        let paused = head(RunStatus::Paused);
        block_on(store.append(&lease, 3, &[succeeded(4)].into(), Some(&paused))).unwrap();
        block_on(store.append_output(&lease, &[entry(1, "hello")])).unwrap();
        block_on(store.request(&id("r1"), Control::Resume.into())).unwrap();
        let written = events(&store, &id("r1"));
        drop(store);

        let store = SqliteStore::open_with(database(&home), options).unwrap();
        assert_eq!(events(&store, &id("r1")), written);
        assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, paused);
        assert_eq!(block_on(store.output(&id("r1"), 0, 9)).unwrap(), [entry(1, "hello")]);
        let run = new_run("r1");
        assert_eq!(block_on(store.bundle(&run.head.bundle)).unwrap(), run.bundle);
        let lease = block_on(store.claim(&id("r1"))).unwrap();
        let controls = block_on(store.append(&lease, 4, &[succeeded(5)].into(), None)).unwrap();
        assert_eq!(controls.len(), 1);
        block_on(store.append_output(&lease, &[entry(2, "again")])).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(home.path().join("new/runs.db")).unwrap();
    let lease = create(&store, "r1");
    append(&store, &lease, 1, &[started(2)]).unwrap();
    let mut seen = Vec::new();
    for directory in ["new", "new/runs.db-holders"] {
        for entry in std::fs::read_dir(home.path().join(directory)).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            let expected = if entry.path().is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "{}", entry.path().display());
            seen.push(entry.file_name().into_string().unwrap());
        }
    }
    seen.sort();
    // And the lock file of this store, with a unique name.
    assert_eq!(seen.len(), 6, "{seen:?}");
    for name in ["opening", "runs.db", "runs.db-holders", "runs.db-shm", "runs.db-wal"] {
        assert!(seen.iter().any(|seen| seen == name), "{name} is not in {seen:?}");
    }
}

#[test]
#[cfg(unix)]
fn what_others_can_write_is_taken_from_them_when_a_database_is_opened() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("runs.db");
    // The log and its index exist as long as a store has the database open.
    let _open = SqliteStore::open(&path).unwrap();
    let files =
        ["runs.db", "runs.db-wal", "runs.db-shm", "runs.db-holders"].map(|name| home.path().join(name));
    let mode = |file: &std::path::Path| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    for file in &files {
        let all = std::fs::Permissions::from_mode(mode(file) | 0o066);
        std::fs::set_permissions(file, all).unwrap();
    }
    // A reader changes nothing.
    SqliteStore::open_with(&path, SqliteOptions::new().read_only()).unwrap();
    assert_eq!(mode(&files[0]), 0o666);
    let store = SqliteStore::open(&path).unwrap();
    for file in &files {
        assert_eq!(mode(file) & 0o022, 0, "{}", file.display());
    }
    create(&store, "r1");
}

#[test]
fn what_comes_together_is_stored_together_and_each_has_an_outcome_of_its_own() {
    const RUNS: usize = 50;
    let home = tempfile::tempdir().unwrap();
    // The clock is read once in each transaction.
    let transactions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&transactions);
    let options = SqliteOptions::new().clock(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        at(0)
    });
    let store = SqliteStore::open_with(database(&home), options).unwrap();
    let leases: Vec<_> = (0..RUNS).map(|n| create(&store, &format!("r{n}"))).collect();
    block_on(store.release(leases[7].clone())).unwrap();

    let blocker = lock_out(&database(&home));
    let running = head(RunStatus::Running);
    let (batch, none) = ([started(2), succeeded(3)].into(), Arc::default());
    let mut appends = Box::pin(join_all(leases.iter().enumerate().map(|(n, lease)| {
        let expected = if n == 20 { 5 } else { 1 };
        // The second of these finds what the first has written.
        let first = store.append(lease, expected, &batch, Some(&running));
        let second = OptionFuture::from((n == 30).then(|| store.append(lease, 3, &none, None)));
        join(first, second)
    })));
    assert!((&mut appends).now_or_never().is_none());
    let before = transactions.load(Ordering::SeqCst);
    blocker.execute_batch("COMMIT").unwrap();
    let outcomes = block_on(appends);
    // One may have been in progress before the others arrived.
    assert!(transactions.load(Ordering::SeqCst) - before <= 2);

    for (n, (first, second)) in outcomes.into_iter().enumerate() {
        let stored = match n {
            7 => {
                assert!(matches!(first, Err(StoreError::Fenced(run)) if run == leases[7].run));
                1
            }
            20 => {
                assert!(matches!(first, Err(StoreError::Conflict { expected: 5, actual: 1, .. })));
                1
            }
            _ => {
                first.unwrap();
                second.map_or(3, |second| second.map(|_| 3).unwrap())
            }
        };
        let run = &leases[n].run;
        assert_eq!(numbers(&events(&store, run)), (1..=stored).collect::<Vec<_>>(), "{run}");
        let expected = if stored == 1 { RunStatus::Pending } else { RunStatus::Running };
        assert_eq!(block_on(store.get(run)).unwrap().head.status, expected);
    }
}

#[test]
fn a_dropped_store_does_what_was_asked_of_it_and_frees_its_runs() {
    let (store, home) = open();
    let lease = create(&store, "r1");
    let _ = store.append(&lease, 1, &[started(2)].into(), None).now_or_never();
    let _ = store.append(&lease, 2, &[succeeded(3)].into(), None).now_or_never();
    drop(store);
    let files = std::fs::read_dir(home.path().join("runs.db-holders")).unwrap().count();
    assert_eq!(files, 1, "only the turn of those who open it is left");
    let store = SqliteStore::open(database(&home)).unwrap();
    assert_eq!(numbers(&events(&store, &id("r1"))), [1, 2, 3]);
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().holder, None);
    block_on(store.claim(&id("r1"))).unwrap();
}

#[test]
fn a_run_that_was_created_without_a_driver_can_be_claimed() {
    let (store, _home) = open();
    let mut creation = store.create(new_run("r1"));
    assert!((&mut creation).now_or_never().is_none());
    drop(creation);
    let leases = block_on(store.claim_next(9, at(0))).unwrap();
    assert_eq!(leases.len(), 1);
    append(&store, &leases[0], 1, &[started(2)]).unwrap();
}

#[test]
fn output_is_bounded_and_tells_what_was_dropped() {
    let home = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new().output_limit(20_000);
    let store = SqliteStore::open_with(database(&home), options).unwrap();
    let lease = create(&store, "r1");
    let mut dropped_before = entry(1, "700");
    dropped_before.kind = OutputKind::Dropped;
    block_on(store.append_output(&lease, &[dropped_before])).unwrap();
    let mut last = 1;
    let texts = |store: &SqliteStore| -> Vec<(u64, OutputKind, String)> {
        let kept = block_on(store.output(&id("r1"), 0, usize::MAX)).unwrap();
        kept.into_iter().map(|entry| (entry.number, entry.kind, entry.text)).collect()
    };
    for size in [1, 3, 40, 200, 7, 500].into_iter().cycle().take(30) {
        let batch: Vec<_> = (last + 1..=last + size).map(|n| entry(n, &format!("line {n}"))).collect();
        block_on(store.append_output(&lease, &batch)).unwrap();
        last += size;
        let kept = texts(&store);
        let (first, rest) = kept.split_first().unwrap();
        if last < 50 {
            assert_eq!(kept.len() as u64, last, "it is not full yet");
            continue;
        }
        assert!(rest.len() < 200, "{}", rest.len());
        if first.1 == OutputKind::Dropped {
            // All before, and the 700 that were dropped before they reached the store.
            assert_eq!(first.2, (first.0 - 1 + 700).to_string());
        }
        for (place, (number, kind, text)) in rest.iter().enumerate() {
            assert_eq!((*number, *kind), (first.0 + 1 + place as u64, OutputKind::Stdout));
            assert_eq!(*text, format!("line {number}"));
        }
        assert_eq!(rest.last().unwrap().0, last);
        assert_eq!(block_on(store.last_output(&id("r1"))).unwrap(), last);
    }
    assert_eq!(texts(&store)[0].1, OutputKind::Dropped);
    // One entry that exceeds the limit is kept, by the next holder too.
    block_on(store.release(lease)).unwrap();
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    block_on(store.append_output(&lease, &[entry(last + 1, &"y".repeat(90_000))])).unwrap();
    let kept = texts(&store);
    assert_eq!(kept.iter().map(|(number, ..)| *number).collect::<Vec<_>>(), [last, last + 1]);
    assert_eq!(kept[0].2, (last - 1 + 700).to_string());
}

/// A run that ended that many seconds after the fixed moment.
fn ended(store: &SqliteStore, name: &str, workflow: &str, seconds: u64) {
    let run = run_of(workflow, name, 1);
    let completed =
        RunHead { status: RunStatus::Completed, completed_at: Some(at(seconds)), ..run.head.clone() };
    let lease = block_on(store.create(run)).unwrap();
    block_on(store.append(&lease, 1, &[started(2)].into(), Some(&completed))).unwrap();
    block_on(store.append_output(&lease, &[entry(1, "hello")])).unwrap();
    block_on(store.release(lease)).unwrap();
}

fn names(store: &SqliteStore, filter: &RunFilter) -> String {
    let list = block_on(store.list(filter)).unwrap();
    list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn what_ended_long_ago_is_pruned_the_oldest_first() {
    let (store, home) = open();
    create(&store, "running");
    for n in 0..30 {
        ended(&store, &format!("r{n:02}"), "feature", 100 + n);
    }
    ended(&store, "alone", "other", 110);
    let other = run_of("other", "alone", 1).head.bundle;
    block_on(store.bundle(&other)).unwrap();
    let held = block_on(store.claim(&id("r01"))).unwrap();

    assert_eq!(block_on(store.prune(at(100), 99)).unwrap(), 0);
    assert_eq!(block_on(store.prune(at(129), 2)).unwrap(), 2);
    let left = names(&store, &RunFilter::all());
    assert!(left.contains("r01") && left.contains("r03") && !left.contains("r00") && !left.contains("r02"));
    // Once begun, it completes.
    let _ = store.prune(at(129), 99).now_or_never();
    assert!(block_on(store.prune(at(129), 99)).unwrap() < 27, "they have shared the work");
    assert_eq!(names(&store, &RunFilter::all()), "running r29 r01");
    // The unused bundle is deleted, the other is kept.
    assert!(matches!(block_on(store.bundle(&other)), Err(StoreError::NotFound(_))));
    block_on(store.bundle(&new_run("r1").head.bundle)).unwrap();
    block_on(store.release(held)).unwrap();
    assert_eq!(block_on(store.prune(Timestamp::MAX, 99)).unwrap(), 2);
    block_on(store.vacuum()).unwrap();
    drop(store);

    let database = Connection::open(database(&home)).unwrap();
    for (table, rows) in [("run", 1), ("event", 1), ("output", 0), ("bundle", 1), ("holder", 0)] {
        let count = database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0));
        assert_eq!(count, Ok(rows), "{table}");
    }
}

#[test]
fn vacuum_gives_room_back_while_runs_continue() {
    let (store, home) = open();
    let lease = create(&store, "r1");
    let other = create(&store, "r2");
    append(&store, &other, 1, &[output_of(2, &"x".repeat(4 << 20).into())]).unwrap();
    block_on(store.release(other)).unwrap();
    block_on(store.delete(&id("r2"))).unwrap();
    append(&store, &lease, 1, &[started(2)]).unwrap();
    let size = || std::fs::metadata(database(&home)).unwrap().len();
    block_on(store.vacuum()).unwrap();
    assert!(size() < 1 << 20, "{}", size());
    append(&store, &lease, 2, &[succeeded(3)]).unwrap();
    assert_eq!(numbers(&events(&store, &id("r1"))), [1, 2, 3]);
}

#[test]
fn a_list_is_filtered_by_time_in_pages() {
    let (store, _home) = open();
    for n in 0..40_u64 {
        let workflow = if n.is_multiple_of(2) { "even" } else { "odd" };
        let run = run_of(workflow, &format!("r{n:02}"), 100 + n / 4);
        let lease = block_on(store.create(run.clone())).unwrap();
        if n.is_multiple_of(3) {
            let failed = RunHead { status: RunStatus::Failed, ..run.head };
            block_on(store.append(&lease, 1, &[started(2)].into(), Some(&failed))).unwrap();
        }
    }
    let all = block_on(store.list(&RunFilter::all())).unwrap();
    assert_eq!(all.len(), 40);
    let mut filters = Vec::new();
    for workflow in [None, Some("even")] {
        for statuses in [vec![], vec![RunStatus::Failed], vec![RunStatus::Pending, RunStatus::Failed]] {
            for (from, before) in [(None, None), (Some(102), None), (Some(101), Some(107))] {
                let mut filter = RunFilter::all();
                filter.workflow = workflow.map(|workflow| run_of(workflow, "r", 1).head.workflow_id);
                filter.statuses.clone_from(&statuses);
                (filter.created_from, filter.created_before) = (from.map(at), before.map(at));
                filters.push(filter);
            }
        }
    }
    for mut filter in filters {
        let expected: Vec<_> =
            all.iter().filter(|record| filter.matches(&record.run_id, &record.head)).cloned().collect();
        assert!(!expected.is_empty(), "{filter:?}");
        assert_eq!(block_on(store.list(&filter)).unwrap(), expected, "{filter:?}");
        let mut paged = Vec::new();
        filter.limit = Some(3);
        loop {
            let page = block_on(store.list(&filter)).unwrap();
            let Some(last) = page.last() else { break };
            filter.after = Some(last.run_id.clone());
            paged.extend(page);
        }
        assert_eq!(paged, expected, "{filter:?}");
    }
}
