//! Which process may drive a run.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};

use futures::FutureExt;
use futures::executor::block_on;
use workflow_core::store::{Control, Lease, StoreError};

use crate::patience;
use crate::store::Fixture;
use crate::store::runs::{
    append, claim_in_the_end, create, entry, events, id, new_run, numbers, started, succeeded,
};

pub fn a_run_is_held_by_one(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    let error = block_on(store.claim(&id("r1"))).unwrap_err();
    let StoreError::Held { run, holder } = error else { panic!("{error}") };
    assert_eq!(run, id("r1"));
    assert_eq!(block_on(store.get(&run)).unwrap().holder, Some(holder));
    append(store, &lease, 1, &[started(2)]).unwrap();
    block_on(store.release(lease)).unwrap();
    assert_eq!(block_on(store.get(&run)).unwrap().holder, None);
    let lease = block_on(store.claim(&run)).unwrap();
    append(store, &lease, 2, &[succeeded(3)]).unwrap();
}

pub fn a_released_lease_is_fenced_off(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let old = create(store, "r1");
    block_on(store.release(old.clone())).unwrap();
    let fenced = |lease: &Lease| {
        let error = append(store, lease, 1, &[started(2)]).unwrap_err();
        assert!(matches!(error, StoreError::Fenced(run) if run == id("r1")));
        let error = block_on(store.append_output(lease, &[entry(1, "x")])).unwrap_err();
        assert!(matches!(error, StoreError::Fenced(run) if run == id("r1")));
    };
    fenced(&old);
    let new = block_on(store.claim(&id("r1"))).unwrap();
    assert!(new.epoch > old.epoch);
    fenced(&old);
    // Releasing the old lease again does not take the run from its new holder.
    block_on(store.release(old)).unwrap();
    append(store, &new, 1, &[started(2)]).unwrap();
    assert_eq!(numbers(&events(store, &id("r1"))), [1, 2]);
}

pub fn a_dropped_holder_can_release_by_one_poll(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    let _ = store.release(lease).now_or_never();
    claim_in_the_end(store, &id("r1"));
}

pub fn a_lease_whose_future_was_dropped_is_released(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    // A store that answers at once has handed the lease over.
    let hand_back = |answer: Option<Result<Lease, StoreError>>| match answer {
        Some(Ok(lease)) => block_on(store.release(lease)).unwrap(),
        Some(Err(error)) => panic!("{error}"),
        None => {}
    };
    let lease = create(store, "r1");
    block_on(store.release(lease)).unwrap();
    for _ in 0..20 {
        hand_back(store.claim(&id("r1")).now_or_never());
        let lease = claim_in_the_end(store, &id("r1"));
        block_on(store.release(lease)).unwrap();
    }
    // A run whose creator does not wait exists as a whole or not at all.
    hand_back(store.create(new_run("r2")).now_or_never());
    match block_on(store.create(new_run("r2"))) {
        Ok(_) => {}
        Err(StoreError::Exists(_)) => {
            let lease = claim_in_the_end(store, &id("r2"));
            append(store, &lease, 1, &[started(2)]).unwrap();
        }
        Err(error) => panic!("{error}"),
    }
}

pub fn one_of_many_claims_wins(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for round in 0..5 {
        let run = id(&format!("r{round}"));
        let lease = create(store, run.as_str());
        block_on(store.release(lease)).unwrap();
        let start = Barrier::new(8);
        let wins = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    start.wait();
                    match block_on(store.claim(&run)) {
                        Ok(lease) => {
                            wins.fetch_add(1, Ordering::Relaxed);
                            append(store, &lease, 1, &[started(2)]).unwrap();
                        }
                        Err(error) => assert!(matches!(error, StoreError::Held { .. }), "{error}"),
                    }
                });
            }
        });
        assert_eq!(wins.into_inner(), 1);
        assert_eq!(numbers(&events(store, &run)), [1, 2]);
    }
}

pub fn a_renewal_leaves_what_is_held(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    block_on(store.renew()).unwrap();
    let lease = create(store, "r1");
    block_on(store.renew()).unwrap();
    append(store, &lease, 1, &[started(2)]).unwrap();
    block_on(store.release(lease.clone())).unwrap();
    // It does not restore a released lease.
    block_on(store.renew()).unwrap();
    let error = append(store, &lease, 2, &[succeeded(3)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    block_on(store.claim(&id("r1"))).unwrap();
}

pub fn a_call_that_is_not_polled_holds_up_no_other(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let leases = [create(store, "r1"), create(store, "r2")];
    let events = [started(2)].into();
    std::thread::scope(|scope| {
        // Begun and not polled further, as by a driver whose other futures are busy. Dropped when this fails.
        let mut begun = store.append(&leases[0], 1, &events, None);
        let answer = (&mut begun).now_or_never();
        let (send, others) = mpsc::channel();
        let lease = &leases[1];
        scope.spawn(move || {
            append(store, lease, 1, &[started(2)]).unwrap();
            block_on(store.request(&id("r1"), Control::Pause.into())).unwrap();
            block_on(store.events(&id("r1"), 0, 9)).unwrap();
            block_on(store.renew()).unwrap();
            // The receiver is gone if it has taken too long.
            let _ = send.send(());
        });
        others.recv_timeout(patience()).expect("the store answers other requests meanwhile");
        answer.unwrap_or_else(|| block_on(begun)).unwrap();
    });
    assert_eq!(numbers(&block_on(store.events(&id("r1"), 0, 9)).unwrap()), [1, 2]);
}
