//! Servers that stop, connections that are lost, and notifications that do not arrive.

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_core::store::{Control, RunStore, StoreError, Watcher};
use workflow_testkit::postgres::{Server, anywhere};

use super::*;
use crate::fixture::*;

/// The time-out for an event that must happen.
const LONG: Duration = Duration::from_secs(60);

/// The notifications of a watcher.
fn watch(store: &PostgresStore) -> (mpsc::Receiver<Option<RunId>>, workflow_core::store::Watching) {
    let (sender, calls) = mpsc::channel();
    let sender = Mutex::new(sender);
    let watcher: Watcher = Arc::new(move |run| drop(sender.lock().unwrap().send(run.cloned())));
    (calls, store.watch(watcher))
}

/// Waits until a call may refer to `run`.
fn expect(calls: &mpsc::Receiver<Option<RunId>>, run: &RunId) {
    while calls.recv_timeout(LONG).unwrap().is_some_and(|told| told != *run) {}
}

/// Sends control requests to a run until `calls` reports one: a store does not report when it starts to
/// listen.
fn ask_until_told(other: &PostgresStore, run: &RunId, calls: &mpsc::Receiver<Option<RunId>>) {
    for _ in 0..600 {
        block_on(other.request(run, Control::Pause.into())).unwrap();
        let mut told = std::iter::from_fn(|| calls.recv_timeout(Duration::from_millis(100)).ok());
        if told.any(|told| told.as_ref() == Some(run)) {
            return;
        }
    }
    panic!("nothing was told");
}

/// Appends until told to stop, as a driver does: if the outcome is unknown it reads the log. Returns how many
/// events were acknowledged.
pub(super) fn drive(store: &PostgresStore, run: &RunId, stop: &AtomicBool) -> u64 {
    let mut lease = block_on(store.claim(run)).unwrap();
    let (mut last, mut unknown) = (1, false);
    while !stop.load(Ordering::Relaxed) {
        if unknown {
            match block_on(store.events(run, last, 1)) {
                Ok(found) => {
                    last += found.len() as u64;
                    unknown = false;
                }
                Err(StoreError::Io { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            continue;
        }
        match append(store, &lease, last, &[succeeded(last + 1)]) {
            Ok(()) => last += 1,
            Err(StoreError::Io { .. }) => unknown = true,
            Err(StoreError::Conflict { actual, .. }) => panic!("{actual} events where {last} were stored"),
            Err(StoreError::Fenced(_)) => lease = block_on(store.claim(run)).unwrap(),
            Err(error) => panic!("{error}"),
        }
    }
    last
}

#[test]
fn what_was_acknowledged_is_there_once_after_the_server_stopped_at_once() {
    let mut server = Server::start(&anywhere(), true).unwrap();
    let place = Place::at(server.url());
    let store = place.options().lease_time(Duration::from_secs(600)).open().unwrap();
    let runs: Vec<RunId> = (0..6).map(|number| id(&format!("r{number}"))).collect();
    for run in &runs {
        let lease = create(&store, run.as_str());
        block_on(store.release(lease)).unwrap();
    }
    let stop = AtomicBool::new(false);
    let stored: Vec<u64> = std::thread::scope(|scope| {
        let drivers: Vec<_> = runs.iter().map(|run| scope.spawn(|| drive(&store, run, &stop))).collect();
        for round in 1..=3 {
            // All drivers are running.
            let far =
                |run: &RunId| block_on(store.events(run, 20 * round, 1)).is_ok_and(|found| !found.is_empty());
            while !runs.iter().all(far) {
                std::thread::yield_now();
            }
            server.stop().unwrap();
            server.go_on().unwrap();
        }
        let far = |run: &RunId| block_on(store.events(run, 80, 1)).is_ok_and(|found| !found.is_empty());
        while !runs.iter().all(far) {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
        drivers.into_iter().map(|driver| driver.join().unwrap()).collect()
    });
    for (run, stored) in runs.iter().zip(stored) {
        let read = numbers(&events(&store, run));
        let whole: Vec<_> = (1..=read.len() as u64).collect();
        assert_eq!(read, whole);
        // The last append may have been stored without being read back.
        assert!((stored..=stored + 1).contains(&(read.len() as u64)), "{stored} of {}", read.len());
    }
}

#[test]
fn a_server_that_is_away_is_an_error_and_not_the_end() {
    let mut server = Server::start(&anywhere(), false).unwrap();
    let place = Place::at(server.url());
    let store = place.open();
    let lease = create(&store, "r1");
    server.stop().unwrap();
    let errors = [
        append(&store, &lease, 1, &[started(2)]).unwrap_err(),
        block_on(store.append_output(&lease, &[entry(1, "x")])).unwrap_err(),
        block_on(store.get(&lease.run)).unwrap_err(),
        block_on(store.claim(&id("r2"))).unwrap_err(),
        block_on(store.renew()).unwrap_err(),
        block_on(store.create(new_run("r3"))).unwrap_err(),
        place.options().open().unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
    }
    server.go_on().unwrap();
    block_on(store.renew()).unwrap();
    append(&store, &lease, 1, &[started(2)]).unwrap();
    create(&store, "r3");
}

#[test]
fn a_lease_whose_answer_was_lost_can_be_taken_again() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let runs = ["r1", "r2", "r3"].map(|name| create(&store, name));
    for lease in &runs {
        block_on(store.release(lease.clone())).unwrap();
    }
    // As after a claim that was stored and whose response was lost.
    place.run(
        "UPDATE @.run SET epoch = nextval('@.epoch'), owner = (SELECT worker_id FROM @.worker w \
         WHERE NOT EXISTS (SELECT FROM @.run r WHERE r.owner = w.worker_id) ORDER BY expires_at LIMIT 1)",
    );
    let (mine, theirs) =
        if block_on(store.claim(&id("r1"))).is_ok() { (&store, &other) } else { (&other, &store) };
    block_on(mine.claim(&id("r2"))).unwrap();
    let error = block_on(theirs.claim(&id("r3"))).unwrap_err();
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
    block_on(mine.delete(&id("r3"))).unwrap();
}

#[test]
fn controls_of_others_are_told_of_by_notifications() {
    let place = Place::new();
    // Polling would find them too late for the test.
    let store = place.options().poll_every(LONG * 60).open().unwrap();
    let other = place.open();
    let (calls, _watching) = watch(&store);
    let lease = create(&store, "r1");
    ask_until_told(&other, &lease.run, &calls);
    // A run that another store releases can be claimed.
    let free = create(&other, "r2");
    block_on(other.release(free.clone())).unwrap();
    expect(&calls, &free.run);
}

#[test]
fn after_a_lost_connection_it_listens_again_and_has_missed_nothing() {
    let place = Place::new();
    let store = place.options().poll_every(LONG * 60).open().unwrap();
    let other = place.open();
    let (calls, _watching) = watch(&store);
    let lease = create(&store, "r1");
    for _ in 0..2 {
        ask_until_told(&other, &lease.run, &calls);
        place.run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'LISTEN \"{}\"'",
            place.schema
        ));
        // Notified as soon as it listens again, whether or not anything was missed.
        while calls.recv_timeout(LONG).unwrap().is_some() {}
    }
}

#[test]
fn controls_are_seen_where_nothing_can_listen() {
    let place = Place::new();
    let poll = Duration::from_millis(20);
    let options = place.options().poll_every(poll).time_limit(Duration::from_secs(5));
    let nowhere = "host=/nowhere user=nobody";
    for options in [options.clone().without_listening(), options.listen_url(nowhere)] {
        let (store, other) = (options.open().unwrap(), place.open());
        let (calls, _watching) = watch(&store);
        let lease = create(&store, "r1");
        for number in 1..=3 {
            // Simultaneous changes are reported once.
            while calls.try_recv().is_ok() {}
            assert_eq!(block_on(other.request(&lease.run, Control::Pause.into())).unwrap(), number);
            expect(&calls, &lease.run);
            let seen = block_on(store.controls(&lease.run, number - 1)).unwrap();
            assert_eq!(seen.len(), 1);
        }
        block_on(store.release(lease.clone())).unwrap();
        block_on(store.delete(&lease.run)).unwrap();
    }
}

#[test]
fn a_run_whose_holder_died_is_told_of() {
    let place = Place::new();
    let store = place.options().poll_every(Duration::from_millis(20)).without_listening().open().unwrap();
    let other = place.open();
    let lease = create(&other, "r1");
    let (calls, _watching) = watch(&store);
    assert_eq!(calls.recv_timeout(LONG).unwrap(), None);
    place.run("UPDATE @.worker SET expires_at = '-infinity' WHERE worker_id IN (SELECT owner FROM @.run)");
    expect(&calls, &lease.run);
    assert_eq!(block_on(store.claim_next(9, at(0))).unwrap().len(), 1);
}

#[test]
fn a_statement_that_waits_for_too_long_ends_in_an_error() {
    let place = Place::new();
    for prepared in [true, false] {
        let options = place.options().time_limit(Duration::from_millis(300)).prepared_statements(prepared);
        let store = options.open().unwrap();
        let lease = create(&store, &format!("r{prepared}"));
        let (locked, is_locked) = mpsc::channel();
        let (done, is_done) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            let place = &place;
            scope.spawn(move || {
                place.while_locked(|| {
                    locked.send(()).unwrap();
                    let _ = is_done.recv();
                });
            });
            is_locked.recv().unwrap();
            let error = append(&store, &lease, 1, &[started(2)]).unwrap_err();
            assert!(matches!(error, StoreError::Io { .. }), "{error}");
            drop(done);
        });
        // It may be stored all the same, until the server notices the cancellation.
        loop {
            let stored = events(&store, &lease.run).len() as u64;
            match append(&store, &lease, stored, &[succeeded(stored + 1)]) {
                Ok(()) => break,
                Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error}"),
            }
        }
        let read = numbers(&events(&store, &lease.run));
        assert_eq!(read, (1..=read.len() as u64).collect::<Vec<_>>());
    }
}
