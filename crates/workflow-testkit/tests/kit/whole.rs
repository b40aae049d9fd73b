//! Stores without a defect, also behind pointers and wrappers.

use std::sync::Arc;

use workflow_core::store::{MemoryStore, RunStore};
use workflow_testkit::fault::{Fault, FaultStore};
use workflow_testkit::store::wrapping::{METHODS, Recorder, Wrapped, every_method_is_handed_on};

use crate::fixture::Memory;

mod bare {
    workflow_testkit::store_suite!(super::Memory::new(); durable, processes, leases, hints, damage);
}

mod behind_an_arc {
    workflow_testkit::store_suite!(
        super::Wrapped::new(super::Memory::new(), |store| Box::new(super::Arc::new(store)));
        durable, processes, leases, hints, damage
    );
}

mod behind_a_box {
    workflow_testkit::store_suite!(
        super::Wrapped::new(super::Memory::new(), |store| Box::new(Box::new(store)));
        durable, processes, leases, hints, damage
    );
}

mod behind_a_reference {
    workflow_testkit::store_suite!(
        // It lives as long as the test's process: a reference in a box has to.
        super::Wrapped::new(super::Memory::new(), |store| Box::new(&*Box::leak(Box::new(store))));
        durable, processes, leases, hints, damage
    );
}

mod in_a_store_with_faults {
    workflow_testkit::store_suite!(
        super::Wrapped::new(super::Memory::new(), |store| Box::new(super::without_faults(store)));
        durable, processes, leases, hints, damage
    );
}

fn without_faults(store: Box<dyn RunStore>) -> FaultStore {
    FaultStore::new(&Arc::new(store), |_| Fault::None)
}

mod without_leases {
    use workflow_testkit::store::Fixture;

    struct Alone;

    impl Fixture for Alone {
        fn open(&self) -> Box<dyn super::RunStore> {
            Box::new(super::MemoryStore::new())
        }
    }

    workflow_testkit::store_suite!(Alone; hints);
}

#[test]
fn pointers_and_wrappers_hand_every_method_on() {
    every_method_is_handed_on(|store| Box::new(&*Box::leak(Box::new(store))));
    every_method_is_handed_on(|store| Box::new(Box::new(store)));
    every_method_is_handed_on(|store| Box::new(Arc::new(store)));
    every_method_is_handed_on(|store| Box::new(Arc::new(Box::new(store) as Box<dyn RunStore>)));
    every_method_is_handed_on(|store| Box::new(FaultStore::new(&store, |_| Fault::None)));
}

/// A wrapper that was written before the trait had some of its methods: it relies on their defaults.
mod forgetful {
    use std::sync::Arc;

    use workflow_core::bundle::{Bundle, BundleHash};
    use workflow_core::event::Event;
    use workflow_core::ids::RunId;
    use workflow_core::output::OutputEntry;
    use workflow_core::provider::async_trait;
    use workflow_core::store::*;

    pub(super) struct Forgetful<S>(pub(super) S);

    macro_rules! hand_on {
        ($($(#[$sync:tt])? fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
            #[async_trait]
            impl<S: RunStore> RunStore for Forgetful<S> {
                $(async fn $name(&self, $($argument: $type),*) -> $result {
                    self.0.$name($($argument),*).await
                })*

                fn watch(&self, watcher: Watcher) -> Watching {
                    self.0.watch(watcher)
                }
            }
        };
    }

    type Answer<T> = Result<T, StoreError>;

    hand_on! {
        fn create(run: NewRun) -> Answer<Lease>;
        fn append(lease: &Lease, expected: u64, events: &[Event], head: Option<&RunHead>)
            -> Answer<Vec<ControlRecord>>;
        fn append_output(lease: &Lease, entries: &[OutputEntry]) -> Answer<()>;
        fn events(run: &RunId, after: u64, limit: usize) -> Answer<Vec<Event>>;
        fn output(run: &RunId, after: u64, limit: usize) -> Answer<Vec<OutputEntry>>;
        fn last_output(run: &RunId) -> Answer<u64>;
        fn get(run: &RunId) -> Answer<RunRecord>;
        fn list(filter: &RunFilter) -> Answer<Vec<RunRecord>>;
        fn claim(run: &RunId) -> Answer<Lease>;
        fn release(lease: Lease) -> Answer<()>;
        fn request(run: &RunId, control: Control) -> Answer<u64>;
        fn controls(run: &RunId, after: u64) -> Answer<Vec<ControlRecord>>;
        fn delete(run: &RunId) -> Answer<()>;
        fn bundle(hash: &BundleHash) -> Answer<Arc<Bundle>>;
    }
}

#[test]
#[should_panic(expected = "inside of a call of `claim_next`")]
fn a_method_that_is_not_handed_on_is_found() {
    every_method_is_handed_on(|store: Recorder| Box::new(forgetful::Forgetful(store)));
}

#[test]
fn the_kit_knows_every_method_of_the_trait() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../workflow-core/src/store/mod.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let body = text.split("pub trait RunStore").nth(1).unwrap().split("\n}\n").next().unwrap();
    let lines = body.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
        line.split(['(', '<']).next()
    });
    assert_eq!(lines.collect::<Vec<_>>(), METHODS);
}
