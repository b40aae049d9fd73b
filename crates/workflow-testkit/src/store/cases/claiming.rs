//! Claiming any runs.

use std::collections::HashSet;
use std::sync::Barrier;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::{Lease, RunStore, StoreError};

use crate::store::Fixture;
use crate::store::runs::{append, at, create, create_free, id, started, succeeded};

pub(super) fn claimed(store: &dyn RunStore, most: usize) -> Vec<Lease> {
    let mut leases = block_on(store.claim_next(most, at(0))).unwrap();
    // The order is not guaranteed.
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
