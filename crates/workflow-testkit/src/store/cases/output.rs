//! Output entries.

use futures::executor::block_on;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::store::StoreError;

use crate::store::Fixture;
use crate::store::runs::{append, create, entry, events, id, numbers, succeeded};

pub fn output_is_numbered_on(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let run = id("r1");
    let lease = create(store, "r1");
    assert_eq!(block_on(store.last_output(&run)).unwrap(), 0);
    assert!(block_on(store.output(&run, 0, 10)).unwrap().is_empty());
    let entries: Vec<_> = (1..=500).map(|n| entry(n, &format!("line {n}"))).collect();
    for batch in entries.chunks(7) {
        block_on(store.append_output(&lease, batch)).unwrap();
    }
    block_on(store.append_output(&lease, &[])).unwrap();
    for after in [0, 1, 250, 493, 499, 500, 501, u64::MAX] {
        let start = usize::try_from(after.min(500)).unwrap();
        for limit in [0, 1, 6, usize::MAX] {
            let read = block_on(store.output(&run, after, limit)).unwrap();
            assert_eq!(read, entries[start..500.min(start.saturating_add(limit))], "{limit} after {after}");
        }
    }
    block_on(store.release(lease)).unwrap();
    assert_eq!(block_on(store.last_output(&run)).unwrap(), 500);
    let lease = block_on(store.claim(&run)).unwrap();
    assert_eq!(block_on(store.last_output(&run)).unwrap(), 500);
    block_on(store.append_output(&lease, &[entry(501, "on")])).unwrap();
    assert_eq!(block_on(store.output(&run, 499, 9)).unwrap(), [entry(500, "line 500"), entry(501, "on")]);
}

pub fn output_numbers_grow(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    block_on(store.append_output(&lease, &[entry(1, "a"), entry(4, "b")])).unwrap();
    for numbers in [&[4][..], &[5, 5], &[1], &[0]] {
        let entries: Vec<_> = numbers.iter().map(|number| entry(*number, "c")).collect();
        let error = block_on(store.append_output(&lease, &entries)).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{numbers:?}: {error}");
    }
    assert_eq!(block_on(store.last_output(&id("r1"))).unwrap(), 4);
    assert_eq!(block_on(store.output(&id("r1"), 1, 9)).unwrap(), [entry(4, "b")]);
    assert_eq!(block_on(store.output(&id("r1"), 2, 9)).unwrap(), [entry(4, "b")]);
}

pub fn what_was_dropped_is_told_where_it_is_missing(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    let told = OutputEntry { kind: OutputKind::Dropped, ..entry(17, "15") };
    let kinds = [OutputKind::Stderr, OutputKind::Text, OutputKind::Tool, OutputKind::Log];
    let mut entries = vec![entry(1, "before"), told, entry(18, "after")];
    entries.extend(kinds.into_iter().zip(19..).map(|(kind, n)| OutputEntry { kind, ..entry(n, "said") }));
    block_on(store.append_output(&lease, &entries)).unwrap();
    // A reader sees exactly what was written.
    assert_eq!(block_on(store.output(&id("r1"), 0, 99)).unwrap(), entries);
    assert_eq!(block_on(store.output(&id("r1"), 5, 1)).unwrap(), entries[1..2]);
    assert_eq!(block_on(store.last_output(&id("r1"))).unwrap(), 22);
}

pub fn output_does_not_move_the_events(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    for number in 1..5 {
        block_on(store.append_output(&lease, &[entry(number, "said")])).unwrap();
        append(store, &lease, number, &[succeeded(number + 1)]).unwrap();
    }
    assert_eq!(numbers(&events(store, &id("r1"))), [1, 2, 3, 4, 5]);
    assert_eq!(block_on(store.last_output(&id("r1"))).unwrap(), 4);
    let other = create(store, "r2");
    block_on(store.append_output(&other, &[entry(1, "of another run")])).unwrap();
    assert_eq!(block_on(store.output(&id("r2"), 0, 9)).unwrap(), [entry(1, "of another run")]);
}
