//! The store in memory.

use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use workflow_core::output::OutputKind;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunStore, StoreError};
use workflow_store::MemoryStore;
use workflow_testkit::ManualClock;
use workflow_testkit::store::Fixture;

use crate::fixture::*;

/// Data in memory, with its own clock.
struct Memory {
    clock: ManualClock,
    data: MemoryStore,
}

impl Memory {
    fn new() -> Self {
        let clock = ManualClock::new();
        let data = MemoryStore::with_leases(Duration::from_secs(30), clock.reader());
        Self { clock, data }
    }
}

impl Fixture for Memory {
    fn open(&self) -> Box<dyn RunStore> {
        Box::new(self.data.another_process())
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

workflow_testkit::store_suite!(Memory::new(); durable, processes, leases, hints, slots);

#[test]
fn of_the_runs_that_many_stores_create_one_at_a_time_has_the_slot() {
    crate::slots::one_at_a_time(&Memory::new());
}

mod without_leases {
    use workflow_testkit::store::Fixture;

    use super::{MemoryStore, RunStore};

    /// A store that lives as long as it is open.
    struct Alone;

    impl Fixture for Alone {
        fn open(&self) -> Box<dyn RunStore> {
            Box::new(MemoryStore::new())
        }
    }

    workflow_testkit::store_suite!(Alone; hints, slots);
}

#[test]
fn nothing_waits() {
    let store = MemoryStore::new();
    let lease = store.create(new_run("r1")).now_or_never().unwrap().unwrap();
    store.append(&lease, 1, &[started(2)].into(), None).now_or_never().unwrap().unwrap();
    store.release(lease).now_or_never().unwrap().unwrap();
}

#[test]
fn a_reopened_store_has_all_and_fences_off_old_holders() {
    let store = MemoryStore::new();
    let lease = create(&store, "r1");
    append(&store, &lease, 1, &[started(2)]).unwrap();
    let reopened = store.reopen();
    let error = append(&store, &lease, 2, &[succeeded(3)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    assert_eq!(block_on(reopened.get(&lease.run)).unwrap().holder, None);
    let lease = block_on(reopened.claim(&lease.run)).unwrap();
    append(&reopened, &lease, 2, &[succeeded(3)]).unwrap();
    assert_eq!(numbers(&events(&reopened, &lease.run)), [1, 2, 3]);
}

#[test]
fn what_was_claimed_before_the_holder_was_told_is_given_up_with_the_rest() {
    let memory = Memory::new();
    let (store, other) = (memory.open(), memory.open());
    create_free(&*store, "r2", RunStatus::Pending);
    create(&*store, "r1");
    memory.advance(Duration::from_secs(31));
    let late = block_on(store.claim(&id("r2"))).unwrap();
    assert!(matches!(block_on(store.renew()), Err(StoreError::Expired)));
    let error = append(&*store, &late, 1, &[started(2)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    block_on(other.claim(&id("r2"))).unwrap();
    // It is reported once.
    block_on(store.renew()).unwrap();
}

#[test]
fn a_clone_is_the_same_process() {
    let store = MemoryStore::new();
    let lease = create(&store, "r1");
    append(&store.clone(), &lease, 1, &[started(2)]).unwrap();
    let error = append(&store.another_process(), &lease, 2, &[succeeded(3)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
}

#[test]
fn output_is_bounded_and_tells_what_was_dropped() {
    let store = MemoryStore::with_output_limit(4_000);
    let lease = create(&store, "r1");
    for number in 1..=1_000 {
        block_on(store.append_output(&lease, &[entry(number, &"x".repeat(100))])).unwrap();
    }
    let kept = block_on(store.output(&lease.run, 0, usize::MAX)).unwrap();
    assert!(kept.len() < 40, "{}", kept.len());
    assert_eq!(kept[0].kind, OutputKind::Dropped);
    assert_eq!(kept[0].text, kept[0].number.to_string());
    assert_eq!(kept[1].number, kept[0].number + 1);
    assert_eq!(kept.last().unwrap().number, 1_000);
    assert_eq!(block_on(store.last_output(&lease.run)).unwrap(), 1_000);
    // One entry that exceeds the limit is kept.
    block_on(store.append_output(&lease, &[entry(1_001, &"y".repeat(9_000))])).unwrap();
    let kept = block_on(store.output(&lease.run, 0, usize::MAX)).unwrap();
    assert_eq!(kept.iter().map(|e| e.number).collect::<Vec<_>>(), [1_000, 1_001]);
    assert_eq!(kept[0].text, "1000");
}
