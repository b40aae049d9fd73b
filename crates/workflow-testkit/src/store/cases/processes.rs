//! Several processes that use one store.

use std::sync::{Arc, Barrier, mpsc};

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, RunFilter, RunStore, StoreError, Watcher};

use super::claiming::each_is_given_others;
use crate::patience;
use crate::store::Fixture;
use crate::store::runs::{
    append, at, create, create_free, entry, events, head, id, new_run, numbers, started, succeeded,
};

pub fn a_run_is_held_by_one_process(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let lease = create(first, "r1");
    let error = block_on(second.claim(&id("r1"))).unwrap_err();
    let StoreError::Held { holder, .. } = error else { panic!("{error}") };
    assert_eq!(block_on(second.get(&id("r1"))).unwrap().holder.as_ref(), Some(&holder));
    assert_eq!(block_on(second.list(&RunFilter::all())).unwrap()[0].holder, Some(holder));
    assert!(block_on(second.claim_next(9, at(0))).unwrap().is_empty());
    assert!(matches!(block_on(second.delete(&id("r1"))), Err(StoreError::Held { .. })));
    assert!(matches!(block_on(second.create(new_run("r1"))), Err(StoreError::Exists(_))));

    append(first, &lease, 1, &[started(2)]).unwrap();
    block_on(first.release(lease.clone())).unwrap();
    let other = block_on(second.claim(&id("r1"))).unwrap();
    assert!(other.epoch > lease.epoch);
    append(second, &other, 2, &[succeeded(3)]).unwrap();
    assert_eq!(numbers(&events(first, &id("r1"))), [1, 2, 3]);
    assert!(matches!(append(first, &lease, 2, &[succeeded(3)]), Err(StoreError::Fenced(_))));
    assert!(matches!(append(first, &lease, 3, &[succeeded(4)]), Err(StoreError::Fenced(_))));
}

pub fn a_lease_is_good_in_its_process_only(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let lease = create(first, "r1");
    let error = append(second, &lease, 1, &[started(2)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    // Nor can another store release it.
    block_on(second.release(lease.clone())).unwrap();
    append(first, &lease, 1, &[started(2)]).unwrap();
    assert_eq!(numbers(&events(second, &id("r1"))), [1, 2]);
}

pub fn what_a_process_stored_another_reads(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let lease = create(first, "r1");
    for number in 1..5 {
        let status = if number % 2 == 0 { RunStatus::Paused } else { RunStatus::Running };
        block_on(first.append(&lease, number, &[succeeded(number + 1)].into(), Some(&head(status)))).unwrap();
        block_on(first.append_output(&lease, &[entry(number, "said")])).unwrap();
        assert_eq!(events(second, &id("r1")), events(first, &id("r1")));
        assert_eq!(block_on(second.get(&id("r1"))).unwrap().head, head(status));
        assert_eq!(block_on(second.last_output(&id("r1"))).unwrap(), number);
        assert_eq!(block_on(second.output(&id("r1"), 0, 99)).unwrap().len() as u64, number);
    }
    let bundle = new_run("r1").bundle;
    assert_eq!(block_on(second.bundle(&bundle.hash().unwrap())).unwrap(), bundle);
    block_on(first.release(lease)).unwrap();
    block_on(second.delete(&id("r1"))).unwrap();
    let error = block_on(first.get(&id("r1"))).unwrap_err();
    assert!(matches!(error, StoreError::NotFound(_)), "{error}");
}

pub fn of_many_processes_one_wins_each_claim(fixture: &dyn Fixture) {
    const ROUNDS: u64 = 6;
    let stores: Vec<_> = (0..4).map(|_| fixture.open()).collect();
    create_free(&*stores[0], "r1", RunStatus::Pending);
    let (start, tried) = (Barrier::new(stores.len()), Barrier::new(stores.len()));
    // Returns errors instead of panicking, because other threads wait for this one.
    let drive = |store: &dyn RunStore, last: u64| -> Result<(), StoreError> {
        start.wait();
        let claimed = block_on(store.claim(&id("r1")));
        tried.wait();
        let lease = claimed?;
        let appended = append(store, &lease, last, &[succeeded(last + 1)]);
        block_on(store.release(lease))?;
        appended
    };
    let outcomes: Vec<Result<(), StoreError>> = std::thread::scope(|scope| {
        let processes: Vec<_> = stores
            .iter()
            .map(|store| scope.spawn(|| (1..=ROUNDS).map(|last| drive(&**store, last)).collect::<Vec<_>>()))
            .collect();
        processes.into_iter().flat_map(|process| process.join().unwrap()).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len() as u64, ROUNDS, "{lost:?}");
    for outcome in lost {
        assert!(matches!(outcome, Err(StoreError::Held { .. })), "{outcome:?}");
    }
    assert_eq!(numbers(&events(&*stores[0], &id("r1"))), (1..=ROUNDS + 1).collect::<Vec<_>>());
}

pub fn of_many_processes_each_is_given_others(fixture: &dyn Fixture) {
    let stores: Vec<_> = (0..3).map(|_| fixture.open()).collect();
    let stores: Vec<&dyn RunStore> = stores.iter().map(|store| &**store).collect();
    each_is_given_others(&stores);
}

pub fn a_control_reaches_the_holder_in_another_process(fixture: &dyn Fixture) {
    let (first, second) = (&*fixture.open(), &*fixture.open());
    let lease = create(first, "r1");
    let (sender, calls) = mpsc::channel();
    let watcher: Watcher = Arc::new(move |run| _ = sender.send(run.cloned()));
    let _watching = first.watch(watcher);
    for number in 1..=3 {
        assert_eq!(block_on(second.request(&id("r1"), Control::Pause.into())).unwrap(), number);
        // The store may have to poll; the data is readable when the watcher is called.
        let told = calls.recv_timeout(patience()).expect("the watcher is called");
        assert!(told.is_none_or(|run| run == id("r1")));
        assert_eq!(block_on(first.controls(&id("r1"), number - 1)).unwrap().len(), 1);
    }
    let given = block_on(first.append(&lease, 1, &[started(2)].into(), None)).unwrap();
    assert_eq!(given.iter().map(|control| control.number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(block_on(first.append(&lease, 2, &[].into(), None)).unwrap().is_empty());
}
