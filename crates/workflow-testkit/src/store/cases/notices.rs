//! Notices of events: claimed by one, settled, deleted with their run.

use std::sync::Barrier;

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::NoticeClaim::{Settled, Try, Until};
use workflow_core::store::{NoticeClaim, NoticeId, RunStore, StoreError};

use crate::store::Fixture;
use crate::store::runs::{at, create_ended, create_free, id};

fn notice(run: &str, event: u64, target: &str) -> NoticeId {
    NoticeId { run: id(run), event, target: target.to_owned() }
}

/// Claims a notice at a time, for ten seconds.
fn claimed(store: &dyn RunStore, notice: &NoticeId, now: u64) -> NoticeClaim {
    block_on(store.claim_notice(notice, at(now), at(now + 10))).unwrap()
}

fn until(time: u64) -> NoticeClaim {
    Until(at(time))
}

fn settle(store: &dyn RunStore, notice: &NoticeId, attempt: u32, retry_at: Option<u64>) {
    block_on(store.settle_notice(notice, attempt, retry_at.map(at))).unwrap();
}

pub fn a_claim_of_a_notice_is_valid_until_its_time(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_free(store, "r1", RunStatus::Pending);
    let notice = notice("r1", 2, "team");
    assert_eq!(claimed(store, &notice, 100), Try(1));
    for now in [100, 101, 109] {
        assert_eq!(claimed(store, &notice, now), until(110), "at {now}");
    }
    assert_eq!(claimed(store, &notice, 110), Try(2));
    assert_eq!(claimed(store, &notice, 119), until(120));
    assert_eq!(claimed(store, &notice, 500), Try(3));
}

pub fn a_settled_notice_is_not_claimed_again(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_free(store, "r1", RunStatus::Pending);
    let notice = notice("r1", 2, "team");
    assert_eq!(claimed(store, &notice, 100), Try(1));
    settle(store, &notice, 1, Some(103));
    assert_eq!(claimed(store, &notice, 102), until(103), "it is to be tried later");
    assert_eq!(claimed(store, &notice, 103), Try(2));
    settle(store, &notice, 2, None);
    for now in [104, 113, 1_000_000] {
        assert_eq!(claimed(store, &notice, now), Settled, "at {now}");
    }
    settle(store, &notice, 2, Some(0));
    assert_eq!(claimed(store, &notice, 1_000_000), Settled, "a settled notice stays settled");
}

pub fn a_late_settlement_leaves_the_next_claim(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_free(store, "r1", RunStatus::Pending);
    let notice = notice("r1", 2, "team");
    assert_eq!(claimed(store, &notice, 100), Try(1));
    assert_eq!(claimed(store, &notice, 110), Try(2));
    settle(store, &notice, 1, Some(100));
    assert_eq!(claimed(store, &notice, 111), until(120), "the second claim is valid");
    // What was delivered late was delivered.
    settle(store, &notice, 1, None);
    assert_eq!(claimed(store, &notice, 500), Settled);
}

pub fn notices_of_events_and_targets_are_apart(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_free(store, "r1", RunStatus::Pending);
    create_free(store, "r2", RunStatus::Pending);
    let targets = ["team", "Team", "te%m", "ü\n'; --", ""];
    for (run, event) in [("r1", 1), ("r1", 2), ("r1", u64::from(u32::MAX) + 2), ("r2", 2)] {
        for target in targets {
            let notice = notice(run, event, target);
            assert_eq!(claimed(store, &notice, 100), Try(1), "{notice:?}");
        }
    }
    settle(store, &notice("r1", 2, "team"), 1, None);
    assert_eq!(claimed(store, &notice("r1", 2, "team"), 500), Settled);
    for other in [notice("r1", 1, "team"), notice("r1", 2, "Team"), notice("r2", 2, "team")] {
        assert_eq!(claimed(store, &other, 500), Try(2), "{other:?}");
    }
}

pub fn a_run_is_deleted_with_its_notices(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let notice = notice("r1", 2, "team");
    // Nothing to claim or to settle.
    let error = block_on(store.claim_notice(&notice, at(1), at(2))).unwrap_err();
    assert!(matches!(error, StoreError::NotFound(_)), "{error}");
    settle(store, &notice, 1, None);
    for prune in [false, true] {
        create_ended(store, "r1", 1, 10, RunStatus::Completed);
        settle(store, &notice, 1, None);
        assert_eq!(claimed(store, &notice, 100), Try(1), "it was not claimed before");
        settle(store, &notice, 1, None);
        if prune {
            assert_eq!(block_on(store.prune(at(50), 9)).unwrap(), 1);
        } else {
            block_on(store.delete(&id("r1"))).unwrap();
        }
        let error = block_on(store.claim_notice(&notice, at(1), at(2))).unwrap_err();
        assert!(matches!(error, StoreError::NotFound(_)), "{error}");
    }
}

pub fn one_of_many_claims_of_a_notice_wins(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let stores: Vec<_> = (0..4).map(|_| store).collect();
    one_wins(&stores);
}

pub fn of_many_processes_one_claims_a_notice(fixture: &dyn Fixture) {
    let stores: Vec<_> = (0..4).map(|_| fixture.open()).collect();
    let stores: Vec<&dyn RunStore> = stores.iter().map(|store| &**store).collect();
    one_wins(&stores);
    let notice = notice("r1", 99, "team");
    assert_eq!(claimed(stores[0], &notice, 100), Try(1));
    assert_eq!(claimed(stores[1], &notice, 105), until(110));
    assert_eq!(claimed(stores[1], &notice, 110), Try(2), "another process continues after a crash");
    settle(stores[1], &notice, 2, None);
    assert_eq!(claimed(stores[2], &notice, 500), Settled);
}

/// All `stores` claim the same notices at once, new ones and ones whose claim has ended.
fn one_wins(stores: &[&dyn RunStore]) {
    const NOTICES: u64 = 12;
    create_free(stores[0], "r1", RunStatus::Pending);
    let start = Barrier::new(stores.len());
    let mut claims: Vec<(u64, u64, u32)> = std::thread::scope(|scope| {
        let claimers: Vec<_> = stores
            .iter()
            .map(|store| {
                let start = &start;
                scope.spawn(move || {
                    let mut claims = Vec::new();
                    for now in [100, 200] {
                        for event in 1..=NOTICES {
                            start.wait();
                            let notice = notice("r1", event, "team");
                            // Returned instead of checked here, because other threads wait for this one.
                            let claim = block_on(store.claim_notice(&notice, at(now), at(now + 10)));
                            claims.push((now, event, claim));
                        }
                    }
                    claims
                })
            })
            .collect();
        let claims = claimers.into_iter().flat_map(|claimer| claimer.join().unwrap());
        claims
            .filter_map(|(now, event, claim)| match claim.unwrap() {
                Try(tries) => Some((now, event, tries)),
                claim => {
                    assert_eq!(claim, until(now + 10), "event {event}");
                    None
                }
            })
            .collect()
    });
    claims.sort_unstable();
    let expected: Vec<_> = [(100, 1), (200, 2)]
        .into_iter()
        .flat_map(|(now, tries)| (1..=NOTICES).map(move |event| (now, event, tries)))
        .collect();
    assert_eq!(claims, expected, "each notice is claimed once, and again after its time");
}

pub fn a_settled_notice_stays_settled_when_the_store_is_opened_again(fixture: &dyn Fixture) {
    let (settled, open) = (notice("r1", 2, "team"), notice("r1", 3, "team"));
    {
        let store = &*fixture.open();
        create_free(store, "r1", RunStatus::Pending);
        assert_eq!(claimed(store, &settled, 100), Try(1));
        settle(store, &settled, 1, None);
        assert_eq!(claimed(store, &open, 100), Try(1));
    }
    let store = &*fixture.open();
    assert_eq!(claimed(store, &settled, 500), Settled);
    assert_eq!(claimed(store, &open, 105), until(110), "the claim of the process that ended is valid");
    assert_eq!(claimed(store, &open, 110), Try(2));
}
