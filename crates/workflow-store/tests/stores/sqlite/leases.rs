//! The store in SQLite, opened several times: which store drives which run, and for how long.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, Lease, RunFilter, RunHead, RunStore, StoreError, Watcher};
use workflow_store::{SqliteOptions, SqliteStore};

use super::{database, lock_out, open};
use crate::fixture::*;

/// A clock that stands still until it is moved.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    /// A store whose leases are valid for 30 seconds by this clock.
    fn open(&self, path: &Path) -> SqliteStore {
        let time = Arc::clone(&self.0);
        let clock = move || at(time.load(Ordering::SeqCst));
        let options = SqliteOptions::new().lease_time(Duration::from_secs(30)).clock(clock);
        SqliteStore::open_with(path, options).unwrap()
    }
}

fn is_fenced(store: &SqliteStore, lease: &Lease) {
    let last = events(store, &lease.run).len() as u64;
    let error = append(store, lease, last, &[succeeded(last + 1)]).unwrap_err();
    assert!(matches!(&error, StoreError::Fenced(run) if *run == lease.run), "{error}");
    let error = block_on(store.append_output(lease, &[entry(99, "late")])).unwrap_err();
    assert!(matches!(&error, StoreError::Fenced(run) if *run == lease.run), "{error}");
    assert_eq!(events(store, &lease.run).len() as u64, last);
}

fn go_on(store: &SqliteStore, lease: &Lease) {
    let last = events(store, &lease.run).len() as u64;
    append(store, lease, last, &[succeeded(last + 1)]).unwrap();
}

#[test]
fn two_stores_of_one_database_do_not_hold_the_same_run() {
    let (first, home) = open();
    let second = SqliteStore::open(database(&home)).unwrap();
    let lease = create(&first, "r1");
    let error = block_on(second.claim(&id("r1"))).unwrap_err();
    let StoreError::Held { holder, .. } = error else { panic!("{error}") };
    assert!(holder.starts_with(&format!("process {}", std::process::id())), "{holder}");
    assert_eq!(block_on(second.get(&id("r1"))).unwrap().holder, Some(holder));
    is_fenced(&second, &lease);
    assert!(matches!(block_on(second.delete(&id("r1"))), Err(StoreError::Held { .. })));
    assert!(matches!(block_on(second.create(new_run("r1"))), Err(StoreError::Exists(_))));
    // Releasing it in another store does not free it.
    block_on(second.release(lease.clone())).unwrap();
    go_on(&first, &lease);

    block_on(first.release(lease.clone())).unwrap();
    let other = block_on(second.claim(&id("r1"))).unwrap();
    assert!(other.epoch > lease.epoch);
    go_on(&second, &other);
    is_fenced(&first, &lease);
    assert_eq!(numbers(&events(&first, &id("r1"))), [1, 2, 3]);
}

#[test]
fn of_many_stores_one_wins_each_claim() {
    let (store, home) = open();
    let lease = create(&store, "r1");
    block_on(store.release(lease)).unwrap();
    let stores: Vec<_> = (0..4).map(|_| SqliteStore::open(database(&home)).unwrap()).collect();
    let start = Barrier::new(stores.len());
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                start.wait();
                let mut appended = 0;
                while appended < 5 {
                    match block_on(store.claim(&id("r1"))) {
                        Ok(lease) => {
                            let last = events(store, &id("r1")).len() as u64;
                            append(store, &lease, last, &[succeeded(last + 1), succeeded(last + 2)]).unwrap();
                            block_on(store.release(lease)).unwrap();
                            appended += 1;
                        }
                        Err(error) => assert!(matches!(error, StoreError::Held { .. }), "{error}"),
                    }
                }
            });
        }
    });
    assert_eq!(numbers(&events(&store, &id("r1"))), (1..=41).collect::<Vec<_>>());
}

#[test]
fn a_store_can_be_opened_by_many_at_the_same_time() {
    let home = tempfile::tempdir().unwrap();
    let start = Barrier::new(6);
    std::thread::scope(|scope| {
        for n in 0..6 {
            let (home, start) = (&home, &start);
            scope.spawn(move || {
                start.wait();
                let store = SqliteStore::open(database(home)).unwrap();
                create(&store, &format!("r{n}"));
            });
        }
    });
    let store = SqliteStore::open(database(&home)).unwrap();
    assert_eq!(block_on(store.list(&RunFilter::all())).unwrap().len(), 6);
}

#[test]
fn a_lease_that_is_renewed_does_not_run_out() {
    let home = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let (first, second) = (clock.open(&database(&home)), clock.open(&database(&home)));
    assert_eq!(first.lease_time(), Some(Duration::from_secs(30)));
    block_on(first.renew()).unwrap();
    let leases = [create(&first, "r1"), create(&first, "r2")];
    for _ in 0..5 {
        clock.advance(29);
        assert!(matches!(block_on(second.claim(&id("r1"))), Err(StoreError::Held { .. })));
        block_on(first.renew()).unwrap();
    }
    clock.advance(29);
    for lease in &leases {
        go_on(&first, lease);
    }
    assert!(block_on(second.claim_next(9, at(0))).unwrap().is_empty());
    // A new lease is valid for the whole time, too.
    create(&first, "r3");
    clock.advance(29);
    assert!(block_on(second.claim_next(9, at(0))).unwrap().is_empty());
    clock.advance(1);
    assert_eq!(block_on(second.claim_next(9, at(0))).unwrap().len(), 3);
}

#[test]
fn a_holder_whose_lease_expired_writes_nothing_and_may_claim_again() {
    let home = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let (first, second) = (clock.open(&database(&home)), clock.open(&database(&home)));
    let leases = [create(&first, "r1"), create(&first, "r2"), create(&first, "r3")];
    clock.advance(30);
    // Also while no other store has claimed them.
    for lease in &leases {
        is_fenced(&first, lease);
    }
    assert_eq!(block_on(second.get(&id("r1"))).unwrap().holder, None);
    let taken = block_on(second.claim(&id("r1"))).unwrap();
    for lease in &leases {
        is_fenced(&first, lease);
    }
    go_on(&second, &taken);

    assert!(matches!(block_on(first.renew()), Err(StoreError::Expired)));
    // It was told, and has no leases left to lose.
    block_on(first.renew()).unwrap();
    for lease in &leases {
        is_fenced(&first, lease);
    }
    assert!(matches!(block_on(first.claim(&id("r1"))), Err(StoreError::Held { .. })));
    let again = block_on(first.claim(&id("r2"))).unwrap();
    assert!(again.epoch > leases[1].epoch);
    go_on(&first, &again);
    is_fenced(&first, &leases[1]);
    block_on(first.renew()).unwrap();
    // Releasing an expired lease takes no run from its holder.
    for lease in leases {
        block_on(first.release(lease)).unwrap();
    }
    go_on(&first, &again);
    go_on(&second, &taken);
    block_on(second.claim(&id("r3"))).unwrap();
}

#[test]
fn a_claim_after_its_time_does_not_hide_that_leases_were_lost() {
    let home = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let store = clock.open(&database(&home));
    let lost = create(&store, "r1");
    clock.advance(31);
    let again = block_on(store.claim(&id("r1"))).unwrap();
    is_fenced(&store, &lost);
    go_on(&store, &again);
    // A renewal fails if one of the leases has expired.
    assert!(matches!(block_on(store.renew()), Err(StoreError::Expired)));
    is_fenced(&store, &again);
    block_on(store.renew()).unwrap();
    // Without leases, time does not matter.
    clock.advance(31);
    block_on(store.renew()).unwrap();
    let again = block_on(store.claim(&id("r1"))).unwrap();
    go_on(&store, &again);
    block_on(store.renew()).unwrap();
    go_on(&store, &again);
}

#[test]
fn a_run_that_ran_out_of_time_can_be_deleted_and_pruned() {
    let home = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let (first, second) = (clock.open(&database(&home)), clock.open(&database(&home)));
    for name in ["r1", "r2"] {
        let lease = create(&first, name);
        let ended = RunHead { status: RunStatus::Completed, completed_at: Some(at(3)), ..new_run(name).head };
        block_on(first.append(&lease, 1, &[started(2)].into(), Some(&ended))).unwrap();
    }
    assert!(matches!(block_on(second.delete(&id("r1"))), Err(StoreError::Held { .. })));
    assert_eq!(block_on(second.prune(at(9), 9)).unwrap(), 0);
    clock.advance(30);
    block_on(second.delete(&id("r1"))).unwrap();
    assert_eq!(block_on(second.prune(at(9), 9)).unwrap(), 1);
}

#[test]
fn what_can_be_driven_is_claimed_once() {
    let (first, home) = open();
    let second = SqliteStore::open(database(&home)).unwrap();
    for (n, status) in [RunStatus::Pending, RunStatus::Running, RunStatus::Paused, RunStatus::Completed]
        .iter()
        .cycle()
        .take(20)
        .enumerate()
    {
        let lease = create(&first, &format!("r{n}"));
        block_on(first.append(&lease, 1, &[started(2)].into(), Some(&head(*status)))).unwrap();
        block_on(first.release(lease)).unwrap();
    }
    assert!(block_on(first.claim_next(0, at(0))).unwrap().is_empty());
    let mut claimed = Vec::new();
    for store in [&*first, &second, &first, &second] {
        let leases = block_on(store.claim_next(3, at(0))).unwrap();
        for lease in &leases {
            go_on(store, lease);
        }
        claimed.extend(leases.iter().map(|lease| lease.run.as_str()[1..].parse::<usize>().unwrap()));
        claimed.sort_unstable();
    }
    assert_eq!(claimed, [0, 1, 4, 5, 8, 9, 12, 13, 16, 17]);
    assert!(block_on(first.claim_next(3, at(0))).unwrap().is_empty());
    // The runs of a closed store can be claimed.
    drop(second);
    assert_eq!(block_on(first.claim_next(99, at(0))).unwrap().len(), 4);
}

fn calls(store: &SqliteStore) -> (mpsc::Receiver<Option<String>>, workflow_core::store::Watching) {
    let (sender, calls) = mpsc::channel();
    let watcher: Watcher = Arc::new(move |run| drop(sender.send(run.map(|run| run.as_str().to_owned()))));
    (calls, store.watch(watcher))
}

#[test]
fn a_control_from_another_store_calls_the_watchers() {
    let (store, home) = open();
    let lease = create(&store, "r1");
    let (calls, _watching) = calls(&store);
    let other = SqliteStore::open(database(&home)).unwrap();
    for number in 1..=3 {
        assert_eq!(block_on(other.request(&id("r1"), Control::Pause.into())).unwrap(), number);
        assert_eq!(calls.recv().unwrap(), None);
        let seen = block_on(store.controls(&id("r1"), number - 1)).unwrap();
        assert_eq!(seen.len(), 1);
    }
    assert_eq!(block_on(store.append(&lease, 1, &[started(2)].into(), None)).unwrap().len(), 3);
    assert!(block_on(store.append(&lease, 2, &[succeeded(3)].into(), None)).unwrap().is_empty());
}

#[test]
fn a_run_that_can_be_claimed_calls_the_watchers_of_every_store() {
    let (store, home) = open();
    let other = SqliteStore::open(database(&home)).unwrap();
    let (here, _here) = calls(&store);
    let (there, _there) = calls(&other);
    let lease = create(&store, "r1");
    block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head(RunStatus::Running)))).unwrap();
    block_on(store.release(lease)).unwrap();
    assert_eq!(here.recv().unwrap(), None);
    assert_eq!(there.recv().unwrap(), None);
    assert_eq!(block_on(other.claim_next(1, at(0))).unwrap().len(), 1);
    // Those of a closed store can be claimed.
    drop(other);
    assert_eq!(here.recv().unwrap(), None);
    assert_eq!(block_on(store.claim_next(1, at(0))).unwrap().len(), 1);
}

#[test]
fn a_run_whose_holder_has_run_out_of_time_calls_the_watchers() {
    let home = tempfile::tempdir().unwrap();
    let clock = Hand::default();
    let (first, second) = (clock.open(&database(&home)), clock.open(&database(&home)));
    create(&first, "r1");
    let (calls, _watching) = calls(&second);
    clock.advance(31);
    assert_eq!(calls.recv().unwrap(), None);
    assert_eq!(block_on(second.claim_next(1, at(0))).unwrap().len(), 1);
}

#[test]
fn a_lease_that_could_not_be_given_back_is_given_back_later() {
    let home = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new().busy_timeout(Duration::from_millis(30));
    let store = SqliteStore::open_with(database(&home), options).unwrap();
    let other = SqliteStore::open(database(&home)).unwrap();
    let is_held = |run| matches!(block_on(other.claim(&id(run))), Err(StoreError::Held { .. }));
    let later: [(&str, &dyn Fn()); 3] = [
        ("r1", &|| block_on(store.renew()).unwrap()),
        ("r2", &|| assert_eq!(block_on(store.claim_next(1, at(0))).unwrap().len(), 1)),
        ("r3", &|| drop(block_on(store.claim(&id("r3"))).unwrap())),
    ];
    for (run, later) in later {
        let lease = create(&store, run);
        let blocker = lock_out(&database(&home));
        let error = block_on(store.release(lease.clone())).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        blocker.execute_batch("COMMIT").unwrap();
        drop(blocker);
        // It is alive, and other stores cannot tell that no driver uses the lease.
        assert!(is_held(run));
        later();
        if run == "r1" {
            block_on(other.claim(&id(run))).unwrap();
        } else {
            // It holds the run again, with a valid lease.
            assert!(is_held(run));
        }
        is_fenced(&store, &lease);
    }
}
