//! Stores without a defect, also behind pointers and wrappers.

use std::panic::catch_unwind;
use std::sync::Arc;

use workflow_core::store::RunStore;
use workflow_testkit::fault::{Fault, FaultStore};
use workflow_testkit::store::wrapping::{METHODS, Recorder, Wrapped, every_method_is_handed_on};

use crate::fixture::Memory;
use crate::forgetful::Forgetful;

mod bare {
    workflow_testkit::store_suite!(super::Memory::new(); durable, processes, leases, hints, damage, slots);
}

mod behind_an_arc {
    workflow_testkit::store_suite!(
        super::Wrapped::new(super::Memory::new(), |store| Box::new(super::Arc::new(store)));
        durable, processes, leases, hints, damage, slots
    );
}

mod behind_a_reference {
    workflow_testkit::store_suite!(
        // It lives as long as the test's process, because a reference in a box must.
        super::Wrapped::new(super::Memory::new(), |store| Box::new(&*Box::leak(Box::new(store))));
        durable, processes, leases, hints, damage, slots
    );
}

mod in_a_store_with_faults {
    workflow_testkit::store_suite!(
        super::Wrapped::new(super::Memory::new(), |store| Box::new(super::without_faults(store)));
        durable, processes, leases, hints, damage, slots
    );
}

fn without_faults(store: Box<dyn RunStore>) -> FaultStore {
    FaultStore::new(&Arc::new(store), |_| Fault::None)
}

#[test]
fn pointers_and_wrappers_hand_every_method_on() {
    every_method_is_handed_on(|store| Box::new(&*Box::leak(Box::new(store))));
    every_method_is_handed_on(|store| Box::new(Box::new(store)));
    every_method_is_handed_on(|store| Box::new(Arc::new(store)));
    every_method_is_handed_on(|store| Box::new(Arc::new(Box::new(store) as Box<dyn RunStore>)));
    every_method_is_handed_on(|store| Box::new(FaultStore::new(&store, |_| Fault::None)));
}

#[test]
fn a_method_that_is_not_handed_on_is_found() {
    for method in ["output_window", "count", "claim_next", "claim_within", "lease_time", "renew", "prune"] {
        let check = || every_method_is_handed_on(|store: Recorder| Box::new(Forgetful::new(store, method)));
        let panic = catch_unwind(check).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(&format!("inside of a call of `{method}`")), "{message}");
    }
}

#[test]
fn the_kit_knows_every_method_of_the_trait() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../workflow-core/src/store/run_store.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let body = text.split("pub trait RunStore").nth(1).unwrap().split("\n}\n").next().unwrap();
    let lines = body.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
        line.split(['(', '<']).next()
    });
    assert_eq!(lines.collect::<Vec<_>>(), METHODS);
}
