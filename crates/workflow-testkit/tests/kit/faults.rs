//! The store with faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, MemoryStore, NoticeId, RunStore, StoreError};
use workflow_testkit::fault::{Fault, FaultStore, Write, WriteKind, seeded};
use workflow_testkit::store::runs::*;

/// How many events the run has after its second append, which has `fault`, and its response.
fn second_append(fault: Fault, seed: u64) -> (usize, String) {
    let memory = MemoryStore::new();
    let store =
        FaultStore::new(&memory, move |append| if append == 2 { fault } else { Fault::None }).seed(seed);
    let lease = create(&store, "r1");
    append(&store, &lease, 1, &[started(2)]).unwrap();
    let answer = match store.append(&lease, 2, &[succeeded(3)].into(), None).now_or_never() {
        None => "dead",
        Some(Ok(_)) => "stored",
        Some(Err(StoreError::Io { .. })) => "not known",
        Some(Err(error)) => panic!("{error}"),
    };
    assert_eq!(store.is_dead(), answer == "dead");
    assert_eq!(store.death().now_or_never().is_some(), store.is_dead());
    // A dead host gets no more responses.
    let gets_answers = store.get(&id("r1")).now_or_never().is_some();
    assert_eq!(gets_answers, !store.is_dead());
    assert_eq!((store.appends(), store.writes()), (2, 3));
    (events(&memory, &id("r1")).len(), answer.to_owned())
}

#[test]
fn an_append_meets_with_its_fault() {
    for (fault, stored, answer) in [
        (Fault::None, 3, "stored"),
        (Fault::Delay(Duration::from_secs(9)), 3, "stored"),
        (Fault::DieBefore, 2, "dead"),
        (Fault::DieAfter, 3, "dead"),
        (Fault::Lose, 2, "not known"),
        (Fault::LoseAnswer, 3, "not known"),
        (Fault::LoseAnswerAndRead, 3, "not known"),
    ] {
        assert_eq!(second_append(fault, 0), (stored, answer.to_owned()), "{fault:?}");
    }
}

#[test]
fn what_was_not_acknowledged_may_be_there_or_not_and_a_seed_decides() {
    let outcomes: Vec<_> = (0..40).map(|seed| second_append(Fault::Die, seed)).collect();
    assert!(outcomes.iter().all(|(_, answer)| answer == "dead"));
    for stored in [2, 3] {
        assert!(outcomes.iter().any(|(events, _)| *events == stored), "never {stored}");
    }
    assert_eq!(outcomes, (0..40).map(|seed| second_append(Fault::Die, seed)).collect::<Vec<_>>());
}

#[test]
fn every_kind_of_write_can_be_met() {
    for kind in WriteKind::ALL {
        let memory = MemoryStore::new();
        let seen: Arc<Mutex<Vec<Write>>> = Arc::default();
        let script = {
            let seen = Arc::clone(&seen);
            move |write: Write| {
                seen.lock().unwrap().push(write);
                if write.kind == kind { Fault::Lose } else { Fault::None }
            }
        };
        create_free(&memory, "r1", RunStatus::Pending);
        let store = FaultStore::scripted(&memory, script);
        let lease = match block_on(store.claim(&id("r1"))) {
            Ok(lease) => lease,
            Err(_) => block_on(memory.claim(&id("r1"))).unwrap(),
        };
        let notice = NoticeId { run: id("r1"), event: 1, target: String::new() };
        let results = [
            (WriteKind::Create, block_on(store.create(new_run("r2"))).map(drop)),
            (WriteKind::Append, append(&store, &lease, 1, &[started(2)])),
            (WriteKind::Output, block_on(store.append_output(&lease, &[entry(1, "x")]))),
            (WriteKind::Request, block_on(store.request(&id("r1"), Control::Pause.into())).map(drop)),
            (WriteKind::Renew, block_on(store.renew())),
            (WriteKind::Release, block_on(store.release(lease))),
            (WriteKind::Claim, block_on(store.claim_next(1, at(0))).map(drop)),
            (WriteKind::Delete, block_on(store.prune(at(9), 9)).map(drop)),
            (WriteKind::Notice, block_on(store.settle_notice(&notice, 1, None))),
        ];
        for (of, result) in results {
            assert_eq!(result.is_err(), of == kind, "{of:?} where {kind:?} is met: {result:?}");
        }
        let seen = seen.lock().unwrap();
        assert_eq!(seen.iter().map(|write| write.number).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
        let claims: Vec<_> = seen.iter().filter(|write| write.kind == WriteKind::Claim).collect();
        assert_eq!(claims.iter().map(|write| write.of_its_kind).collect::<Vec<_>>(), [1, 2]);
    }
}

#[test]
fn a_delayed_write_is_stored_before_or_after_the_delay() {
    let mut seen = [false; 2];
    for seed in 0..20 {
        let memory = MemoryStore::new();
        let (go_on, waits) = oneshot::channel::<()>();
        let waits = Mutex::new(Some(waits));
        let store = FaultStore::new(&memory, |_| Fault::Delay(Duration::from_secs(5))).seed(seed).timer(
            move |time| {
                assert_eq!(time, Duration::from_secs(5));
                waits.lock().unwrap().take().unwrap().map(drop).boxed()
            },
        );
        let lease = create(&store, "r1");
        let batch = [started(2)].into();
        let mut write = store.append(&lease, 1, &batch, None);
        assert!((&mut write).now_or_never().is_none());
        seen[events(&memory, &id("r1")).len() - 1] = true;
        go_on.send(()).unwrap();
        block_on(write).unwrap();
        assert_eq!(numbers(&events(&memory, &id("r1"))), [1, 2]);
    }
    assert_eq!(seen, [true; 2], "chance has it both ways");
}

#[test]
fn output_that_was_not_synced_may_be_lost_from_its_end_when_the_host_dies() {
    let mut kept = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let memory = MemoryStore::new();
        let store = FaultStore::new(&memory, |_| Fault::None).seed(seed).unsynced_output();
        let lease = create(&store, "r1");
        block_on(store.append_output(&lease, &[entry(1, "synced")])).unwrap();
        append(&store, &lease, 1, &[started(2)]).unwrap();
        block_on(store.append_output(&lease, &[entry(2, "x"), entry(3, "y")])).unwrap();
        block_on(store.kill());
        let there = block_on(memory.output(&id("r1"), 0, 9)).unwrap();
        assert_eq!(there[0], entry(1, "synced"));
        kept.insert(block_on(memory.last_output(&id("r1"))).unwrap());
        assert_eq!(numbers(&events(&memory, &id("r1"))), [1, 2], "events are never lost");
    }
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn a_seed_writes_the_same_script_again() {
    let faults = [Fault::Lose, Fault::Die];
    let play = |seed| {
        let memory = MemoryStore::new();
        let script = seeded(seed, 4, &faults);
        let met: Arc<Mutex<Vec<Fault>>> = Arc::default();
        let noted = Arc::clone(&met);
        let store = FaultStore::scripted(&memory, move |write| {
            let fault = script(write);
            noted.lock().unwrap().push(fault);
            Fault::None
        });
        let lease = create(&store, "r1");
        (1..80).for_each(|last| append(&store, &lease, last, &[succeeded(last + 1)]).unwrap());
        drop(store);
        Arc::into_inner(met).unwrap().into_inner().unwrap()
    };
    let met = play(5);
    assert_eq!(met, play(5));
    assert_ne!(met, play(6));
    let count = |fault| met.iter().filter(|met| **met == fault).count();
    assert!(count(Fault::Lose) > 2 && count(Fault::Die) > 2 && count(Fault::None) > 40, "{met:?}");
}
