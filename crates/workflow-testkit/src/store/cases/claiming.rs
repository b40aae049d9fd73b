//! Claiming any runs.

use std::collections::HashSet;
use std::sync::Barrier;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::{Lease, RunStore, StoreError};

use crate::store::Fixture;
use crate::store::runs::{append, at, create, create_free, create_turn, id, started, succeeded};

pub(super) fn claimed(store: &dyn RunStore, most: usize) -> Vec<Lease> {
    let mut leases = block_on(store.claim_next(most, at(0))).unwrap();
    // What is claimed matters here, not the order.
    leases.sort_by(|a, b| a.run.cmp(&b.run));
    leases
}

fn runs(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.run.as_str()).collect()
}

pub fn runs_that_continue_by_themselves_and_no_process_holds_are_claimed(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_free(store, "pending", RunStatus::Pending);
    create_free(store, "running", RunStatus::Running);
    for (name, status) in [
        ("paused", RunStatus::Paused),
        ("completed", RunStatus::Completed),
        ("failed", RunStatus::Failed),
        ("cancelled", RunStatus::Cancelled),
    ] {
        create_free(store, name, status);
    }
    create(store, "held");
    let leases = claimed(store, 9);
    assert_eq!(runs(&leases), ["pending", "running"]);
    assert!(claimed(store, 9).is_empty(), "they are held now");
    append(store, &leases[0], 1, &[started(2)]).unwrap();
    append(store, &leases[1], 2, &[succeeded(3)]).unwrap();
    let error = block_on(store.claim(&id("pending"))).unwrap_err();
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
    // A released run can be claimed again, with a new lease.
    block_on(store.release(leases[1].clone())).unwrap();
    let again = claimed(store, 9);
    assert_eq!(runs(&again), ["running"]);
    assert!(again[0].epoch > leases[1].epoch);
    let error = append(store, &leases[1], 3, &[succeeded(4)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
}

pub fn no_more_is_given_than_was_asked_for(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for n in 0..5 {
        create_free(store, &format!("r{n}"), RunStatus::Pending);
    }
    assert!(claimed(store, 0).is_empty());
    let mut leases = Vec::new();
    for expected in [2, 2, 1, 0] {
        let given = claimed(store, 2);
        assert_eq!(given.len(), expected);
        leases.extend(given);
    }
    let different: HashSet<&RunId> = leases.iter().map(|lease| &lease.run).collect();
    assert_eq!(different.len(), 5);
}

/// The runs that are claimed one after the other until none is left.
fn in_turn(store: &dyn RunStore, now: u64) -> Vec<String> {
    let next = || block_on(store.claim_next(1, at(now))).unwrap().pop();
    std::iter::from_fn(next).map(|lease| lease.run.to_string()).collect()
}

pub fn runs_of_the_highest_priority_are_claimed_first(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let priorities = [0, -9, 5, 9, -5, 0, 9];
    for (age, priority) in (0..).zip(priorities) {
        create_turn(store, &format!("r{age}"), age, priority, None);
    }
    let all = ["r3", "r6", "r2", "r0", "r5", "r4", "r1"];
    let leases = block_on(store.claim_next(9, at(9))).unwrap();
    assert_eq!(runs(&leases), all, "all at once");
    for lease in leases {
        let number: usize = lease.run.as_str()[1..].parse().unwrap();
        let head = block_on(store.get(&lease.run)).unwrap().head;
        assert_eq!(i64::from(head.priority.get()), priorities[number], "{}", lease.run);
        block_on(store.release(lease)).unwrap();
    }
    assert_eq!(in_turn(store, 9), all, "one after the other");
}

pub fn of_one_priority_those_that_are_due_are_claimed_first_and_then_the_oldest(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_turn(store, "newest", 4, 3, None);
    create_turn(store, "due-later", 1, 3, Some(60));
    create_turn(store, "due-first", 5, 3, Some(50));
    create_turn(store, "not-due", 1, 3, Some(71));
    create_turn(store, "other", 1, 2, Some(1));
    create_turn(store, "newer-still", 6, 3, None);
    let expected = ["due-first", "due-later", "newest", "newer-still", "other"];
    assert_eq!(in_turn(store, 70), expected);
}

pub fn a_run_of_high_priority_that_waits_holds_up_no_other(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for n in 0..5 {
        create_turn(store, &format!("waits{n}"), n, 9, Some(100));
    }
    create(store, "held");
    create_turn(store, "free", 9, -1, None);
    assert_eq!(runs(&block_on(store.claim_next(3, at(99))).unwrap()), ["free"]);
    assert_eq!(block_on(store.claim_next(3, at(100))).unwrap().len(), 3);
}

pub fn of_many_claimers_each_is_given_others(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let stores: Vec<_> = (0..4).map(|_| store).collect();
    each_is_given_others(&stores);
}

/// All `stores` claim concurrently until no run is left.
pub(super) fn each_is_given_others(stores: &[&dyn RunStore]) {
    for n in 0..24 {
        create_free(stores[0], &format!("r{n}"), RunStatus::Pending);
    }
    let start = Barrier::new(stores.len());
    let given: Vec<Vec<Lease>> = std::thread::scope(|scope| {
        let claimers: Vec<_> = stores
            .iter()
            .map(|store| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    let mut leases = Vec::new();
                    for _ in 0..8 {
                        let new = block_on(store.claim_next(3, at(0))).unwrap();
                        assert!(new.len() <= 3, "more than was asked for");
                        for lease in &new {
                            append(*store, lease, 1, &[started(2)]).unwrap();
                        }
                        leases.extend(new);
                    }
                    leases
                })
            })
            .collect();
        claimers.into_iter().map(|claimer| claimer.join().unwrap()).collect()
    });
    let all: Vec<&RunId> = given.iter().flatten().map(|lease| &lease.run).collect();
    let different: HashSet<&RunId> = all.iter().copied().collect();
    assert_eq!((all.len(), different.len()), (24, 24), "every run is given to one claimer");
    for (store, leases) in stores.iter().zip(&given) {
        for lease in leases {
            append(*store, lease, 2, &[succeeded(3)]).unwrap();
        }
    }
}
