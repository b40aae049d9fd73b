//! Runs with the same key, of which one is in progress.

use std::sync::Barrier;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, Lease, RunHead, RunStore, SlotMode, StoreError};

use super::claiming::claimed;
use crate::store::Fixture;
use crate::store::runs::{append, at, create, id, started, with_slot};

fn create_with(store: &dyn RunStore, name: &str, key: &str, mode: SlotMode) -> Lease {
    block_on(store.create(with_slot(name, key, mode))).unwrap()
}

fn queue(store: &dyn RunStore, name: &str) -> Lease {
    create_with(store, name, "k", SlotMode::Queue)
}

/// Ends a run whose last event has the number `last`.
fn end(store: &dyn RunStore, lease: &Lease, last: u64) {
    let head = with_slot(lease.run.as_str(), "k", SlotMode::Queue).head;
    let head = RunHead { status: RunStatus::Completed, completed_at: Some(at(9)), ..head };
    block_on(store.append(lease, last, &[started(last + 1)].into(), Some(&head))).unwrap();
}

fn behind(lease: &Lease) -> Option<&str> {
    lease.behind.as_ref().map(RunId::as_str)
}

pub fn of_the_runs_with_a_key_one_has_the_slot(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let (a, b) = (queue(store, "a"), queue(store, "b"));
    assert_eq!((behind(&a), behind(&b)), (None, Some("a")));
    block_on(store.release(b)).unwrap();
    assert!(claimed(store, 9).is_empty(), "`b` waits");
    let waiting = block_on(store.claim(&id("b"))).unwrap();
    assert_eq!(behind(&waiting), Some("a"));
    block_on(store.release(waiting)).unwrap();
    append(store, &a, 1, &[started(2)]).unwrap();
    assert!(claimed(store, 9).is_empty(), "`a` has not ended");
    end(store, &a, 2);
    let next = claimed(store, 9);
    assert_eq!(
        next.iter().map(|lease| (lease.run.as_str(), behind(lease))).collect::<Vec<_>>(),
        [("b", None)]
    );
    append(store, &next[0], 1, &[started(2)]).unwrap();
    block_on(store.release(a)).unwrap();
}

pub fn who_waits_for_a_slot_gets_it_in_the_order_of_creation(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let mut current = queue(store, "z");
    for name in ["y", "x", "w"] {
        block_on(store.release(queue(store, name))).unwrap();
    }
    for expected in ["y", "x", "w"] {
        end(store, &current, 1);
        let next = claimed(store, 9);
        assert_eq!(next.iter().map(|lease| lease.run.as_str()).collect::<Vec<_>>(), [expected]);
        current = next.into_iter().next().unwrap();
        // One that comes later is the last.
        block_on(store.release(queue(store, &format!("late-{expected}")))).unwrap();
    }
}

pub fn a_run_that_does_not_wait_for_its_slot_is_not_created(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let a = create_with(store, "a", "k", SlotMode::Reject);
    let error = block_on(store.create(with_slot("b", "k", SlotMode::Reject))).unwrap_err();
    assert!(
        matches!(&error, StoreError::Busy { key, holder } if key == "k" && *holder == id("a")),
        "{error}"
    );
    let error = block_on(store.get(&id("b"))).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    end(store, &a, 1);
    assert_eq!(behind(&create_with(store, "b", "k", SlotMode::Reject)), None);
}

pub fn a_run_that_replaces_another_asks_it_to_cancel(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let a = queue(store, "a");
    let b = create_with(store, "b", "k", SlotMode::Cancel);
    assert_eq!(behind(&b), Some("a"));
    let controls = block_on(store.append(&a, 1, &[].into(), None)).unwrap();
    assert_eq!(controls.iter().map(|record| &record.control).collect::<Vec<_>>(), [&Control::Cancel]);
    end(store, &a, 1);
    append(store, &b, 1, &[started(2)]).unwrap();
    assert!(block_on(store.controls(&id("b"), 0)).unwrap().is_empty());
}

pub fn a_run_that_waits_for_its_slot_can_only_end(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let (a, b) = (queue(store, "a"), queue(store, "b"));
    block_on(store.release(queue(store, "c"))).unwrap();
    let error = append(store, &b, 1, &[started(2)]).unwrap_err();
    let is_queued =
        matches!(&error, StoreError::Queued { run, behind } if *run == id("b") && *behind == id("a"));
    assert!(is_queued, "{error}");
    append(store, &b, 1, &[]).unwrap();
    end(store, &b, 1);
    assert!(claimed(store, 9).is_empty(), "`a` has not ended");
    end(store, &a, 1);
    assert_eq!(claimed(store, 9).len(), 1, "`c` follows");
}

pub fn a_deleted_run_frees_its_slot(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for name in ["a", "b", "c"] {
        block_on(store.release(queue(store, name))).unwrap();
    }
    block_on(store.delete(&id("b"))).unwrap();
    block_on(store.delete(&id("a"))).unwrap();
    let next = claimed(store, 9);
    assert_eq!(next.iter().map(|lease| lease.run.as_str()).collect::<Vec<_>>(), ["c"]);
    // A run with the id of a deleted one waits like any other.
    assert_eq!(behind(&queue(store, "a")), Some("c"));
}

pub fn runs_of_other_keys_do_not_wait(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let leases = [
        queue(store, "a"),
        create_with(store, "b", "K", SlotMode::Queue),
        create_with(store, "c", "", SlotMode::Queue),
        create(store, "d"),
        create(store, "e"),
    ];
    for lease in &leases {
        assert_eq!(behind(lease), None);
        append(store, lease, 1, &[started(2)]).unwrap();
    }
}

pub fn a_holder_that_is_gone_keeps_its_slot(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let a = queue(store, "a");
    append(store, &a, 1, &[started(2)]).unwrap();
    block_on(store.release(queue(store, "b"))).unwrap();
    block_on(store.release(a)).unwrap();
    let again = claimed(store, 9);
    assert_eq!(again.iter().map(|lease| lease.run.as_str()).collect::<Vec<_>>(), ["a"]);
    end(store, &again[0], 2);
    assert_eq!(claimed(store, 9).len(), 1, "`b` follows");
}

pub fn of_many_creators_one_gets_the_slot(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let start = Barrier::new(4);
    let leases: Vec<Lease> = std::thread::scope(|scope| {
        let creators: Vec<_> = (0..4)
            .map(|n| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    queue(store, &format!("r{n}"))
                })
            })
            .collect();
        creators.into_iter().map(|creator| creator.join().unwrap()).collect()
    });
    let first: Vec<_> = leases.iter().filter(|lease| lease.behind.is_none()).collect();
    assert_eq!(first.len(), 1);
    for lease in leases.iter().filter(|lease| lease.run != first[0].run) {
        let error = append(store, lease, 1, &[started(2)]).unwrap_err();
        assert!(matches!(error, StoreError::Queued { .. }), "{error}");
    }
}
