//! What is found in a store, and when.

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use jiff::Timestamp;
use workflow_core::catalog::{Catalog, Part};
use workflow_core::definition::NoticeKind;
use workflow_core::runs::{Fork, ForkPoint};
use workflow_core::store::{MemoryStore, RunStore as _};
use workflow_exec::{Clock, Engine};
use workflow_service::notify::{Hints, Notifier, NotifierBuilder};
use workflow_store::FsCatalog;

use crate::world::{Echo, Recorder, Running, engine, in_the_end, run};

fn notifier(store: &Arc<MemoryStore>, recorder: &Recorder) -> NotifierBuilder {
    Notifier::builder(store.clone())
        .channel("app", NoticeKind::ALL.iter().copied(), recorder.clone())
        .poll_every(Duration::from_millis(5))
}

/// Waits until the notifier has looked at everything: it is told of one more run.
fn looked(engine: &Engine, recorder: &Recorder, id: &str) -> Vec<String> {
    run(engine, "works", id);
    in_the_end("the last run is told", || {
        recorder.lines().iter().any(|line| line.starts_with(&format!("{id} ")))
    });
    recorder.lines().into_iter().filter(|line| !line.starts_with(&format!("{id} "))).collect()
}

#[test]
fn what_was_told_is_not_told_again_by_the_next_notifier() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(store.clone());
    let recorder = Recorder::default();
    run(&engine, "asks", "r1");
    {
        let _running = Running::new(notifier(&store, &recorder).build());
        assert_eq!(looked(&engine, &recorder, "r2"), ["r1 run.waiting"]);
    }
    run(&engine, "fails", "r3");
    let again = Recorder::default();
    let _running = Running::new(notifier(&store, &again).build());
    assert_eq!(looked(&engine, &again, "r4"), ["r3 run.failed"]);
    // The run continues after its answer: the same run is looked at again.
    let run = "r1".parse().unwrap();
    let view = block_on(engine.handle(&run).view()).unwrap();
    let wait = view.waits[0].number.unwrap();
    let _ = block_on(engine.handle(&run).answer(wait, serde_json::json!({ "approved": true }))).unwrap();
    block_on(engine.drive(&run)).unwrap();
    assert_eq!(looked(&engine, &again, "r5"), ["r1 run.completed", "r3 run.failed", "r4 run.completed"]);
}

#[test]
fn a_fork_is_not_told_what_happened_to_the_run_that_it_was_made_of() {
    let store = Arc::new(MemoryStore::new());
    let engine = engine(store.clone());
    run(&engine, "nears", "r1");
    let from = "r1".parse().unwrap();
    let events = block_on(store.events(&from, 0, usize::MAX)).unwrap();
    let warned = events.iter().find(|event| event.body.kind() == "budget_warning").unwrap().seq;
    let fork = Fork::of(from).at(ForkPoint::Event(warned)).run_id("r2".parse().unwrap());
    let fork = block_on(engine.fork(fork)).unwrap();
    let recorder = Recorder::default();
    let _running = Running::new(notifier(&store, &recorder).build());
    let told = looked(&engine, &recorder, "r9");
    assert_eq!(told, ["r1 run.budget", "r1 run.completed"]);
    block_on(engine.drive(fork.id())).unwrap();
    let told = looked(&engine, &recorder, "r8");
    assert_eq!(told[2..], ["r2 run.completed", "r9 run.completed"], "{told:?}");
}

/// A clock that is ahead of the others.
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.0
    }
}

#[test]
fn what_is_older_than_the_longest_age_is_not_told() {
    let store = Arc::new(MemoryStore::new());
    run(&engine(store.clone()), "asks", "old");
    run(&engine(store.clone()), "fails", "older");
    let two_hours = Duration::from_secs(7_200);
    let later = Engine::builder().store(store.clone()).provider("echo", Echo).clock(Ahead(two_hours));
    let later = later.build().unwrap();
    let recorder = Recorder::default();
    let _running = Running::new(notifier(&store, &recorder).clock(Ahead(two_hours)).build());
    assert_eq!(looked(&later, &recorder, "new"), [""; 0]);
}

#[test]
fn a_hint_of_an_engine_is_followed_at_once() {
    let hints = Hints::default();
    let store = Arc::new(MemoryStore::new());
    let engine =
        Engine::builder().store(store.clone()).provider("echo", Echo).sink(hints.clone()).build().unwrap();
    let recorder = Recorder::default();
    let notifier = Notifier::builder(store)
        .channel("app", [NoticeKind::Completed], recorder.clone())
        // Longer than a test may take.
        .poll_every(Duration::from_secs(86_400))
        .hints(hints)
        .build();
    let _running = Running::new(notifier);
    for id in ["r1", "r2"] {
        looked(&engine, &recorder, id);
    }
}

#[test]
fn targets_are_read_again_when_their_file_changes_and_kept_while_it_has_errors() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("out");
    let catalog: Arc<dyn Catalog> = Arc::new(FsCatalog::open(home.path()).unwrap());
    let store = Arc::new(MemoryStore::new());
    let engine = engine(store.clone());
    let notifier = Notifier::builder(store)
        .catalog(catalog.clone())
        .directory(home.path())
        .poll_every(Duration::from_millis(5))
        .build();
    let _running = Running::new(notifier);
    let text = "targets: { log: { command: [sh, -c, 'cat >> out'], workflows: [works] } }";
    let written = block_on(catalog.put_part(&Part::Notifications, text, None)).unwrap();
    let told = |id: &str| {
        run(&engine, "fails", &format!("{id}-other"));
        run(&engine, "works", id);
        in_the_end("the run is told", || {
            std::fs::read_to_string(&out).is_ok_and(|text| text.contains(&format!("\"{id}\"")))
        });
    };
    told("r1");
    // A file that is written in place is empty for a moment.
    std::fs::write(home.path().join("config/notify.yml"), "targets: [").unwrap();
    told("r2");
    std::fs::write(home.path().join("config/notify.yml"), text).unwrap();
    let empty = block_on(catalog.put_part(&Part::Notifications, "targets: {}", Some(&written.version)));
    assert!(empty.is_ok());
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(!text.contains("other"), "only runs of the workflow are told: {text}");
}
