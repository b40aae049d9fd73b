//! Workers that are suspended for so long that another one acquires their runs, and then continue.

use std::fs;

use futures::executor::block_on;
use rustix::process::Signal;
use workflow_core::event::EventBody;
use workflow_core::ids::RunId;
use workflow_core::store::{RunFilter, RunRecord};
use workflow_testkit::postgres::{Server, anywhere};
use workflow_tests::scenario;
use workflow_tests::worker::Place;

use crate::Chance;
use crate::check::check;
use crate::fleet::Fleet;
use crate::work::{GATED, Office, SHARED, STUCK};

/// The lease time in milliseconds.
const LEASE: u64 = 1_000;

/// The same for a test in which a resumed worker needs enough time to claim its run again, a fifth of this,
/// on a busy machine.
const LONG_LEASE: u64 = 10_000;

/// How often two workers are suspended.
const ROUNDS: usize = 6;

/// The minimum number of unfinished runs.
const RUNS: usize = 12;

/// Suspends workers, but none in the middle of a write to SQLite, whose lock would block all others.
fn stop(fleet: &Fleet, office: &Office, workers: &[usize]) {
    loop {
        fleet.signal(workers, Signal::STOP);
        if office.is_writable() {
            return;
        }
        fleet.signal(workers, Signal::CONT);
        fleet.until("the write ends", || office.is_writable());
    }
}

/// Suspends a worker in the middle of a call, lets another one complete the run, and resumes the first one.
/// The other one may work `elsewhere`, where it cannot stop the first one's calls.
fn pause_and_wake(mut fleet: Fleet, elsewhere: bool) {
    let mut office = Office::new(&fleet, STUCK);
    let log = |office: &Office, run: &RunId| {
        let events = block_on(scenario::events(office.store(), run));
        events.iter().map(|event| serde_json::to_string(event).unwrap() + "\n").collect::<String>()
    };
    let run = RunId::new("r0").unwrap();
    office.create(1);
    fleet.hire();
    let is_stuck = |call: &String| call.starts_with("r0:") && call.ends_with("/stuck[0]/run:1");
    fleet.until("the worker is in the middle of a call", || fleet.calls().iter().any(is_stuck));
    stop(&fleet, &office, &[0]);
    let started = fleet.at_work();
    assert!(!started.is_empty());

    let mut orders = fleet.orders.clone();
    orders.elsewhere = elsewhere;
    fleet.hire_with(&orders);
    fleet.until("another worker ends the run", || office.has_completed(&run));
    let ended = log(&office, &run);
    assert_eq!(fleet.at_work(), if elsewhere { started } else { Vec::new() });
    fleet.dismiss(1);

    fleet.signal(&[0], Signal::CONT);
    fleet.until("nothing is left of the call", || fleet.at_work().is_empty());
    // It is alone, and still works.
    office.create(2);
    fleet.until("the worker that woke up is stuck again", || {
        fleet.calls().iter().filter(|call| call.ends_with("/stuck[0]/run:1")).count() == 3
    });
    fleet.hire();
    fleet.dismiss(0);
    fleet.until("all runs end", || office.unfinished() == 0);
    assert_eq!(log(&office, &run), ended, "{}", fleet.said());
    fleet.dismiss_all();

    let tally = check(&fleet, &office, 0);
    assert_eq!(tally.interrupted, 3, "one of each run");
    let told = fs::read_to_string(fleet.orders.told()).unwrap();
    assert_eq!(told.matches("run_completed").count(), 3);
    let interrupted = block_on(scenario::events(office.store(), &run));
    let attempts =
        interrupted.iter().filter(|event| matches!(event.body, EventBody::AttemptSucceeded { .. }));
    assert_eq!(attempts.count(), 3);
}

/// Suspends two of four workers at a time, at random moments, until the others have all their runs, and
/// resumes them.
fn pause_at_random(mut fleet: Fleet, seed: u64) {
    let mut chance = Chance(seed);
    let mut office = Office::new(&fleet, SHARED);
    (0..4).for_each(|_| fleet.hire());
    for _ in 0..ROUNDS {
        office.create(RUNS.saturating_sub(office.unfinished()));
        let goal = fleet.calls().len() + 1 + chance.below(20);
        fleet.until("calls are made", || fleet.calls().len() >= goal);
        let first = chance.below(4);
        let stopped = [first, (first + 1 + chance.below(3)) % 4];
        stop(&fleet, &office, &stopped);
        let names = stopped.map(|worker| fleet.name(worker));
        let has_run = |record: RunRecord| {
            let holder = record.holder.map(|holder| holder + " ").unwrap_or_default();
            names.iter().any(|name| holder.starts_with(name))
        };
        fleet.until("the others take the runs", || {
            let runs = block_on(office.store().list(&RunFilter::unfinished())).unwrap();
            !runs.into_iter().any(has_run)
        });
        fleet.signal(&stopped, Signal::CONT);
    }
    fleet.until("all runs end", || office.unfinished() == 0);
    assert_eq!(fleet.size(), 4);
    fleet.dismiss_all();
    let tally = check(&fleet, &office, 0);
    println!("{} runs, {} times stopped: {tally:?}", office.created(), 2 * ROUNDS);
    assert!(tally.interrupted > ROUNDS, "they were stopped where nothing happens: {tally:?}");
}

/// Suspends the only worker in the middle of a call until its lease has expired, and resumes it.
fn pause_alone(mut fleet: Fleet) {
    let mut office = Office::new(&fleet, GATED);
    let run = RunId::new("r0").unwrap();
    office.create(1);
    fleet.hire();
    fleet.until("the worker is in the middle of a call", || fleet.calls().len() == 1);
    stop(&fleet, &office, &[0]);
    let is_free = || block_on(office.store().get(&run)).unwrap().holder.is_none();
    fleet.until("its lease has run out", is_free);
    fleet.signal(&[0], Signal::CONT);
    fs::write(fleet.orders.calls().with_extension("room"), "").unwrap();
    fleet.until("the run ends", || office.has_completed(&run));
    fleet.dismiss_all();
    let tally = check(&fleet, &office, 0);
    assert_eq!((tally.interrupted, fleet.calls().len()), (0, 1), "the call continued: {tally:?}");
}

#[test]
fn a_worker_that_is_resumed_over_sqlite_continues_the_calls_of_an_unclaimed_run() {
    pause_alone(Fleet::new(|home| Place::Sqlite(home.join("runs.db"), LONG_LEASE)));
}

#[test]
fn a_worker_that_is_resumed_over_postgresql_continues_the_calls_of_an_unclaimed_run() {
    let server = Server::start(&anywhere(), false).unwrap();
    pause_alone(Fleet::new(|_| Place::Postgres(server.url(), LONG_LEASE)));
}

#[test]
fn workers_that_are_stopped_over_sqlite_wherever_they_are_do_nothing_twice() {
    pause_at_random(Fleet::new(|home| Place::Sqlite(home.join("runs.db"), LEASE)), 0x5eed);
}

#[test]
fn workers_that_are_stopped_over_postgresql_wherever_they_are_do_nothing_twice() {
    let server = Server::start(&anywhere(), false).unwrap();
    pause_at_random(Fleet::new(|_| Place::Postgres(server.url(), LEASE)), 0x5eed);
}

#[test]
fn a_worker_that_is_resumed_over_sqlite_writes_nothing_to_the_run_that_it_lost_and_is_of_use() {
    for elsewhere in [false, true] {
        pause_and_wake(Fleet::new(|home| Place::Sqlite(home.join("runs.db"), LEASE)), elsewhere);
    }
}

#[test]
fn a_worker_that_is_resumed_over_postgresql_writes_nothing_to_the_run_that_it_lost_and_is_of_use() {
    let mut server = Server::start(&anywhere(), false).unwrap();
    pause_and_wake(Fleet::new(|_| Place::Postgres(server.url(), LEASE)), false);
    server.stop().unwrap();
    server = Server::start(&anywhere(), false).unwrap();
    pause_and_wake(Fleet::new(|_| Place::Postgres(server.url(), LEASE)), true);
}
