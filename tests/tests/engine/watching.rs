//! A reader sees all stored events, and no others, at its own pace.

use std::sync::{Arc, Mutex};

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::{OutputEntry, OutputKind};
use workflow_core::provider::Reply;
use workflow_core::sink::EventSink;
use workflow_core::store::RunStore as _;
use workflow_exec::{Fork, ForkPoint};
use workflow_providers::FunctionProvider;

use crate::host::{Host, id};

const TALKS: &str = "
workflow: { name: Talks, stages: [one, two, three] }
one: { provider: ann, with: { ann: { say: 20, every: 1 } } }
two: { providers: [{ provider: ann }, { provider: bob }] }
three: { provider: bob, with: { bob: { say: 20, every: 3 } } }
";

#[test]
fn a_slow_subscriber_misses_nothing_and_delays_no_run() {
    let host = Host::new();
    let (events, output) = host.sim.block_on(async {
        let run = host.engine.start(host.start("r1", TALKS)).await.unwrap();
        let events = run.events(0).then(|event| async {
            host.sim.sleep_ms(500).await;
            event
        });
        let output = run.output(0).then(|entry| async {
            host.sim.sleep_ms(100).await;
            entry
        });
        let all = futures::future::join(events.try_collect::<Vec<_>>(), output.try_collect::<Vec<_>>()).await;
        (all.0.unwrap(), all.1.unwrap())
    });
    assert_eq!(events, host.events("r1"));
    assert!(events.last().unwrap().body.is_terminal());
    let duration = events.last().unwrap().at.duration_since(events[0].at);
    assert_eq!(duration.as_millis(), 20 + 10 + 20 + 60 + 10);
    let texts: Vec<_> = output.iter().map(|entry| entry.text.clone()).collect();
    let expected: Vec<_> =
        ["ann", "bob"].iter().flat_map(|who| (1..=20).map(move |n| format!("{who} {n}"))).collect();
    assert_eq!(texts, expected);
    assert!(output.iter().map(|entry| entry.number).eq(1..=40));
}

#[test]
fn a_reader_continues_from_the_number_it_has() {
    let host = Host::new();
    host.sim.block_on(async {
        host.engine.run(host.start("r1", TALKS)).await.unwrap();
        let handle = host.engine.handle(&id("r1"));
        let all: Vec<_> = handle.events(0).try_collect().await.unwrap();
        for (number, from) in all.iter().enumerate() {
            let rest: Vec<_> = handle.events(from.seq).try_collect().await.unwrap();
            assert_eq!(rest, all[number + 1..]);
        }
        let output: Vec<_> = handle.output(35).try_collect().await.unwrap();
        assert!(output.iter().map(|entry| entry.number).eq(36..=40));
    });
}

#[test]
fn a_run_that_is_driven_elsewhere_can_be_followed() {
    let host = Host::new();
    let other = host.engine_over(host.store.clone());
    host.sim.block_on(async {
        host.engine.start(host.start("r1", TALKS)).await.unwrap();
        let events: Vec<_> = other.handle(&id("r1")).events(0).try_collect().await.unwrap();
        assert!(events.last().unwrap().body.is_terminal());
        assert!(events.iter().map(|event| event.seq).eq(1..=events.len() as u64));
    });
}

/// Compares what it receives with what is stored then.
#[derive(Clone)]
struct Checking {
    store: workflow_core::store::MemoryStore,
    shown: Arc<Mutex<Vec<Event>>>,
    entries: Arc<Mutex<Vec<OutputEntry>>>,
}

impl EventSink for Checking {
    fn events(&self, run: &RunId, events: &[Event]) {
        let after = events[0].seq - 1;
        let stored = self.store.events(run, after, events.len()).now_or_never().unwrap().unwrap();
        assert_eq!(stored, events, "shown before it is stored");
        self.shown.lock().unwrap().extend_from_slice(events);
    }

    fn output(&self, _: &RunId, entries: &[OutputEntry]) {
        self.entries.lock().unwrap().extend_from_slice(entries);
    }
}

#[test]
fn a_sink_is_shown_what_was_stored_in_its_order() {
    let store = workflow_core::store::MemoryStore::new();
    let sink = Checking { store: store.clone(), shown: Arc::default(), entries: Arc::default() };
    let host = Host::with(|builder| builder.store(store.clone()).sink(sink.clone()));
    let host = Host { store, ..host };
    host.sim.block_on(host.engine.run(host.start("r1", TALKS))).unwrap();
    assert_eq!(*sink.shown.lock().unwrap(), host.events("r1"));
    assert_eq!(sink.entries.lock().unwrap().len(), 40);

    // A run that is only created, and a fork.
    sink.shown.lock().unwrap().clear();
    host.sim.block_on(async {
        host.engine.create(host.start("r2", TALKS)).await.unwrap();
        host.engine.create(host.start("r2", TALKS)).await.unwrap();
        host.engine.fork(Fork::of(id("r1")).at(ForkPoint::Event(9)).run_id(id("r3"))).await.unwrap();
    });
    assert_eq!(*sink.shown.lock().unwrap(), [host.events("r2"), host.events("r3")].concat());
}

#[test]
fn more_output_than_can_be_held_is_dropped_with_a_count() {
    let shouts = FunctionProvider::new(|_, context| async move {
        for number in 0..20_000 {
            context.output(OutputKind::Stdout, number.to_string());
        }
        Ok(Reply::default())
    });
    let host = Host::with(|builder| builder.provider("shouts", shouts));
    let yaml = "workflow: { name: Shouts, stages: [shout] }\nshout: { provider: shouts }\n";
    let output = host.sim.block_on(async {
        host.engine.run(host.start("r1", yaml)).await.unwrap();
        host.store.output(&id("r1"), 0, usize::MAX).await.unwrap()
    });
    let (kept, dropped): (Vec<_>, Vec<_>) = output.iter().partition(|entry| entry.kind == OutputKind::Stdout);
    let dropped: usize = dropped.iter().map(|entry| entry.text.parse::<usize>().unwrap()).sum();
    assert!(!kept.is_empty() && dropped > 0);
    assert_eq!(kept.len() + dropped, 20_000);
}

/// Records the order in which a sink receives output and ends of calls.
#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<String>>>);

impl EventSink for Order {
    fn events(&self, _: &RunId, events: &[Event]) {
        let ends = events.iter().filter(|event| event.body.kind().starts_with("attempt_succeeded"));
        self.0.lock().unwrap().extend(ends.map(|_| "end".to_owned()));
    }

    fn output(&self, _: &RunId, entries: &[OutputEntry]) {
        self.0.lock().unwrap().extend(entries.iter().map(|entry| entry.text.clone()));
    }
}

#[test]
fn the_last_output_of_a_call_is_stored_before_its_end() {
    const YAML: &str = "workflow: { name: Last words, stages: [one, two] }\none: { provider: quick }\ntwo: { provider: quick }";
    let quick = FunctionProvider::new(|request, context| async move {
        context.output(OutputKind::Stdout, format!("{} says", request.id.path.stage));
        Ok(Reply::text("done"))
    });
    let order = Order::default();
    let host = Host::with(|builder| builder.provider("quick", quick).sink(order.clone()));
    host.sim.block_on(host.engine.run(host.start("r1", YAML))).unwrap();
    assert_eq!(*order.0.lock().unwrap(), ["one says", "end", "two says", "end"]);
}
