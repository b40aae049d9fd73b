//! Stored data that cannot be read.

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore, StoreError};

use crate::store::runs::{append, create, events, head, id, numbers, started, succeeded};
use crate::store::{Damage, Fixture};

/// A store with two runs of four events, of which one is damaged.
fn damaged(fixture: &dyn Fixture, damage: Damage) -> Box<dyn RunStore> {
    let store = fixture.open();
    for name in ["r1", "r2"] {
        let lease = create(&*store, name);
        let batch = [started(2), succeeded(3), succeeded(4)].into();
        block_on(store.append(&lease, 1, &batch, Some(&head(RunStatus::Running)))).unwrap();
        block_on(store.release(lease)).unwrap();
    }
    drop(store);
    fixture.damage(&id("r1"), 3, damage);
    fixture.open()
}

fn is_refused(store: &dyn RunStore) {
    // Each time, and wherever before it the read starts.
    for after in [0, 0, 2] {
        let error = block_on(store.events(&id("r1"), after, usize::MAX)).unwrap_err();
        let StoreError::Corrupt { place, message } = error else { panic!("{error}") };
        assert!(!place.is_empty() && !message.is_empty(), "{place}: {message}");
    }
}

pub fn a_damaged_event_is_refused_and_told(fixture: &dyn Fixture) {
    let store = &*damaged(fixture, Damage::Garbage);
    is_refused(store);
    // The other run, and the list, are not affected.
    assert_eq!(numbers(&events(store, &id("r2"))), [1, 2, 3, 4]);
    let lease = block_on(store.claim(&id("r2"))).unwrap();
    append(store, &lease, 4, &[succeeded(5)]).unwrap();
    assert!(block_on(store.list(&RunFilter::all())).unwrap().iter().any(|record| record.run_id == id("r2")));
    // Reading has not changed it.
    is_refused(store);
    block_on(store.delete(&id("r1"))).unwrap();
    create(store, "r1");
}

pub fn an_event_of_a_newer_version_is_refused_and_named(fixture: &dyn Fixture) {
    let store = &*damaged(fixture, Damage::UnknownEvent);
    is_refused(store);
    let error = block_on(store.events(&id("r1"), 0, usize::MAX)).unwrap_err();
    assert!(error.to_string().contains(Damage::UNKNOWN_EVENT), "{error}");
    // The events before it can be read.
    assert_eq!(numbers(&block_on(store.events(&id("r1"), 0, 2)).unwrap()), [1, 2]);
    assert_eq!(numbers(&events(store, &id("r2"))), [1, 2, 3, 4]);
}
