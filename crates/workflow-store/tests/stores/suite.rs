//! What every store does, as checks over the trait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use futures::FutureExt;
use futures::executor::block_on;
use serde_json::json;
use workflow_core::event::EventBody;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, ControlRecord, Lease, RunFilter, RunStore, StoreError, Watcher};

use crate::fixture::*;

/// Makes a test of every check for the store that `$open` opens: `$open` gives the store and what
/// has to live as long as it.
#[macro_export]
macro_rules! suite {
    ($open:expr) => {
        $crate::suite!($open;
            a_new_run_is_claimed_and_readable
            a_run_is_created_once
            events_go_on_from_the_expected_number
            misnumbered_events_are_refused
            the_head_changes_only_when_given
            a_run_is_held_by_one
            a_released_lease_is_fenced_off
            a_dropped_holder_can_release_by_one_poll
            a_lease_that_nobody_waits_for_is_given_back
            one_of_many_claims_wins
            events_are_read_from_any_number
            odd_and_large_payloads_survive
            output_is_numbered_on
            output_numbers_grow
            controls_are_delivered_once_and_in_order
            controls_that_no_event_obeys_are_delivered_to_the_next_holder
            a_control_calls_the_watchers
            runs_are_listed_newest_first_in_pages
            a_list_is_filtered
            a_list_tells_who_holds_a_run
            a_deleted_run_is_gone
            a_bundle_is_shared_by_its_runs
            what_is_not_there_is_not_found
            appends_of_many_runs_do_not_mix
        );
    };
    ($open:expr; $($check:ident)*) => {$(
        #[test]
        fn $check() {
            let (store, _keep) = $open;
            $crate::suite::$check(&store);
        }
    )*};
}

pub(crate) fn a_new_run_is_claimed_and_readable(store: &dyn RunStore) {
    let run = new_run("r1");
    let lease = block_on(store.create(run.clone())).unwrap();
    assert_eq!(lease.run, run.id);
    assert_eq!(events(store, &run.id), run.events);
    let record = block_on(store.get(&run.id)).unwrap();
    assert_eq!(record.head, run.head);
    assert!(record.holder.is_some());
    append(store, &lease, 1, &[started(2)]).unwrap();
}

pub(crate) fn a_run_is_created_once(store: &dyn RunStore) {
    let lease = create(store, "r1");
    let mut other = run_of("other", "r1", 7);
    for _ in 0..2 {
        let error = block_on(store.create(other.clone())).unwrap_err();
        assert!(matches!(error, StoreError::Exists(run) if run == id("r1")));
        // Also when nobody holds it.
        block_on(store.release(lease.clone())).unwrap();
    }
    assert_eq!(events(store, &id("r1")), new_run("r1").events);
    other.id = id("r2");
    block_on(store.create(other)).unwrap();
}

pub(crate) fn events_go_on_from_the_expected_number(store: &dyn RunStore) {
    let lease = create(store, "r1");
    append(store, &lease, 1, &[started(2), succeeded(3)]).unwrap();
    for expected in [0, 1, 2, 4] {
        let error = append(store, &lease, expected, &[succeeded(expected + 1)]).unwrap_err();
        let StoreError::Conflict { run, expected: told, actual } = error else { panic!("{error}") };
        assert_eq!((run, told, actual), (id("r1"), expected, 3));
    }
    append(store, &lease, 3, &[succeeded(4)]).unwrap();
    assert_eq!(events(store, &id("r1"))[1..], [started(2), succeeded(3), succeeded(4)]);
}

pub(crate) fn misnumbered_events_are_refused(store: &dyn RunStore) {
    let lease = create(store, "r1");
    for numbers in [&[3][..], &[2, 4], &[2, 2], &[1]] {
        let events: Vec<_> = numbers.iter().map(|number| succeeded(*number)).collect();
        let error = append(store, &lease, 1, &events).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{numbers:?}: {error}");
    }
    assert_eq!(numbers(&events(store, &id("r1"))), [1]);
    let mut run = new_run("r2");
    run.events = vec![succeeded(2)];
    let error = block_on(store.create(run)).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
}

pub(crate) fn the_head_changes_only_when_given(store: &dyn RunStore) {
    let lease = create(store, "r1");
    append(store, &lease, 1, &[started(2)]).unwrap();
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, new_run("r1").head);
    let running = head(RunStatus::Running);
    block_on(store.append(&lease, 2, &[succeeded(3)], Some(&running))).unwrap();
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, running);
    let error = block_on(store.append(&lease, 2, &[succeeded(3)], Some(&head(RunStatus::Failed))));
    assert!(matches!(error, Err(StoreError::Conflict { .. })));
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, running);
}

pub(crate) fn a_run_is_held_by_one(store: &dyn RunStore) {
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

pub(crate) fn a_released_lease_is_fenced_off(store: &dyn RunStore) {
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
    // Giving it back again does not take the run from its new holder.
    block_on(store.release(old)).unwrap();
    append(store, &new, 1, &[started(2)]).unwrap();
    assert_eq!(numbers(&events(store, &id("r1"))), [1, 2]);
}

pub(crate) fn a_dropped_holder_can_release_by_one_poll(store: &dyn RunStore) {
    let lease = create(store, "r1");
    let _ = store.release(lease).now_or_never();
    block_on(store.claim(&id("r1"))).unwrap();
}

pub(crate) fn a_lease_that_nobody_waits_for_is_given_back(store: &dyn RunStore) {
    // A store that answers at once has handed the lease over.
    let hand_back = |answer: Option<Result<Lease, StoreError>>| {
        if let Some(lease) = answer {
            block_on(store.release(lease.unwrap())).unwrap();
        }
    };
    hand_back(store.create(new_run("r1")).now_or_never());
    for _ in 0..20 {
        let lease = block_on(store.claim(&id("r1"))).unwrap();
        block_on(store.release(lease)).unwrap();
        hand_back(store.claim(&id("r1")).now_or_never());
    }
}

pub(crate) fn one_of_many_claims_wins(store: &dyn RunStore) {
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

pub(crate) fn events_are_read_from_any_number(store: &dyn RunStore) {
    let lease = create(store, "r1");
    let mut last = 1;
    for size in [1, 3, 2, 40, 200, 1] {
        let batch: Vec<_> = (last + 1..=last + size).map(succeeded).collect();
        append(store, &lease, last, &batch).unwrap();
        last += size;
    }
    let all = events(store, &id("r1"));
    assert_eq!(numbers(&all), (1..=last).collect::<Vec<_>>());
    for after in 0..=last + 1 {
        for limit in [0, 1, 2, 7, usize::MAX] {
            let read = block_on(store.events(&id("r1"), after, limit)).unwrap();
            let start = usize::try_from(after).unwrap().min(all.len());
            let expected = &all[start..all.len().min(start.saturating_add(limit))];
            assert_eq!(read, expected, "{limit} after {after}");
        }
    }
    assert!(block_on(store.events(&id("r1"), u64::MAX, 5)).unwrap().is_empty());
}

pub(crate) fn odd_and_large_payloads_survive(store: &dyn RunStore) {
    let lease = create(store, "r1");
    let odd = [
        json!(null),
        json!(""),
        json!({"more": true}),
        json!("\u{0}\u{1b}]0;x\u{7}\r\n\u{2028}\u{2029}\u{feff}𝄞"),
        json!({"": {"seq": 7, "v": 9, "type": "run_completed"}}),
        json!("\"}\n{\"seq\":3"),
        json!(1.5e300),
        json!(u64::MAX),
        json!("x".repeat(3 << 20)),
        json!((0..5_000).collect::<Vec<_>>()),
    ];
    let batch: Vec<_> = odd.iter().zip(2..).map(|(output, seq)| output_of(seq, output)).collect();
    append(store, &lease, 1, &batch).unwrap();
    for (event, number) in batch.iter().zip(1..) {
        let read = block_on(store.events(&id("r1"), number, 1)).unwrap();
        assert_eq!(read, std::slice::from_ref(event));
    }
    let texts = ["", "\u{1b}[2J", "{\"number\":9}", "\u{0}"];
    let entries: Vec<_> = texts.iter().zip(1..).map(|(text, number)| entry(number, text)).collect();
    block_on(store.append_output(&lease, &entries)).unwrap();
    assert_eq!(block_on(store.output(&id("r1"), 0, usize::MAX)).unwrap(), entries);
}

pub(crate) fn output_is_numbered_on(store: &dyn RunStore) {
    let run = id("r1");
    let lease = create(store, "r1");
    assert_eq!(block_on(store.last_output(&run)).unwrap(), 0);
    assert!(block_on(store.output(&run, 0, 10)).unwrap().is_empty());
    let entries: Vec<_> = (1..=500).map(|n| entry(n, &format!("line {n}"))).collect();
    for batch in entries.chunks(7) {
        block_on(store.append_output(&lease, batch)).unwrap();
    }
    block_on(store.append_output(&lease, &[])).unwrap();
    for after in [0, 1, 250, 493, 499, 500, 501, u64::MAX] {
        let start = usize::try_from(after.min(500)).unwrap();
        for limit in [0, 1, 6, usize::MAX] {
            let read = block_on(store.output(&run, after, limit)).unwrap();
            assert_eq!(read, entries[start..500.min(start.saturating_add(limit))], "{limit} after {after}");
        }
    }
    block_on(store.release(lease)).unwrap();
    assert_eq!(block_on(store.last_output(&run)).unwrap(), 500);
    let lease = block_on(store.claim(&run)).unwrap();
    assert_eq!(block_on(store.last_output(&run)).unwrap(), 500);
    block_on(store.append_output(&lease, &[entry(501, "on")])).unwrap();
    assert_eq!(block_on(store.output(&run, 499, 9)).unwrap(), [entry(500, "line 500"), entry(501, "on")]);
}

pub(crate) fn output_numbers_grow(store: &dyn RunStore) {
    let lease = create(store, "r1");
    block_on(store.append_output(&lease, &[entry(1, "a"), entry(4, "b")])).unwrap();
    for numbers in [&[4][..], &[5, 5], &[1], &[0]] {
        let entries: Vec<_> = numbers.iter().map(|number| entry(*number, "c")).collect();
        let error = block_on(store.append_output(&lease, &entries)).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{numbers:?}: {error}");
    }
    assert_eq!(block_on(store.last_output(&id("r1"))).unwrap(), 4);
    assert_eq!(block_on(store.output(&id("r1"), 1, 9)).unwrap(), [entry(4, "b")]);
    assert_eq!(block_on(store.output(&id("r1"), 2, 9)).unwrap(), [entry(4, "b")]);
}

pub(crate) fn controls_are_delivered_once_and_in_order(store: &dyn RunStore) {
    let run = id("r1");
    let lease = create(store, "r1");
    assert!(block_on(store.append(&lease, 1, &[started(2)], None)).unwrap().is_empty());
    assert_eq!(block_on(store.request(&run, Control::Pause)).unwrap(), 1);
    assert_eq!(block_on(store.request(&run, Control::Resume)).unwrap(), 2);
    let first = [
        ControlRecord { number: 1, control: Control::Pause },
        ControlRecord { number: 2, control: Control::Resume },
    ];
    // A refused append does not use them up.
    append(store, &lease, 7, &[succeeded(8)]).unwrap_err();
    assert_eq!(block_on(store.append(&lease, 2, &[succeeded(3)], None)).unwrap(), first);
    assert!(block_on(store.append(&lease, 3, &[succeeded(4)], None)).unwrap().is_empty());
    assert_eq!(block_on(store.request(&run, Control::Cancel)).unwrap(), 3);
    let third = ControlRecord { number: 3, control: Control::Cancel };
    assert_eq!(block_on(store.append(&lease, 4, &[], None)).unwrap(), [third.clone()]);
    let all = [first[0].clone(), first[1].clone(), third];
    for after in 0..5 {
        let controls = block_on(store.controls(&run, after)).unwrap();
        assert_eq!(controls, all[usize::try_from(after).unwrap().min(3)..]);
    }
}

pub(crate) fn controls_that_no_event_obeys_are_delivered_to_the_next_holder(store: &dyn RunStore) {
    let run = id("r1");
    let lease = create(store, "r1");
    for control in [Control::Pause, Control::Cancel, Control::Kill] {
        block_on(store.request(&run, control)).unwrap();
    }
    assert_eq!(block_on(store.append(&lease, 1, &[started(2)], None)).unwrap().len(), 3);
    // The driver obeyed the first, and died before it obeyed the others.
    append(store, &lease, 2, &[event(3, EventBody::PauseRequested { control: 1 })]).unwrap();
    block_on(store.release(lease)).unwrap();
    let lease = block_on(store.claim(&run)).unwrap();
    let again: Vec<_> =
        block_on(store.append(&lease, 3, &[succeeded(4)], None)).unwrap().iter().map(|c| c.number).collect();
    assert_eq!(again, [2, 3]);
}

pub(crate) fn a_control_calls_the_watchers(store: &dyn RunStore) {
    create(store, "r1");
    let calls: Arc<Mutex<Vec<RunId>>> = Arc::default();
    let watcher: Watcher = {
        let calls = Arc::clone(&calls);
        // `None` says that it may have been any run: a hint for another watcher.
        Arc::new(move |run| calls.lock().unwrap().extend(run.cloned()))
    };
    let watching = store.watch(watcher);
    block_on(store.request(&id("r1"), Control::Pause)).unwrap();
    assert_eq!(*calls.lock().unwrap(), [id("r1")]);
    drop(watching);
    block_on(store.request(&id("r1"), Control::Resume)).unwrap();
    assert_eq!(*calls.lock().unwrap(), [id("r1")]);
    assert_eq!(Arc::strong_count(&calls), 1, "the watcher is let go");
}

pub(crate) fn runs_are_listed_newest_first_in_pages(store: &dyn RunStore) {
    for (name, age) in [("b", 2), ("a", 2), ("z", 1), ("m", 3)] {
        block_on(store.create(run_of("feature", name, age))).unwrap();
    }
    let list = |after: Option<&str>, limit| {
        let mut filter = RunFilter::all();
        filter.after = after.map(id);
        filter.limit = limit;
        let list = block_on(store.list(&filter)).unwrap();
        list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(list(None, None), "m b a z");
    assert_eq!(list(None, Some(3)), "m b a");
    assert_eq!(list(Some("a"), Some(3)), "z");
    assert_eq!(list(Some("m"), Some(1)), "b");
    assert_eq!(list(Some("z"), None), "");
    assert_eq!(list(None, Some(0)), "");
    let mut filter = RunFilter::all();
    filter.after = Some(id("gone"));
    assert!(matches!(block_on(store.list(&filter)), Err(StoreError::NotFound(_))));
}

pub(crate) fn a_list_is_filtered(store: &dyn RunStore) {
    for (name, workflow, status) in [
        ("r1", "feature", RunStatus::Running),
        ("r2", "other", RunStatus::Paused),
        ("r3", "other", RunStatus::Completed),
        ("r4", "feature", RunStatus::Pending),
    ] {
        let run = run_of(workflow, name, 1);
        let mut head = head(status);
        head.workflow_id = run.head.workflow_id.clone();
        let lease = block_on(store.create(run)).unwrap();
        block_on(store.append(&lease, 1, &[started(2)], Some(&head))).unwrap();
    }
    let list = |filter: &RunFilter| {
        let list = block_on(store.list(filter)).unwrap();
        list.iter().map(|record| record.run_id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(list(&RunFilter::unfinished()), "r4 r2 r1");
    let mut filter = RunFilter::all();
    filter.workflow = Some(run_of("other", "r", 1).head.workflow_id);
    assert_eq!(list(&filter), "r3 r2");
    filter.statuses = vec![RunStatus::Completed];
    assert_eq!(list(&filter), "r3");
    // The page begins after a run that the filter does not let through, too.
    let mut filter = RunFilter::unfinished();
    filter.after = Some(id("r3"));
    filter.limit = Some(1);
    assert_eq!(list(&filter), "r2");
}

pub(crate) fn a_list_tells_who_holds_a_run(store: &dyn RunStore) {
    create(store, "r2");
    let lease = create(store, "r1");
    block_on(store.release(lease)).unwrap();
    let list = block_on(store.list(&RunFilter::all())).unwrap();
    let held: Vec<_> = list.iter().map(|record| record.holder.is_some()).collect();
    assert_eq!(held, [true, false]);
}

pub(crate) fn a_deleted_run_is_gone(store: &dyn RunStore) {
    let run = id("r1");
    let lease = create(store, "r1");
    let error = block_on(store.delete(&run)).unwrap_err();
    assert!(matches!(error, StoreError::Held { .. }), "{error}");
    append(store, &lease, 1, &[started(2)]).unwrap();
    block_on(store.append_output(&lease, &[entry(1, "x")])).unwrap();
    block_on(store.request(&run, Control::Pause)).unwrap();
    block_on(store.release(lease.clone())).unwrap();
    block_on(store.delete(&run)).unwrap();
    let gone = |result: Result<(), StoreError>| assert!(matches!(result, Err(StoreError::NotFound(_))));
    gone(block_on(store.delete(&run)));
    gone(block_on(store.get(&run)).map(drop));
    gone(block_on(store.claim(&run)).map(drop));
    let error = append(store, &lease, 2, &[succeeded(3)]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
    assert!(block_on(store.list(&RunFilter::all())).unwrap().is_empty());
    // Its id is free, and nothing of the old run is left.
    create(store, "r1");
    assert_eq!(events(store, &run), new_run("r1").events);
    assert!(block_on(store.controls(&run, 0)).unwrap().is_empty());
    assert_eq!(block_on(store.last_output(&run)).unwrap(), 0);
}

pub(crate) fn a_bundle_is_shared_by_its_runs(store: &dyn RunStore) {
    create(store, "r1");
    create(store, "r2");
    let run = run_of("other", "r3", 1);
    block_on(store.create(run.clone())).unwrap();
    let read = block_on(store.bundle(&run.head.bundle)).unwrap();
    assert_eq!(read, run.bundle);
    let run = new_run("r1");
    assert_eq!(block_on(store.bundle(&run.head.bundle)).unwrap(), run.bundle);
}

pub(crate) fn what_is_not_there_is_not_found(store: &dyn RunStore) {
    let run = id("r1");
    let results = [
        block_on(store.events(&run, 0, 1)).map(drop),
        block_on(store.output(&run, 0, 1)).map(drop),
        block_on(store.last_output(&run)).map(drop),
        block_on(store.get(&run)).map(drop),
        block_on(store.claim(&run)).map(drop),
        block_on(store.request(&run, Control::Pause)).map(drop),
        block_on(store.controls(&run, 0)).map(drop),
        block_on(store.delete(&run)),
        block_on(store.bundle(&new_run("r1").head.bundle)).map(drop),
    ];
    for (n, result) in results.into_iter().enumerate() {
        assert!(matches!(result, Err(StoreError::NotFound(_))), "call {n}: {result:?}");
    }
    assert!(block_on(store.list(&RunFilter::all())).unwrap().is_empty());
    // A holder of a run that never was is fenced off.
    let error = append(store, &Lease { run, epoch: 1 }, 0, &[]).unwrap_err();
    assert!(matches!(error, StoreError::Fenced(_)), "{error}");
}

pub(crate) fn appends_of_many_runs_do_not_mix(store: &dyn RunStore) {
    std::thread::scope(|scope| {
        for n in 0..8 {
            let store = &store;
            scope.spawn(move || {
                let name = format!("r{n}");
                let lease = create(store, &name);
                for seq in 2..12 {
                    append(store, &lease, seq - 1, &[output_of(seq, &json!({ "run": name, "seq": seq }))])
                        .unwrap();
                }
            });
        }
    });
    for n in 0..8 {
        let name = format!("r{n}");
        let expected: Vec<_> =
            (2..12).map(|seq| output_of(seq, &json!({ "run": name, "seq": seq }))).collect();
        assert_eq!(events(store, &id(&name))[1..], expected);
    }
}
