//! Claims within a limit of runs with the same value of a label.

use std::sync::Barrier;

use futures::executor::block_on;
use workflow_core::priority::Priority;
use workflow_core::store::{LabelLimit, Lease, RunFilter, RunStore};

use crate::store::Fixture;
use crate::store::runs::{at, id, labelled};

fn limit(most: usize) -> LabelLimit {
    LabelLimit::new("tenant", most).unwrap()
}

/// Creates a run of a tenant that no process holds.
fn create(store: &dyn RunStore, name: &str, age: u64, labels: &[(&str, &str)]) {
    let lease = block_on(store.create(labelled(name, age, labels))).unwrap();
    block_on(store.release(lease)).unwrap();
}

fn claim(store: &dyn RunStore, most: usize, limit: &LabelLimit) -> Vec<Lease> {
    block_on(store.claim_within(most, at(0), limit)).unwrap()
}

fn runs(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.run.as_str()).collect()
}

pub fn no_more_runs_with_a_label_are_held_than_its_limit(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for n in 1..=6 {
        create(store, &format!("a{n}"), n, &[("tenant", "a"), ("owner", "ann")]);
    }
    // It counts, however it was claimed.
    let named = block_on(store.claim(&id("a6"))).unwrap();
    let first = claim(store, 9, &limit(3));
    assert_eq!(runs(&first), ["a1", "a2"]);
    assert!(claim(store, 9, &limit(3)).is_empty(), "as many are held as the limit says");
    assert!(claim(store, 9, &limit(2)).is_empty(), "more are held than the limit says");
    assert!(claim(store, 0, &limit(4)).is_empty());
    block_on(store.release(first[1].clone())).unwrap();
    block_on(store.release(named)).unwrap();
    assert_eq!(runs(&claim(store, 1, &limit(3))), ["a2"]);
    assert_eq!(runs(&claim(store, 9, &limit(4))), ["a3", "a4"]);
    // Claims without a limit, or within one of another label, do not look at this one.
    assert_eq!(runs(&claim(store, 9, &LabelLimit::new("owner", 5).unwrap())), ["a5"]);
    assert_eq!(runs(&block_on(store.claim_next(9, at(0))).unwrap()), ["a6"]);
}

pub fn runs_with_other_values_and_without_the_label_are_claimed_in_their_place(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for n in 1..=5 {
        create(store, &format!("a{n}"), n, &[("tenant", "a")]);
    }
    create(store, "b1", 6, &[("tenant", "b")]);
    create(store, "none1", 7, &[]);
    create(store, "other1", 8, &[("tenants", "a"), ("Tenant", "a")]);
    create(store, "quoted1", 9, &[("tenant", "it's \"a\""), ("note", "\"tenant\":\"a\"")]);
    create(store, "empty1", 10, &[("tenant", "")]);
    create(store, "none2", 11, &[]);
    create(store, "empty2", 12, &[("tenant", "")]);
    let mut urgent = labelled("b2", 13, &[("tenant", "b")]);
    urgent.head.priority = Priority::HIGH;
    let lease = block_on(store.create(urgent)).unwrap();
    block_on(store.release(lease)).unwrap();

    let expected = ["b2", "a1", "none1", "other1", "quoted1", "empty1", "none2"];
    let leases = claim(store, 20, &limit(1));
    assert_eq!(runs(&leases), expected);
    for lease in leases {
        block_on(store.release(lease)).unwrap();
    }
    assert_eq!(runs(&claim(store, 3, &limit(1))), expected[..3]);
    assert_eq!(runs(&claim(store, 3, &limit(1))), expected[3..6]);
    assert_eq!(runs(&claim(store, 3, &limit(1))), expected[6..]);
    assert_eq!(runs(&claim(store, 20, &limit(2))), ["a2", "b1", "empty2"]);
}

pub fn of_many_processes_none_exceeds_the_limit_of_a_label(fixture: &dyn Fixture) {
    let opened: Vec<_> = (0..4).map(|_| fixture.open()).collect();
    for n in 0..24 {
        create(&*opened[0], &format!("r{n}"), n, &[("tenant", if n % 2 == 0 { "a" } else { "b" })]);
    }
    let start = Barrier::new(opened.len());
    let given: Vec<Vec<Lease>> = std::thread::scope(|scope| {
        let claimers: Vec<_> = opened
            .iter()
            .map(|store| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    (0..4).flat_map(|_| claim(&**store, 2, &limit(3))).collect()
                })
            })
            .collect();
        claimers.into_iter().map(|claimer| claimer.join().unwrap()).collect()
    });
    let mut held: Vec<_> = given.iter().flatten().map(|lease| lease.run.as_str()).collect();
    held.sort_unstable();
    assert_eq!(held, ["r0", "r1", "r2", "r3", "r4", "r5"]);
    let listed = block_on(opened[0].list(&RunFilter::unfinished())).unwrap();
    assert_eq!(listed.iter().filter(|run| run.holder.is_some()).count(), 6);
}

pub fn what_ran_out_leaves_room_within_a_limit(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    for n in 1..=3 {
        create(first, &format!("a{n}"), n, &[("tenant", "a")]);
    }
    assert_eq!(runs(&claim(first, 9, &limit(2))), ["a1", "a2"]);
    assert!(claim(second, 9, &limit(2)).is_empty());
    fixture.advance(first.lease_time().unwrap() * 11 / 10);
    // The holder of those may be dead: they are claimed before the third.
    assert_eq!(runs(&claim(second, 9, &limit(2))), ["a1", "a2"]);
    assert!(claim(second, 9, &limit(2)).is_empty());
    assert_eq!(runs(&claim(second, 9, &limit(3))), ["a3"]);
}
