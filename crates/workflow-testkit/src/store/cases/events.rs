//! Appending events, and reading them.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::executor::block_on;
use serde_json::json;
use workflow_core::data::Data;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, StoreError};

use crate::store::Fixture;
use crate::store::runs::{
    append, create, entry, events, head, id, new_run, numbers, output_of, started, succeeded,
};

pub fn events_continue_from_the_expected_number(fixture: &dyn Fixture) {
    let store = &*fixture.open();
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

pub fn misnumbered_events_are_refused(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    for numbers in [&[3][..], &[2, 4], &[2, 2], &[1]] {
        let events: Vec<_> = numbers.iter().map(|number| succeeded(*number)).collect();
        let error = append(store, &lease, 1, &events).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{numbers:?}: {error}");
    }
    let mut run = new_run("r2");
    run.events = vec![succeeded(2)];
    let error = block_on(store.create(run)).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
}

pub fn a_refused_append_leaves_nothing_behind(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    block_on(store.request(&id("r1"), Control::Pause.into())).unwrap();
    let head = head(RunStatus::Running);
    // Its first event would fit, its second does not.
    let torn = [started(2), succeeded(4)].into();
    let error = block_on(store.append(&lease, 1, &torn, Some(&head))).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    let error = block_on(store.append(&lease, 2, &[succeeded(3)].into(), Some(&head))).unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    assert_eq!(events(store, &id("r1")), new_run("r1").events);
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, new_run("r1").head);
    let controls = block_on(store.append(&lease, 1, &[started(2)].into(), None)).unwrap();
    assert_eq!(controls.len(), 1, "the control request was not consumed");
}

pub fn the_head_changes_only_when_given(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    append(store, &lease, 1, &[started(2)]).unwrap();
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, new_run("r1").head);
    let running = head(RunStatus::Running);
    block_on(store.append(&lease, 2, &[succeeded(3)].into(), Some(&running))).unwrap();
    append(store, &lease, 3, &[succeeded(4)]).unwrap();
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().head, running);
}

pub fn one_of_many_appends_wins(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    for last in 1..6 {
        let (start, wins) = (Barrier::new(4), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    match append(store, &lease, last, &[succeeded(last + 1)]) {
                        Ok(()) => _ = wins.fetch_add(1, Ordering::Relaxed),
                        Err(error) => assert!(matches!(error, StoreError::Conflict { .. }), "{error}"),
                    }
                });
            }
        });
        assert_eq!(wins.into_inner(), 1);
    }
    assert_eq!(numbers(&events(store, &id("r1"))), [1, 2, 3, 4, 5, 6]);
}

pub fn events_are_read_from_any_number(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    let mut last = 1;
    for size in [1, 3, 2, 40, 200, 1] {
        let batch: Vec<_> = (last + 1..=last + size).map(succeeded).collect();
        append(store, &lease, last, &batch).unwrap();
        last += size;
    }
    let all = events(store, &id("r1"));
    assert_eq!(numbers(&all), (1..=last).collect::<Vec<_>>());
    for after in [0, 1, 2, 3, 5, 6, 7, 46, 47, 100, last - 1, last, last + 1] {
        for limit in [0, 1, 2, 7, usize::MAX] {
            let read = block_on(store.events(&id("r1"), after, limit)).unwrap();
            let start = usize::try_from(after).unwrap().min(all.len());
            let expected = &all[start..all.len().min(start.saturating_add(limit))];
            assert_eq!(read, expected, "{limit} after {after}");
        }
    }
    assert!(block_on(store.events(&id("r1"), u64::MAX, 5)).unwrap().is_empty());
}

pub fn a_reader_sees_whole_appends_without_gaps(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    let written = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            loop {
                let done = written.load(Ordering::SeqCst);
                let read = numbers(&events(store, &id("r1")));
                let whole: Vec<_> = (1..=read.len() as u64).collect();
                assert_eq!(read, whole);
                assert_eq!(read.len() % 3, 1, "a part of an append was seen");
                if done {
                    return read.len();
                }
            }
        });
        for last in (1..90).step_by(3) {
            let batch = [last + 1, last + 2, last + 3].map(succeeded);
            append(store, &lease, last, &batch).unwrap();
        }
        written.store(true, Ordering::SeqCst);
        assert_eq!(reader.join().unwrap(), 91);
    });
}

pub fn odd_and_large_payloads_survive(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let lease = create(store, "r1");
    let odd = [
        json!(null),
        json!(""),
        json!({"more": true}),
        json!("\u{0}\u{1b}]0;x\u{7}\r\n\u{2028}\u{2029}\u{feff}𝄞"),
        json!({"": {"seq": 7, "v": 9, "type": "run_completed"}}),
        json!("\"}\n{\"seq\":3"),
        json!({"z": 1, "a": [{"b": null}], "Z": {"é": "'; drop table event; --"}}),
        json!(1.5e300),
        // Numbers keep their exact notation.
        Data::parse("[23000000000000000001,1e400,-0.0,-0,1.0,1e2,0.1000]").unwrap().exact_value(),
        json!(u64::MAX),
        json!(i64::MIN),
        json!("x".repeat(3 << 20)),
        json!((0..5_000).collect::<Vec<_>>()),
    ];
    let batch: Vec<_> = odd.iter().zip(2..).map(|(output, seq)| output_of(seq, output)).collect();
    append(store, &lease, 1, &batch).unwrap();
    for (event, number) in batch.iter().zip(1..) {
        let read = block_on(store.events(&id("r1"), number, 1)).unwrap();
        assert_eq!(read, std::slice::from_ref(event));
    }
    let texts = ["", "\u{1b}[2J", "{\"number\":9}", "\u{0}", "𝄞\r\n"];
    let entries: Vec<_> = texts.iter().zip(1..).map(|(text, number)| entry(number, text)).collect();
    block_on(store.append_output(&lease, &entries)).unwrap();
    assert_eq!(block_on(store.output(&id("r1"), 0, usize::MAX)).unwrap(), entries);
    // Ids that a file system or a collation could confuse.
    for name in ["CON", "con", "A-b", "a-B", "_", "-", "0", &"n".repeat(64)] {
        create(store, name);
        assert_eq!(events(store, &id(name)), new_run(name).events);
    }
}

pub fn appends_of_many_runs_do_not_mix(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    std::thread::scope(|scope| {
        for n in 0..8 {
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
