//! Data that exists when the store is opened again.

use std::fmt::Write as _;

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, RunFilter, RunStore};

use crate::store::Fixture;
use crate::store::runs::{
    append, at, create, create_ended, create_free, entry, events, head, id, new_run, numbers, run_of,
    started, succeeded,
};

/// All data that can be read from a store.
fn read_all(store: &dyn RunStore) -> String {
    let mut text = String::new();
    for record in block_on(store.list(&RunFilter::all())).unwrap() {
        let run = &record.run_id;
        let parts = (
            block_on(store.events(run, 0, usize::MAX)).unwrap(),
            block_on(store.output(run, 0, usize::MAX)).unwrap(),
            block_on(store.last_output(run)).unwrap(),
            block_on(store.controls(run, 0)).unwrap(),
            block_on(store.bundle(&record.head.bundle)).unwrap(),
        );
        writeln!(text, "{record:#?}\n{parts:#?}").unwrap();
    }
    text
}

pub fn a_reopened_store_has_all(fixture: &dyn Fixture) {
    let store = fixture.open();
    let lease = create(&*store, "r1");
    let other = block_on(store.create(run_of("other", "r2", 5))).unwrap();
    block_on(store.release(other)).unwrap();
    append(&*store, &lease, 1, &[started(2), succeeded(3)]).unwrap();
    let paused = head(RunStatus::Paused);
    block_on(store.request(&id("r1"), Control::Pause.into())).unwrap();
    block_on(store.append_output(&lease, &[entry(1, "hello"), entry(7, "𝄞\u{0}")])).unwrap();
    block_on(store.append(&lease, 3, &[succeeded(4)].into(), Some(&paused))).unwrap();
    block_on(store.release(lease.clone())).unwrap();
    create_free(&*store, "r3", RunStatus::Running);
    let written = read_all(&*store);
    drop(store);

    let store = fixture.open();
    assert_eq!(read_all(&*store), written);
    let next = block_on(store.claim(&id("r1"))).unwrap();
    assert!(next.epoch > lease.epoch);
    append(&*store, &next, 4, &[succeeded(5)]).unwrap();
    block_on(store.append_output(&next, &[entry(8, "on")])).unwrap();
    assert_eq!(block_on(store.request(&id("r1"), Control::Resume.into())).unwrap(), 2);
}

pub fn what_was_acknowledged_survives_its_holder(fixture: &dyn Fixture) {
    let mut last = 1;
    drop(create(&*fixture.open(), "r1"));
    for round in 0..4 {
        let store = fixture.open();
        if let Some(time) = store.lease_time() {
            // The run was not released.
            fixture.advance(time * 2);
        }
        let lease = block_on(store.claim(&id("r1"))).unwrap();
        assert_eq!(numbers(&events(&*store, &id("r1"))), (1..=last).collect::<Vec<_>>(), "round {round}");
        for _ in 0..3 {
            append(&*store, &lease, last, &[succeeded(last + 1), succeeded(last + 2)]).unwrap();
            last += 2;
        }
    }
    let store = fixture.open();
    let expected: Vec<_> = new_run("r1").events.into_iter().chain((2..=last).map(succeeded)).collect();
    assert_eq!(events(&*store, &id("r1")), expected);
}

pub fn a_deleted_run_stays_deleted(fixture: &dyn Fixture) {
    let store = fixture.open();
    create_ended(&*store, "r1", 1, 10, RunStatus::Completed);
    create_ended(&*store, "r2", 1, 20, RunStatus::Completed);
    create_ended(&*store, "r3", 1, 30, RunStatus::Completed);
    block_on(store.delete(&id("r1"))).unwrap();
    assert_eq!(block_on(store.prune(at(25), 9)).unwrap(), 1);
    drop(store);
    let store = fixture.open();
    let left = block_on(store.list(&RunFilter::all())).unwrap();
    assert_eq!(left.iter().map(|record| record.run_id.as_str()).collect::<Vec<_>>(), ["r3"]);
}
