//! Slots under load, from several stores at once.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{Lease, RunHead, RunStore, SlotMode, StoreError};
use workflow_testkit::store::Fixture;

use crate::fixture::*;

/// How many stores, and how many runs each of them creates one after the other.
const LOAD: (usize, usize) = (4, 6);

/// Checks that never two runs have the slot, and that each gets it.
pub(crate) fn one_at_a_time(fixture: &dyn Fixture) {
    let (busy, start) = (&AtomicBool::new(false), &Barrier::new(LOAD.0));
    thread::scope(|scope| {
        for worker in 0..LOAD.0 {
            let store = fixture.open();
            scope.spawn(move || {
                start.wait();
                for n in 0..LOAD.1 {
                    let run = with_slot(&format!("r{worker}-{n}"), "k", SlotMode::Queue);
                    let head = run.head.clone();
                    pass(&*store, &block_on(store.create(run)).unwrap(), head, busy);
                }
            });
        }
    });
    let store = fixture.open();
    assert_eq!(block_on(store.claim_next(9, at(0))).unwrap(), []);
    let last = block_on(store.create(with_slot("last", "k", SlotMode::Reject))).unwrap();
    assert_eq!(last.behind, None, "no ticket is left behind");
}

/// Waits for the slot, uses it and ends the run.
fn pass(store: &dyn RunStore, lease: &Lease, head: RunHead, busy: &AtomicBool) {
    while let Err(error) = append(store, lease, 1, &[started(2)]) {
        assert!(matches!(error, StoreError::Queued { .. }), "{error}");
        thread::sleep(Duration::from_millis(1));
    }
    assert!(!busy.swap(true, Ordering::SeqCst), "two runs have the slot");
    append(store, lease, 2, &[started(3)]).unwrap();
    assert!(busy.swap(false, Ordering::SeqCst));
    let ended = RunHead { status: RunStatus::Completed, completed_at: Some(at(9)), ..head };
    block_on(store.append(lease, 3, &[started(4)].into(), Some(&ended))).unwrap();
    block_on(store.release(lease.clone())).unwrap();
}
