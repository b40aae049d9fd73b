//! Forks: new runs that go on from a point of an old one.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::{Either, select};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::{NodePath, RunId};
use workflow_core::machine::RunView;
use workflow_core::plan::Plan;
use workflow_core::store::MemoryStore;
use workflow_exec::{Engine, Fork, ForkPoint};
use workflow_tests::scenario::{self, Scenario};
use workflow_tests::scripted::Deeds;
use workflow_tests::sim::Sim;
use workflow_tests::{log, rules};

fn text(events: &[Event]) -> Vec<String> {
    events.iter().map(|event| serde_json::to_string(event).unwrap()).collect()
}

/// The nodes that have succeeded.
fn succeeded(events: &[Event]) -> HashSet<&NodePath> {
    let paths = events.iter().filter_map(|event| match &event.body {
        EventBody::AttemptSucceeded { path, .. } => Some(path),
        _ => None,
    });
    paths.collect()
}

/// How many attempts have begun and ended.
fn ended(events: &[Event]) -> u64 {
    let mut open = HashSet::new();
    let mut ended = 0;
    for event in events {
        match &event.body {
            EventBody::AttemptStarted { path, .. } => {
                open.insert(path);
            }
            EventBody::AttemptSucceeded { path, .. }
            | EventBody::AttemptFailed { path, .. }
            | EventBody::AttemptCancelled { path, .. }
            | EventBody::AttemptInterrupted { path, .. } => ended += u64::from(open.remove(path)),
            _ => {}
        }
    }
    ended
}

/// What holds for every fork at an event: `log` is the fork's, and `source` that of the run it was made of.
fn check_fork(source: &[Event], at: usize, log: &[Event], deeds: &Deeds, view: &RunView) {
    let fork = log.iter().position(|event| matches!(event.body, EventBody::RunForked(_))).unwrap();
    let kept = succeeded(&source[..at]);
    assert_eq!(succeeded(&log[..fork]), kept, "every result is taken over");
    for call in deeds.calls().iter().filter(|call| call.id.run == view.run_id) {
        assert!(!kept.contains(&call.id.path), "{} was called again", call.id.path);
    }
    assert_eq!(view.inherited.attempts, ended(&log[..fork]), "what was used before is shown");
    assert_eq!(view.spent.attempts, ended(&log[fork..]), "and not charged");
}

/// Drives a fork to its end. One whose calls never end is cancelled, as its source was.
async fn play(scenario: &Scenario, sim: &Sim, engine: &Engine, fork: &RunId) -> RunView {
    let playing = Box::pin(scenario.play(sim, engine, fork));
    match select(playing, sim.sleep_ms(300_000)).await {
        Either::Left((view, _)) => view.unwrap(),
        Either::Right(((), playing)) => {
            engine.handle(fork).cancel().await.unwrap();
            playing.await.unwrap()
        }
    }
}

/// Workflows that wait for persons and times, and go on in sessions.
const WAITING: [(&str, &str); 5] = [
    (
        "approval",
        "
workflow: { name: Approval, stages: [plan, ship, tell] }
plan: { provider: ann }
ship: { provider: bob, approval: \"Ship ${stages.plan.output}?\" }
tell: { provider: cid, approval: Tell? }
",
    ),
    (
        "question",
        "
workflow: { name: Question, stages: [work] }
work: { provider: ann, profile: asks }
--- # profile work.asks
graph:
  - { id: draft, type: run, prompt: Draft }
  - { id: pick, type: ask, question: Which?, choices: [a, b] }
  - { id: say, type: ask, question: \"And why?\", inputs: [pick] }
  - { id: each, type: foreach, items: [x, y], mode: parallel, run: { type: run, prompt: \"${item}\", approval: \"${item}?\" } }
  - { id: use, type: run, inputs: [pick, say, draft, each], prompt: used, approval: \"Use it?\" }
",
    ),
    (
        "quota",
        "
workflow: { name: Quota, stages: [work, tell] }
work: { provider: ann, with: { ann: [{ fail: rate_limited, until: 60000 }, { reply: done }] } }
tell: { provider: ann }
",
    ),
    (
        "sessions",
        "
workflow:
  name: Sessions
  stages: [work, check]
  loop: { max_iters: 2, stop_when: \"$.done == true\" }
  budget: { cost_usd: 1.0 }
work:
  provider: ann
  session: continue
  on_failure: retry
  retries: 4
  retry_backoff: 1
  with:
    ann@1: { session: s1, usage: { cost_usd: 0.2 } }
    ann@2: [{ usage: { cost_usd: 0.3 }, fail: transient }, { usage: { cost_usd: 0.3 }, fail: transient }, { session: s2 }]
check: { provider: bob, with: { bob: { reply: { done: false } } } }
",
    ),
    (
        "stopped",
        "
#! at 35 cancel
workflow: { name: Stopped, stages: [plan, code] }
plan: { provider: ann }
code:
  mode: parallel
  on_failure: continue
  providers: [{ provider: ann }, { provider: bob }]
  with: { ann: { after: 100, deaf: true, fail: permanent }, bob: { deaf: true, after: 100 } }
",
    ),
];

/// A scenario that was played to its end.
struct Played {
    scenario: Scenario,
    sim: Sim,
    store: MemoryStore,
    deeds: Deeds,
    engine: Engine,
    plan: Arc<Plan>,
    run: RunId,
}

impl Played {
    fn new(scenario: Scenario) -> Self {
        scenario.rewind();
        let (sim, store) = (Sim::new(), MemoryStore::new());
        let deeds = Deeds::new(&sim);
        let engine = scenario.engine(&sim, &deeds, store.clone());
        let (run, plan) = sim.block_on(async {
            let run = scenario.create(&sim, &engine).await;
            scenario.play(&sim, &engine, &run).await.unwrap();
            (run, scenario.plan(&engine).await)
        });
        Self { scenario, sim, store, deeds, engine, plan, run }
    }

    fn named(name: &str) -> Self {
        let text = WAITING.iter().find(|(known, _)| *known == name);
        Self::new(text.map_or_else(|| Scenario::named(name), |(name, text)| Scenario::new(name, text)))
    }

    fn all() -> impl Iterator<Item = Self> {
        let waiting = WAITING.map(|(name, text)| Scenario::new(name, text));
        Scenario::all().into_iter().chain(waiting).map(Self::new)
    }

    fn events(&self, run: &RunId) -> Vec<Event> {
        self.sim.block_on(scenario::events(&self.store, run))
    }

    /// Makes a fork, drives it to its end, and checks its log.
    fn fork(&self, fork: Fork) -> (RunView, Vec<Event>) {
        let view = self.sim.block_on(async {
            let fork = self.engine.fork(fork).await.unwrap().id().clone();
            play(&self.scenario, &self.sim, &self.engine, &fork).await
        });
        let events = self.events(&view.run_id);
        assert!(view.status.is_terminal(), "{}", log::show_events(&events));
        rules::check(self.plan.bundle(), &events);
        (view, events)
    }
}

#[test]
fn a_scenario_goes_on_to_an_end_from_every_event_of_its_run() {
    for played in Played::all() {
        let source = played.events(&played.run);
        for at in 1..=source.len() {
            let fork = Fork::of(played.run.clone()).at(ForkPoint::Event(at as u64));
            let (view, events) = played.fork(fork);
            check_fork(&source, at, &events, &played.deeds, &view);
        }
        assert_eq!(text(&played.events(&played.run)), text(&source), "{}", played.scenario.name);
    }
}
