//! Creating and deleting runs, and their bundles.

use futures::executor::block_on;
use workflow_core::store::{Control, Lease, RunFilter, StoreError};

use crate::store::Fixture;
use crate::store::runs::{
    append, at, create, entry, events, id, new_run, numbers, run_of, started, succeeded,
};

pub fn a_new_run_is_claimed_and_readable(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let run = new_run("r1");
    let lease = block_on(store.create(run.clone())).unwrap();
    assert_eq!(lease.run, run.id);
    assert_eq!(events(store, &run.id), run.events);
    let record = block_on(store.get(&run.id)).unwrap();
    assert_eq!(record.head, run.head);
    assert!(record.holder.is_some());
    append(store, &lease, 1, &[started(2)]).unwrap();
}

pub fn a_run_is_created_once(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    let mut other = run_of("other", "r1", 7);
    for _ in 0..2 {
        let error = block_on(store.create(other.clone())).unwrap_err();
        assert!(matches!(error, StoreError::Exists(run) if run == id("r1")));
        // Also if no process holds it.
        block_on(store.release(lease.clone())).unwrap();
    }
    assert_eq!(events(store, &id("r1")), new_run("r1").events);
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, new_run("r1").head);
    other.id = id("r2");
    block_on(store.create(other)).unwrap();
}

pub fn one_of_many_creators_wins(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let start = std::sync::Barrier::new(6);
    let leases: Vec<Lease> = std::thread::scope(|scope| {
        let creators: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    match block_on(store.create(new_run("r1"))) {
                        Ok(lease) => Some(lease),
                        Err(error) => {
                            assert!(matches!(error, StoreError::Exists(_)), "{error}");
                            None
                        }
                    }
                })
            })
            .collect();
        creators.into_iter().filter_map(|creator| creator.join().unwrap()).collect()
    });
    assert_eq!(leases.len(), 1);
    append(store, &leases[0], 1, &[started(2)]).unwrap();
    assert_eq!(numbers(&events(store, &id("r1"))), [1, 2]);
}

pub fn a_deleted_run_is_gone(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let run = id("r1");
    let lease = create(store, "r1");
    let error = block_on(store.delete(&run)).unwrap_err();
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
    append(store, &lease, 1, &[started(2)]).unwrap();
    block_on(store.append_output(&lease, &[entry(1, "x")])).unwrap();
    block_on(store.request(&run, Control::Pause.into())).unwrap();
    block_on(store.release(lease.clone())).unwrap();
    block_on(store.delete(&run)).unwrap();
    let gone = |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::NotFound(_))));
    gone(block_on(store.delete(&run)));
    gone(block_on(store.get(&run)).map(drop));
    gone(block_on(store.claim(&run)).map(drop));
    let error = append(store, &lease, 2, &[succeeded(3)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    assert!(block_on(store.list(&RunFilter::all())).unwrap().is_empty());
    // Its id can be used again, and no data of the old run is left, not even a lease.
    let new = create(store, "r1");
    let error = append(store, &lease, 1, &[started(2)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    block_on(store.release(lease)).unwrap();
    append(store, &new, 1, &[]).unwrap();
    assert_eq!(events(store, &run), new_run("r1").events);
    assert!(block_on(store.controls(&run, 0)).unwrap().is_empty());
    assert_eq!(block_on(store.last_output(&run)).unwrap(), 0);
}

pub fn a_bundle_is_shared_by_its_runs(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let first = create(store, "r1");
    create(store, "r2");
    let run = run_of("other", "r3", 1);
    block_on(store.create(run.clone())).unwrap();
    assert_eq!(block_on(store.bundle(&run.head.bundle)).unwrap(), run.bundle);
    let run = new_run("r1");
    assert_eq!(block_on(store.bundle(&run.head.bundle)).unwrap(), run.bundle);
    // It is kept as long as one of the runs exists.
    block_on(store.release(first)).unwrap();
    block_on(store.delete(&id("r1"))).unwrap();
    assert_eq!(block_on(store.bundle(&run.head.bundle)).unwrap(), run.bundle);
    // It exists when another run needs it again.
    create(store, "r1");
    assert_eq!(block_on(store.bundle(&run.head.bundle)).unwrap(), run.bundle);
}

pub fn what_is_not_there_is_not_found(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let run = id("r1");
    let results = [
        block_on(store.events(&run, 0, 1)).map(drop),
        block_on(store.output(&run, 0, 1)).map(drop),
        block_on(store.last_output(&run)).map(drop),
        block_on(store.get(&run)).map(drop),
        block_on(store.claim(&run)).map(drop),
        block_on(store.request(&run, Control::Pause.into())).map(drop),
        block_on(store.controls(&run, 0)).map(drop),
        block_on(store.delete(&run)),
        block_on(store.bundle(&new_run("r1").head.bundle)).map(drop),
    ];
    for (n, result) in results.into_iter().enumerate() {
        assert!(matches!(result, Err(StoreError::NotFound(_))), "call {n}: {result:?}");
    }
    assert!(block_on(store.list(&RunFilter::all())).unwrap().is_empty());
    assert!(block_on(store.claim_next(9, at(0))).unwrap().is_empty());
    assert_eq!(block_on(store.prune(at(1_000), 9)).unwrap(), 0);
    // A holder of a run that never existed is fenced off.
    let error =
        append(store, &Lease { run, epoch: 1, previous: 0, deaths: 0, behind: None }, 0, &[]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
}
