//! Appends that their callers write, because they wait neither for the disk nor for another writer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};

use futures::FutureExt as _;
use futures::executor::block_on;
use jiff::Timestamp;
use serde_json::json;
use workflow_core::store::{Lease, RunStore as _};
use workflow_store::{SqliteOptions, SqliteStore, Synchronous};

use super::{Database, database, lock_out};
use crate::fixture::*;

workflow_testkit::store_suite!(
    Database::with(Synchronous::Normal);
    durable, processes, leases, hints, damage, slots
);

/// A store, and the threads that have begun a transaction: each asks for the time.
struct Watched {
    home: tempfile::TempDir,
    store: SqliteStore,
    threads: Arc<Mutex<HashMap<ThreadId, String>>>,
}

impl Watched {
    fn new(synchronous: Synchronous) -> Self {
        let home = tempfile::tempdir().unwrap();
        let threads = Arc::new(Mutex::new(HashMap::new()));
        let seen = Arc::clone(&threads);
        let clock = move || {
            let thread = thread::current();
            seen.lock().unwrap().insert(thread.id(), thread.name().unwrap_or_default().to_owned());
            Timestamp::now()
        };
        let options = SqliteOptions::new().synchronous(synchronous).clock(clock);
        let store = SqliteStore::open_with(database(&home), options).unwrap();
        Self { home, store, threads }
    }

    /// Whether this thread writes the append itself.
    fn writes(&self, lease: &Lease, last: u64) -> bool {
        self.threads.lock().unwrap().clear();
        append(&self.store, lease, last, &[succeeded(last + 1)]).unwrap();
        self.has_written()
    }

    fn has_written(&self) -> bool {
        self.threads.lock().unwrap().contains_key(&thread::current().id())
    }

    /// Appends until this thread writes one. Returns the number of the last event.
    fn until_written(&self, lease: &Lease, mut last: u64) -> u64 {
        // The store's thread answers just before it has nothing more to do.
        while !self.writes(lease, last) {
            last += 1;
        }
        last + 1
    }
}

#[test]
fn the_only_run_of_a_store_that_does_not_sync_is_written_by_its_caller() {
    let watched = Watched::new(Synchronous::Normal);
    let lease = create(&watched.store, "r1");
    let last = watched.until_written(&lease, 1);
    let written = events(&watched.store, &id("r1"));
    assert_eq!(written.last().map(|event| event.seq), Some(last));
    // What is refused is refused.
    assert!(append(&watched.store, &lease, last + 1, &[succeeded(last + 2)]).is_err());
    assert_eq!(events(&watched.store, &id("r1")), written);
}

#[test]
fn what_is_synced_is_written_by_the_thread() {
    let watched = Watched::new(Synchronous::Full);
    let lease = create(&watched.store, "r1");
    assert!((1..=20).all(|last| !watched.writes(&lease, last)));
}

#[test]
fn runs_beside_each_other_are_written_together() {
    let watched = Watched::new(Synchronous::Normal);
    let (one, other) = (create(&watched.store, "r1"), create(&watched.store, "r2"));
    assert!((1..=20).all(|last| !watched.writes(&one, last)));
    block_on(watched.store.release(other)).unwrap();
    watched.until_written(&one, 21);
}

#[test]
fn a_caller_does_not_wait_for_another_process_that_writes() {
    let watched = Watched::new(Synchronous::Normal);
    let lease = create(&watched.store, "r1");
    let last = watched.until_written(&lease, 1);
    let blocker = lock_out(&database(&watched.home));
    watched.threads.lock().unwrap().clear();
    let waiting = [succeeded(last + 1)].into();
    let mut waits = watched.store.append(&lease, last, &waiting, None);
    assert!((&mut waits).now_or_never().is_none());
    drop(blocker);
    block_on(waits).unwrap();
    assert!(!watched.has_written());
}

#[test]
fn the_first_append_after_another_process_has_written_is_written_by_the_thread() {
    let watched = Watched::new(Synchronous::Normal);
    let lease = create(&watched.store, "r1");
    let last = watched.until_written(&lease, 1);
    let other = lock_out(&database(&watched.home));
    other.execute_batch("UPDATE sequence SET value = value + 1 WHERE name = 'epoch'; COMMIT").unwrap();
    watched.threads.lock().unwrap().clear();
    append(&watched.store, &lease, last, &[succeeded(last + 1)]).unwrap();
    // This thread has begun a transaction, and has seen that.
    assert!(watched.threads.lock().unwrap().values().any(|name| name == "workflow-writes"));
    watched.until_written(&lease, last + 1);
}

#[test]
fn the_log_of_a_store_whose_callers_write_is_copied_into_the_database() {
    let watched = Watched::new(Synchronous::Normal);
    let lease = create(&watched.store, "r1");
    let large = json!("x".repeat(60_000));
    let log = || std::fs::metadata(watched.home.path().join("runs.db-wal")).unwrap().len();
    let mut longest = 0;
    for last in 1..=800 {
        append(&watched.store, &lease, last, &[output_of(last + 1, &large)]).unwrap();
        longest = longest.max(log());
    }
    // 48 MB were written. The log is copied when it has 4,000 pages of 4 KiB.
    assert!(longest > 14 << 20, "{longest}");
    assert!(longest < 20 << 20, "{longest}");
    watched.until_written(&lease, 801);
}
