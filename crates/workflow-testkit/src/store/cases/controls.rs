//! Control requests, and the watchers that are notified of them.

use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::event::EventBody;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::{Answer, Control, ControlRecord, Watcher};

use crate::store::Fixture;
use crate::store::runs::{append, create, create_free, event, id, in_the_end, started, succeeded};

pub fn controls_are_delivered_once_and_in_order(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let run = id("r1");
    let lease = create(store, "r1");
    assert!(block_on(store.append(&lease, 1, &[started(2)].into(), None)).unwrap().is_empty());
    assert_eq!(block_on(store.request(&run, Control::Pause.into())).unwrap(), 1);
    assert_eq!(block_on(store.request(&run, Control::Resume.into())).unwrap(), 2);
    let first = [ControlRecord::new(1, Control::Pause), ControlRecord::new(2, Control::Resume)];
    assert_eq!(block_on(store.append(&lease, 2, &[succeeded(3)].into(), None)).unwrap(), first);
    assert!(block_on(store.append(&lease, 3, &[succeeded(4)].into(), None)).unwrap().is_empty());
    assert_eq!(block_on(store.request(&run, Control::Cancel.into())).unwrap(), 3);
    let third = ControlRecord::new(3, Control::Cancel);
    let all = [first[0].clone(), first[1].clone(), third];
    assert_eq!(block_on(store.append(&lease, 4, &[].into(), None)).unwrap(), all[2..]);
    for after in 0..5 {
        let controls = block_on(store.controls(&run, after)).unwrap();
        assert_eq!(controls, all[usize::try_from(after).unwrap().min(3)..]);
    }
}

pub fn a_control_tells_who_sent_it(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let run = id("r1");
    let lease = create(store, "r1");
    let answer = Answer { wait: 2, value: Data::parse(r#"{"n":1.50,"control":"pause"}"#).unwrap() };
    let requests = [
        Control::Pause.by(Actor::new("u-1").name("Ana \u{1b}[31m\u{202e}\"ü\"").via("http")),
        Control::Resume.into(),
        Control::Answer(answer.clone()).by(Actor::new("u-2")),
        Control::Answer(answer).into(),
    ];
    for (number, request) in (1..).zip(&requests) {
        assert_eq!(block_on(store.request(&run, request.clone())).unwrap(), number);
    }
    let all: Vec<_> =
        (1..).zip(requests).map(|(number, request)| ControlRecord::new(number, request)).collect();
    assert_eq!(block_on(store.append(&lease, 1, &[started(2)].into(), None)).unwrap(), all);
    for after in 0..4 {
        let controls = block_on(store.controls(&run, after)).unwrap();
        assert_eq!(controls, all[usize::try_from(after).unwrap()..]);
    }
}

pub fn controls_that_no_event_obeys_are_delivered_to_the_next_holder(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    let run = id("r1");
    let lease = create(store, "r1");
    for control in [Control::Pause, Control::Cancel, Control::Kill] {
        block_on(store.request(&run, control.into())).unwrap();
    }
    assert_eq!(block_on(store.append(&lease, 1, &[started(2)].into(), None)).unwrap().len(), 3);
    // The driver applied the first, and died before it applied the others.
    append(store, &lease, 2, &[event(3, EventBody::PauseRequested { control: 1, by: None })]).unwrap();
    block_on(store.release(lease)).unwrap();
    let lease = block_on(store.claim(&run)).unwrap();
    let again: Vec<_> = block_on(store.append(&lease, 3, &[succeeded(4)].into(), None))
        .unwrap()
        .iter()
        .map(|c| c.number)
        .collect();
    assert_eq!(again, [2, 3]);
}

pub fn a_control_is_recorded_while_no_process_drives(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create_free(store, "r1", RunStatus::Paused);
    create_free(store, "r2", RunStatus::Paused);
    assert_eq!(block_on(store.request(&id("r1"), Control::Resume.into())).unwrap(), 1);
    assert_eq!(block_on(store.request(&id("r2"), Control::Cancel.into())).unwrap(), 1);
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    let given = block_on(store.append(&lease, 2, &[].into(), None)).unwrap();
    assert_eq!(given, [ControlRecord::new(1, Control::Resume)]);
}

/// The notifications of the watchers of a store: a run, or `None` for any run.
type Calls = Arc<Mutex<Vec<Option<RunId>>>>;

fn watcher() -> (Calls, Watcher) {
    let calls = Calls::default();
    let told = Arc::clone(&calls);
    (calls, Arc::new(move |run| told.lock().unwrap().push(run.cloned())))
}

pub fn a_control_calls_the_watchers(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    create(store, "r1");
    let (calls, watcher) = watcher();
    let named = || calls.lock().unwrap().iter().flatten().cloned().collect::<Vec<_>>();
    let watching = store.watch(watcher);
    block_on(store.request(&id("r1"), Control::Pause.into())).unwrap();
    // `None` is a hint for another watcher.
    assert_eq!(named(), [id("r1")]);
    drop(watching);
    block_on(store.request(&id("r1"), Control::Resume.into())).unwrap();
    assert_eq!(named(), [id("r1")]);
    // A notification in progress may keep it for a moment.
    let weak = Arc::downgrade(&calls);
    drop(calls);
    in_the_end("the watcher is dropped", || weak.upgrade().is_none());
}

pub fn a_run_that_can_be_claimed_calls_the_watchers(fixture: &dyn Fixture) {
    let store = &*fixture.open();
    for (name, status) in [("r1", RunStatus::Pending), ("r2", RunStatus::Running)] {
        let (calls, watcher) = watcher();
        let _watching = store.watch(watcher);
        create_free(store, name, status);
        let told = || calls.lock().unwrap().iter().any(|run| run.as_ref().is_none_or(|run| *run == id(name)));
        in_the_end("a watcher is notified that the run can be claimed", told);
    }
}
