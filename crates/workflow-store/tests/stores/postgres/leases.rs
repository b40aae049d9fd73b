//! Leases that expire, and which store drives a run.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use workflow_core::event::EventBody;
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore, StoreError};

use super::*;
use crate::fixture::*;

const LEASE: Duration = Duration::from_secs(30);

#[allow(clippy::needless_pass_by_value, reason = "a result is checked where it comes up")]
fn fenced<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::Fenced(_))), "{result:?}");
}

fn held<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    let Err(StoreError::Held { holder, .. }) = result else { panic!("{result:?}") };
    holder
}

#[test]
fn a_lease_runs_out_by_the_clock_of_the_database() {
    let place = Place::new();
    let (first, second) = (place.options().name("the first").open().unwrap(), place.open());
    assert_eq!(first.lease_time(), Some(LEASE));
    let lease = create(&first, "r1");
    place.clock_ahead(LEASE.mul_f64(0.9));
    assert_eq!(held(block_on(second.claim(&lease.run))), "the first");
    append(&first, &lease, 1, &[started(2)]).unwrap();

    place.clock_ahead(LEASE.mul_f64(1.1));
    assert_eq!(block_on(second.get(&lease.run)).unwrap().holder, None);
    // No other store has claimed it, and still the lease is not valid any more.
    fenced(append(&first, &lease, 2, &[succeeded(3)]));
    fenced(block_on(first.append_output(&lease, &[entry(1, "late")])));
    let next = block_on(second.claim(&lease.run)).unwrap();
    assert!(next.epoch > lease.epoch);
    append(&second, &next, 2, &[succeeded(3)]).unwrap();
    assert_eq!(numbers(&events(&first, &lease.run)), [1, 2, 3]);
}

#[test]
fn a_holder_without_a_name_is_told_by_its_process_and_machine() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let lease = create(&first, "r1");
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let expected = format!("process {} on {}", std::process::id(), machine.trim());
    let told = held(block_on(second.claim(&lease.run)));
    // If the server knows its address, the message contains that too.
    assert!(told.starts_with(&expected), "{told}");
}

#[test]
fn renewing_is_one_heartbeat_for_all_leases() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let leases = ["r1", "r2"].map(|name| create(&first, name));
    for beat in 1..4 {
        place.clock_ahead(LEASE.mul_f64(0.9) * beat);
        block_on(first.renew()).unwrap();
    }
    for lease in &leases {
        held(block_on(second.claim(&lease.run)));
        append(&first, lease, 1, &[started(2)]).unwrap();
    }
    assert_eq!(place.query("SELECT count(DISTINCT owner) FROM @.run"), ["1"]);
}

#[test]
fn a_store_that_renews_too_late_is_told_and_continues_as_another() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let old = create(&first, "r1");
    place.clock_ahead(LEASE * 2);
    // It continues, and a renewal still reports the loss, so that no driver relies on an old lease.
    let since = create(&first, "r2");
    append(&first, &since, 1, &[started(2)]).unwrap();
    let error = block_on(first.renew()).unwrap_err();
    assert!(matches!(error, StoreError::Expired), "{error}");
    fenced(append(&first, &since, 2, &[succeeded(3)]));
    let since = block_on(second.claim(&since.run)).unwrap();
    append(&second, &since, 2, &[succeeded(3)]).unwrap();
    block_on(first.renew()).unwrap();
    fenced(append(&first, &old, 1, &[started(2)]));
    let new = block_on(first.claim(&old.run)).unwrap();
    append(&first, &new, 1, &[started(2)]).unwrap();
    fenced(append(&first, &old, 2, &[succeeded(3)]));
    block_on(first.release(old)).unwrap();
    held(block_on(second.claim(&new.run)));

    // A store without leases continues without a report.
    let lease = create(&second, "r3");
    append(&second, &lease, 1, &[started(2)]).unwrap();
}

#[test]
fn a_claim_begins_with_all_of_the_lease_time() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let lease = create(&first, "r1");
    block_on(first.release(lease)).unwrap();
    place.clock_ahead(LEASE.mul_f64(0.9));
    let lease = block_on(first.claim(&id("r1"))).unwrap();
    place.clock_ahead(LEASE.mul_f64(1.8));
    held(block_on(second.claim(&lease.run)));
    append(&first, &lease, 1, &[started(2)]).unwrap();
}

#[test]
fn a_holder_that_is_resumed_after_its_lease_expired_writes_nothing() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let old = create(&first, "r1");
    place.clock_ahead(LEASE * 2);
    let new = block_on(second.claim(&old.run)).unwrap();
    append(&second, &new, 1, &[started(2)]).unwrap();
    let before = events(&second, &old.run);
    let head = block_on(second.get(&old.run)).unwrap().head;
    // Whatever number it assumes for the last event.
    for expected in 0..4 {
        let late = [event(expected + 1, EventBody::RunStarted)].into();
        fenced(block_on(first.append(&old, expected, &late, Some(&crate::fixture::head(RunStatus::Failed)))));
    }
    fenced(block_on(first.append_output(&old, &[entry(1, "late")])));
    // Releasing the old lease does not take the run from its new holder.
    block_on(first.release(old.clone())).unwrap();
    append(&second, &new, 2, &[]).unwrap();
    assert_eq!(events(&second, &old.run), before);
    assert_eq!(block_on(second.get(&old.run)).unwrap().head, head);
    assert_eq!(block_on(second.last_output(&old.run)).unwrap(), 0);
}

#[test]
fn a_lease_is_good_only_where_it_was_given_out() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let lease = create(&first, "r1");
    fenced(append(&second, &lease, 1, &[started(2)]));
    block_on(second.release(lease.clone())).unwrap();
    append(&first, &lease, 1, &[started(2)]).unwrap();
}

#[test]
fn an_epoch_never_comes_again_not_even_for_a_run_of_the_same_id() {
    let place = Place::new();
    let store = place.open();
    let old = create(&store, "r1");
    block_on(store.release(old.clone())).unwrap();
    block_on(store.delete(&old.run)).unwrap();
    let new = create(&store, "r1");
    assert!(new.epoch > old.epoch);
    fenced(append(&store, &old, 1, &[started(2)]));
}

#[test]
fn many_who_claim_at_once_get_different_runs() {
    const RUNS: usize = 60;
    let place = Place::new();
    let maker = place.open();
    for number in 0..RUNS {
        create(&maker, &format!("r{number}"));
    }
    let stores: Vec<_> = (0..4).map(|_| place.open()).collect();
    // Half of them are unclaimed, and half are held by a dead store.
    for number in 0..RUNS / 2 {
        place.run(&format!("UPDATE @.run SET owner = NULL WHERE run_id = 'r{number}'"));
    }
    place.run("UPDATE @.worker SET expires_at = '-infinity' WHERE worker_id IN (SELECT owner FROM @.run)");
    let start = Barrier::new(stores.len());
    let claimed: Vec<_> = std::thread::scope(|scope| {
        let claims = stores.iter().map(|store| {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                let mut leases = Vec::new();
                loop {
                    let next = block_on(store.claim_next(3, at(0))).unwrap();
                    assert!(next.len() <= 3);
                    if next.is_empty() {
                        return leases;
                    }
                    for lease in &next {
                        append(store, lease, 1, &[started(2)]).unwrap();
                    }
                    leases.extend(next);
                }
            })
        });
        let threads: Vec<_> = claims.collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut runs: Vec<_> = claimed.iter().map(|lease| lease.run.to_string()).collect();
    runs.sort();
    runs.dedup();
    // A store that skipped a locked row may have stopped early.
    let rest = block_on(stores[0].claim_next(RUNS, at(0))).unwrap();
    assert_eq!((claimed.len(), runs.len() + rest.len()), (runs.len(), RUNS));
    for lease in &claimed {
        assert_eq!(numbers(&events(&maker, &lease.run)), [1, 2]);
    }
}

#[test]
fn only_runs_that_continue_by_themselves_are_claimed() {
    let place = Place::new();
    let (store, other) = (place.open(), place.open());
    let statuses = [
        ("pending", RunStatus::Pending),
        ("running", RunStatus::Running),
        ("paused", RunStatus::Paused),
        ("completed", RunStatus::Completed),
        ("failed", RunStatus::Failed),
        ("cancelled", RunStatus::Cancelled),
    ];
    for (name, status) in statuses {
        let lease = create(&store, name);
        block_on(store.append(&lease, 1, &[started(2)].into(), Some(&head(status)))).unwrap();
        block_on(store.release(lease)).unwrap();
    }
    create(&store, "held");
    let next = block_on(other.claim_next(9, at(0))).unwrap();
    let names: BTreeSet<_> = next.iter().map(|lease| lease.run.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["pending", "running"]));
    assert!(block_on(other.claim_next(0, at(0))).unwrap().is_empty());
    for _ in 0..5 {
        for lease in block_on(other.claim_next(9, at(0))).unwrap().into_iter().chain(next.clone()) {
            block_on(other.release(lease)).unwrap();
        }
        // A lease whose caller is gone is released before any other request for the run.
        let _ = other.claim_next(9, at(0)).now_or_never();
        let again = block_on(other.claim(&id("pending"))).unwrap();
        block_on(other.release(again)).unwrap();
    }
}

#[test]
fn a_store_that_is_dropped_frees_its_runs() {
    let place = Place::new();
    let (first, second) = (place.open(), place.open());
    let lease = create(&first, "r1");
    held(block_on(second.claim(&lease.run)));
    // A request that was begun is completed.
    let _ = first.append(&lease, 1, &[started(2)].into(), None).now_or_never();
    drop(first);
    assert_eq!(numbers(&events(&second, &lease.run)), [1, 2]);
    assert_eq!(block_on(second.claim_next(9, at(0))).unwrap().len(), 1);
}

#[test]
fn what_has_ended_is_pruned_the_oldest_first() {
    let place = Place::new();
    let store = place.open();
    for (name, ended) in
        [("r1", Some(10)), ("r2", Some(30)), ("r3", Some(20)), ("r4", None), ("r5", Some(10))]
    {
        let lease = create(&store, name);
        let mut ending = head(if ended.is_some() { RunStatus::Failed } else { RunStatus::Running });
        ending.completed_at = ended.map(at);
        let error = Failure::new(FailureClass::Stage, "it failed").into();
        let body = if ended.is_some() { EventBody::RunFailed { error } } else { EventBody::RunStarted };
        block_on(store.append(&lease, 1, &[event(2, body)].into(), Some(&ending))).unwrap();
        block_on(store.append_output(&lease, &[entry(1, "x")])).unwrap();
        // The last one is still held.
        if name != "r5" {
            block_on(store.release(lease)).unwrap();
        }
    }
    let left = || {
        let list = block_on(store.list(&RunFilter::all())).unwrap();
        let mut names: Vec<_> = list.iter().map(|record| record.run_id.to_string()).collect();
        names.sort();
        names.join(" ")
    };
    assert_eq!(block_on(store.prune(at(10), 9)).unwrap(), 0);
    assert_eq!(block_on(store.prune(at(31), 1)).unwrap(), 1);
    assert_eq!(left(), "r2 r3 r4 r5");
    assert_eq!(block_on(store.prune(at(30), 9)).unwrap(), 1);
    assert_eq!(left(), "r2 r4 r5");
    for (table, rows) in [("event", "6"), ("chunk", "3"), ("log", "3")] {
        assert_eq!(place.query(&format!("SELECT count(*) FROM @.{table}")), [rows], "{table}");
    }
}
