//! Leases that expire by a clock.

use std::time::Duration;

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, Lease, RunStore, StoreError};

use super::claiming::claimed;
use crate::store::Fixture;
use crate::store::runs::{append, at, create, create_ended, entry, events, head, id, started, succeeded};

/// A part of the lease time of `store`.
fn part(store: &dyn RunStore, percent: u32) -> Duration {
    store.lease_time().expect("leases that expire") * percent / 100
}

fn fenced(store: &dyn RunStore, lease: &Lease, last: u64) {
    let error = append(store, lease, last, &[succeeded(last + 1)]).unwrap_err();
    assert!(matches!(&error, StoreError::Fenced(run) if *run == lease.run), "{error}");
    let next = block_on(store.last_output(&lease.run)).unwrap() + 1;
    let error = block_on(store.append_output(lease, &[entry(next, "late")])).unwrap_err();
    assert!(matches!(&error, StoreError::Fenced(run) if *run == lease.run), "{error}");
}

fn held(store: &dyn RunStore, run: &str) {
    let error = block_on(store.claim(&id(run))).unwrap_err();
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
}

pub fn a_lease_is_good_for_its_time_and_not_longer(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let old = create(first, "r1");
    fixture.advance(part(first, 90));
    held(second, "r1");
    append(first, &old, 1, &[started(2)]).unwrap();
    fixture.advance(part(first, 20));
    assert_eq!(block_on(second.get(&id("r1"))).unwrap().holder, None);
    let new = block_on(second.claim(&id("r1"))).unwrap();
    assert!(new.epoch > old.epoch);
    append(second, &new, 2, &[succeeded(3)]).unwrap();
    held(first, "r1");
}

pub fn a_lease_that_is_renewed_stays(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let lease = create(first, "r1");
    for last in 1..6 {
        fixture.advance(part(first, 60));
        block_on(first.renew()).unwrap();
        held(second, "r1");
        assert!(block_on(second.claim_next(9, at(0))).unwrap().is_empty());
        append(first, &lease, last, &[succeeded(last + 1)]).unwrap();
    }
    fixture.advance(part(first, 110));
    block_on(second.claim(&id("r1"))).unwrap();
}

pub fn a_revived_holder_writes_nothing(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let old = create(first, "r1");
    fixture.advance(part(first, 110));
    // Although no other process has claimed the run: it may be claimed at any moment.
    fenced(first, &old, 1);
    let new = block_on(second.claim(&id("r1"))).unwrap();
    fenced(first, &old, 1);
    append(second, &new, 1, &[started(2)]).unwrap();
    fenced(first, &old, 2);
    // It cannot release a lease that is no longer its own.
    block_on(first.release(old.clone())).unwrap();
    held(first, "r1");
    append(second, &new, 2, &[succeeded(3)]).unwrap();
    block_on(second.release(new)).unwrap();
    // Nor does the lease become valid again when the run is unclaimed.
    fenced(first, &old, 3);
    assert_eq!(events(first, &id("r1"))[1..], [started(2), succeeded(3)]);
    assert_eq!(block_on(first.last_output(&id("r1"))).unwrap(), 0);
}

pub fn a_lease_tells_which_one_it_follows(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let created = create(first, "r1");
    assert_eq!(created.previous, 0, "a new run had no lease before");
    block_on(first.release(created.clone())).unwrap();
    let again = block_on(first.claim(&id("r1"))).unwrap();
    assert_eq!(again.previous, created.epoch, "released, and claimed by the same process");
    fixture.advance(part(first, 110));
    let _ = block_on(first.renew());
    let anew = block_on(first.claim(&id("r1"))).unwrap();
    assert_eq!(anew.previous, again.epoch, "expired, and claimed by the same process");
    fixture.advance(part(first, 110));
    let other = block_on(second.claim_next(1, at(0))).unwrap().remove(0);
    assert_eq!(other.previous, anew.epoch, "expired, and claimed by another process with the next run");
    block_on(second.release(other.clone())).unwrap();
    let _ = block_on(first.renew());
    let back = block_on(first.claim(&id("r1"))).unwrap();
    assert_eq!(back.previous, other.epoch, "another process had held it, and wrote nothing");
}

pub fn a_lease_tells_how_many_holders_died_before_they_stored_an_event(fixture: &dyn Fixture) {
    let first = fixture.open();
    let created = create(&*first, "r1");
    assert_eq!(created.deaths, 0, "a new run");
    block_on(first.release(created)).unwrap();
    assert_eq!(block_on(first.claim(&id("r1"))).unwrap().deaths, 0, "it was released");
    let mut opened = vec![first];
    for deaths in 1..=4 {
        fixture.advance(part(&*opened[0], 110));
        let next = fixture.open();
        let lease = if deaths % 2 == 0 {
            block_on(next.claim(&id("r1"))).unwrap()
        } else {
            claimed(&*next, 1).remove(0)
        };
        assert_eq!(lease.deaths, deaths, "each holder died and stored nothing");
        block_on(next.release(lease)).unwrap();
        let lease = block_on(next.claim(&id("r1"))).unwrap();
        assert_eq!(lease.deaths, deaths, "a release says nothing about the earlier holders");
        if deaths == 4 {
            append(&*next, &lease, 1, &[started(2)]).unwrap();
        }
        opened.push(next);
    }
    let last = opened.last().unwrap();
    fixture.advance(part(&**last, 110));
    let _ = block_on(last.renew());
    let again = block_on(last.claim(&id("r1"))).unwrap();
    assert_eq!(again.deaths, 0, "an event was stored, and a process that claims again has not died");
    fixture.advance(part(&**last, 110));
    let next = fixture.open();
    let lease = claimed(&*next, 1).remove(0);
    assert_eq!(lease.deaths, 1, "counted again from the event on");
    append(&*next, &lease, 2, &[succeeded(3)]).unwrap();
    block_on(next.release(lease)).unwrap();
    assert_eq!(block_on(next.claim(&id("r1"))).unwrap().deaths, 0, "an event was stored");
}

pub fn who_renews_too_late_is_told(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let old = create(store, "r1");
    fixture.advance(part(store, 110));
    let error = block_on(store.renew()).unwrap_err();
    assert!(matches!(error, StoreError::Expired), "{error}");
    fenced(store, &old, 1);
    // It can claim again, and the new lease is valid.
    let new = block_on(store.claim(&id("r1"))).unwrap();
    assert!(new.epoch > old.epoch);
    fixture.advance(part(store, 60));
    block_on(store.renew()).unwrap();
    fixture.advance(part(store, 60));
    append(store, &new, 1, &[started(2)]).unwrap();
    fenced(store, &old, 2);
}

pub fn who_renews_too_late_has_lost_all_its_runs(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let leases = [create(first, "r1"), create(first, "r2")];
    fixture.advance(part(first, 110));
    let taken = block_on(second.claim(&id("r1"))).unwrap();
    let error = block_on(first.renew()).unwrap_err();
    assert!(matches!(error, StoreError::Expired), "{error}");
    for lease in &leases {
        fenced(first, lease, 1);
    }
    held(first, "r1");
    let again = block_on(first.claim(&id("r2"))).unwrap();
    append(first, &again, 1, &[started(2)]).unwrap();
    append(second, &taken, 1, &[started(2)]).unwrap();
}

pub fn a_renewal_is_for_all_runs_of_its_holder_alone(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let kept = [create(first, "r1"), create(first, "r2")];
    let lost = create(second, "r3");
    fixture.advance(part(first, 60));
    block_on(first.renew()).unwrap();
    fixture.advance(part(first, 60));
    for lease in &kept {
        append(first, lease, 1, &[started(2)]).unwrap();
    }
    fenced(second, &lost, 1);
    held(second, "r1");
    let error = block_on(second.renew()).unwrap_err();
    assert!(matches!(error, StoreError::Expired), "{error}");
    block_on(first.claim(&id("r3"))).unwrap();
}

pub fn a_holder_that_held_nothing_for_long_is_as_good_as_new(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    fixture.advance(part(store, 300));
    let lease = create(store, "r1");
    append(store, &lease, 1, &[started(2)]).unwrap();
    block_on(store.release(lease)).unwrap();
    fixture.advance(part(store, 300));
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    fixture.advance(part(store, 90));
    append(store, &lease, 2, &[succeeded(3)]).unwrap();
    block_on(store.renew()).unwrap();
    fixture.advance(part(store, 90));
    append(store, &lease, 3, &[succeeded(4)]).unwrap();
}

pub fn what_ran_out_is_given_to_the_next_who_asks(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let old = create(first, "r1");
    let paused = create(first, "r2");
    block_on(first.append(&paused, 1, &[started(2)].into(), Some(&head(RunStatus::Paused)))).unwrap();
    block_on(first.request(&id("r1"), Control::Cancel.into())).unwrap();
    fixture.advance(part(first, 60));
    assert!(claimed(second, 9).is_empty());
    fixture.advance(part(first, 50));
    let given = claimed(second, 9);
    assert_eq!(given.len(), 1, "the paused run is not claimed");
    assert_eq!(given[0].run, id("r1"));
    // Control requests reach the process that has claimed the run.
    let controls = block_on(second.append(&given[0], 1, &[started(2)].into(), None)).unwrap();
    assert_eq!(controls.iter().map(|control| control.control.clone()).collect::<Vec<_>>(), [Control::Cancel]);
    fenced(first, &old, 2);
}

pub fn what_ran_out_can_be_deleted(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let old = create(first, "r1");
    create_ended(first, "r2", 1, 10, RunStatus::Completed);
    let lease = block_on(first.claim(&id("r2"))).unwrap();
    assert_eq!(block_on(second.prune(at(99), 9)).unwrap(), 0);
    fixture.advance(part(first, 110));
    block_on(second.delete(&id("r1"))).unwrap();
    assert_eq!(block_on(second.prune(at(99), 9)).unwrap(), 1);
    let error = append(first, &lease, 2, &[succeeded(3)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    // Another run with that id does not belong to the holder.
    create(second, "r1");
    fenced(first, &old, 1);
    held(first, "r1");
}
