//! Deleting completed runs.

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore, StoreError};

use crate::store::Fixture;
use crate::store::runs::{append, at, create_ended, create_free, events, id, new_run, numbers, succeeded};

fn left(store: &dyn RunStore) -> String {
    let list = block_on(store.list(&RunFilter::all())).unwrap();
    let mut names: Vec<_> = list.iter().map(|record| record.run_id.to_string()).collect();
    names.sort();
    names.join(" ")
}

pub fn what_ended_before_a_time_is_deleted(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_ended(store, "r1", 1, 10, RunStatus::Completed);
    create_ended(store, "r2", 1, 19, RunStatus::Failed);
    create_ended(store, "r3", 1, 20, RunStatus::Cancelled);
    create_ended(store, "r4", 1, 90, RunStatus::Completed);
    create_free(store, "r5", RunStatus::Pending);
    create_free(store, "r6", RunStatus::Running);
    create_free(store, "r7", RunStatus::Paused);
    assert_eq!(block_on(store.prune(at(5), 99)).unwrap(), 0);
    assert_eq!(block_on(store.prune(at(20), 99)).unwrap(), 2);
    assert_eq!(left(store), "r3 r4 r5 r6 r7");
    let gone = block_on(store.events(&id("r1"), 0, 9)).unwrap_err();
    assert!(matches!(gone, StoreError::NotFound(_)), "{gone}");
    assert_eq!(numbers(&events(store, &id("r3"))), [1, 2]);
    // However old they are, runs that have not ended are kept.
    assert_eq!(block_on(store.prune(at(1_000_000), 99)).unwrap(), 2);
    assert_eq!(left(store), "r5 r6 r7");
    assert_eq!(block_on(store.prune(at(1_000_000), 99)).unwrap(), 0);
    // The bundle is still there for a run that needs it.
    let run = new_run("r5");
    assert_eq!(block_on(store.bundle(&run.head.bundle)).unwrap(), run.bundle);
}

pub fn the_oldest_are_deleted_first_and_no_more_than_asked(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    // The order of creation differs from the order of completion.
    for (name, created, ended) in [("r1", 1, 50), ("r2", 2, 10), ("r3", 3, 40), ("r4", 4, 20), ("r5", 5, 30)]
    {
        create_ended(store, name, created, ended, RunStatus::Completed);
    }
    assert_eq!(block_on(store.prune(at(99), 0)).unwrap(), 0);
    assert_eq!(block_on(store.prune(at(99), 2)).unwrap(), 2);
    assert_eq!(left(store), "r1 r3 r5");
    assert_eq!(block_on(store.prune(at(99), 1)).unwrap(), 1);
    assert_eq!(left(store), "r1 r3");
    assert_eq!(block_on(store.prune(at(99), 9)).unwrap(), 2);
    assert_eq!(left(store), "");
}

pub fn what_is_held_is_not_deleted(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (name, ended) in [("r1", 10), ("r2", 20), ("r3", 30)] {
        create_ended(store, name, 1, ended, RunStatus::Completed);
    }
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    // It does not count towards the limit.
    assert_eq!(block_on(store.prune(at(99), 1)).unwrap(), 1);
    assert_eq!(left(store), "r1 r3");
    append(store, &lease, 2, &[succeeded(3)]).unwrap();
    block_on(store.release(lease)).unwrap();
    assert_eq!(block_on(store.prune(at(99), 9)).unwrap(), 2);
}
