//! Runs and the runs that have started them, where one of them is stopped, deleted or lost.

use std::time::Duration;

use futures::future::{Either, FutureExt as _, select};
use serde_json::json;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::runs::Runs as _;
use workflow_core::status::{RunStatus, Wait, WaitReason};
use workflow_core::store::{Control, MemoryStore, RunFilter, RunHead, RunStore};
use workflow_exec::{Clock as _, Engine, EngineError, StartRun};
use workflow_testkit::fault::{Fault, FaultStore, Write, WriteKind};
use workflow_tests::scenario::{self, Scenario};
use workflow_tests::scripted::Deeds;
use workflow_tests::sim::Sim;

use crate::host::id;

const PARENT: &str = "\
workflow: { name: Parent, stages: [work] }
work: { provider: ann, profile: nested }
--- # profile work.nested
graph:
  - { id: child, type: workflow, workflow: other }
";

const OTHER: &str = "\
--- # workflow other
workflow: { name: Other, stages: [find] }
find: { provider: bob, prompt: Find, with: { bob: { after: 500000 } } }
";

/// A run that waits for another one.
struct World {
    scenario: Scenario,
    sim: Sim,
    deeds: Deeds,
    store: MemoryStore,
}

impl World {
    fn new(text: &str) -> Self {
        let (sim, scenario) = (Sim::new(), Scenario::new("parent", text));
        Self { scenario, deeds: Deeds::new(&sim), store: MemoryStore::new(), sim }
    }

    fn engine(&self) -> Engine {
        self.engine_over(self.store.clone())
    }

    fn engine_over(&self, store: impl RunStore + 'static) -> Engine {
        self.scenario.engine(&self.sim, &self.deeds, store)
    }

    /// A store whose writes have these faults.
    fn faulty(&self, script: impl Fn(Write) -> Fault + Send + Sync + 'static) -> FaultStore {
        let sim = self.sim.clone();
        let sleep = move |time: Duration| {
            let (sim, ms) = (sim.clone(), u64::try_from(time.as_millis()).unwrap());
            async move { sim.sleep_ms(ms).await }.boxed()
        };
        FaultStore::scripted(&self.store, script).timer(sleep)
    }

    async fn start(&self, engine: &Engine) -> StartRun {
        StartRun::plan(&self.scenario.plan(engine).await).run_id(id("parent"))
    }

    /// The run that the parent has started.
    async fn child(&self) -> RunId {
        let events = scenario::events(&self.store, &id("parent")).await;
        let started = events.iter().rev().find_map(|event| match &event.body {
            EventBody::ChildStarted(child) => Some(child.run.clone()),
            _ => None,
        });
        started.expect("a node has started a run")
    }

    /// Adds events to a run that no process drives, or changes its head.
    async fn append(&self, run: &RunId, bodies: Vec<EventBody>, change: impl FnOnce(&mut RunHead)) {
        let mut events = scenario::events(&self.store, run).await;
        let last = events.len() as u64;
        let at = self.sim.now();
        let new: Vec<_> = (last + 1..).zip(bodies).map(|(seq, body)| Event { seq, at, body }).collect();
        events.extend(new.iter().cloned());
        let mut state = State::first(&events[0]).unwrap();
        events[1..].iter().for_each(|event| state.apply(event).unwrap());
        let mut head = state.head();
        change(&mut head);
        let lease = self.store.claim(run).await.unwrap();
        self.store.append(&lease, last, &new.into(), Some(&head)).await.unwrap();
        self.store.release(lease).await.unwrap();
    }
}

#[test]
fn a_run_that_is_being_created_is_stopped_with_the_one_that_starts_it() {
    for kill in [false, true] {
        let world = World::new(&format!("{PARENT}{OTHER}"));
        let created_late = |write: Write| match (write.kind, write.of_its_kind) {
            (WriteKind::Create, 2) => Fault::Delay(Duration::from_secs(10)),
            _ => Fault::None,
        };
        let engine = world.engine_over(world.faulty(created_late));
        world.sim.block_on(async {
            let run = engine.start(world.start(&engine).await).await.unwrap();
            world.sim.sleep_ms(1_000).await;
            let how = if kill { Control::Kill } else { Control::Cancel };
            let _ = run.control(how).await.unwrap();
            let view = run.wait().await.unwrap();
            assert_eq!(view.status, RunStatus::Cancelled);
            let child = world.store.get(&world.child().await).await.unwrap();
            assert_eq!((child.head.status, child.holder), (RunStatus::Cancelled, None), "kill: {kill}");
        });
    }
}

#[test]
fn a_run_that_nothing_waits_for_when_it_is_first_driven_is_cancelled() {
    for deleted in [false, true] {
        let mut world = World::new(&format!("{PARENT}{OTHER}"));
        let dies = |write: Write| match (write.kind, write.of_its_kind) {
            (WriteKind::Create, 2) => Fault::DieAfter,
            _ => Fault::None,
        };
        world.sim.clone().block_on(async {
            let store = world.faulty(dies);
            let engine = world.engine_over(store.clone());
            let started =
                Box::pin(async { engine.start(world.start(&engine).await).await.unwrap().wait().await });
            let Either::Right(_) = select(started, Box::pin(store.death())).await else {
                panic!("the process dies")
            };
            world.sim.drop_tasks();
            world.store = world.store.reopen();
            // As if the process that created it had been suspended in between.
            if deleted {
                world.store.delete(&id("parent")).await.unwrap();
            } else {
                let ended = |head: &mut RunHead| head.status = RunStatus::Cancelled;
                world.append(&id("parent"), Vec::new(), ended).await;
            }
            let mut all = world.store.list(&RunFilter::unfinished()).await.unwrap();
            let child = all.pop().unwrap().run_id;
            let view = world.engine().drive(&child).await.unwrap();
            assert_eq!((view.status, all.len()), (RunStatus::Cancelled, 0));
        });
        assert!(world.deeds.calls().is_empty());
    }
}

#[test]
fn a_run_is_known_to_belong_to_another_one_where_its_head_does_not_say_so() {
    let asks = "\
--- # workflow other
workflow: { name: Other, stages: [find] }
find: { provider: bob, approval: Yes? }
";
    let world = World::new(&format!("{PARENT}{asks}"));
    let engine = world.engine();
    world.sim.block_on(async {
        let run = engine.start(world.start(&engine).await).await.unwrap();
        world.sim.sleep_ms(5_000).await;
        let child = world.child().await;
        // Versions before 0.1.0-5 write such heads.
        world.append(&child, Vec::new(), |head| head.parent = None).await;
        world.sim.sleep_ms(7_200_000).await;
        let view = run.view().await.unwrap();
        assert_eq!(view.wait.map(|wait| wait.reason), Some(WaitReason::Child));
        let handle = engine.handle(&child);
        let number = handle.view().await.unwrap().wait.unwrap().number.unwrap();
        let _ = handle.answer(number, true).await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_run_that_was_seen_and_deleted_is_not_created_again() {
    let asks = "\
--- # workflow other
workflow: { name: Other, stages: [find] }
find: { provider: bob, approval: Yes? }
";
    let long = "  - { id: long, type: run, provider: ann, with: { ann: { after: 100000 } } }\n";
    let world = World::new(&format!("{PARENT}{long}{asks}"));
    let engine = world.engine();
    world.sim.block_on(async {
        let run = engine.start(world.start(&engine).await).await.unwrap();
        world.sim.sleep_ms(20_000).await;
        // The run that has started it does not rest meanwhile.
        assert_eq!(run.status().await.unwrap(), RunStatus::Running);
        let child = world.child().await;
        engine.delete(&child).await.unwrap();
        let view = run.wait().await.unwrap();
        let message = view.error.unwrap().message.clone();
        assert_eq!(message, format!("child: run `{child}` was deleted before its end was known"));
        assert_eq!(world.store.list(&RunFilter::all()).await.unwrap().len(), 1);
    });
}

#[test]
fn a_run_that_was_never_created_is_created_after_crashes() {
    let mut world = World::new(&format!("{PARENT}{OTHER}"));
    let dies = |write: Write| match (write.kind, write.of_its_kind) {
        (WriteKind::Create, 2) => Fault::DieBefore,
        _ => Fault::None,
    };
    world.sim.clone().block_on(async {
        let store = world.faulty(dies);
        let engine = world.engine_over(store.clone());
        let started =
            Box::pin(async { engine.start(world.start(&engine).await).await.unwrap().wait().await });
        let Either::Right(_) = select(started, Box::pin(store.death())).await else {
            panic!("the process dies")
        };
        world.sim.drop_tasks();
        world.store = world.store.reopen();
        let waiting = EventBody::RunWaiting { wait: Box::new(Wait::after_crashes(5)) };
        world.append(&id("parent"), vec![waiting], |_| {}).await;
        let run = world.engine().handle(&id("parent"));
        let _ = run.resume().await.unwrap();
        let view = run.wait().await.unwrap();
        assert_eq!(view.output("work").unwrap().value(), json!("bob(Find)"));
    });
}

#[test]
fn a_run_is_not_deleted_while_one_that_it_belongs_to_needs_it() {
    let two = format!(
        "{PARENT}  - {{ id: last, type: ask, question: Which?, after: child }}\n{}",
        OTHER.replace("500000", "100000")
    );
    let world = World::new(&two);
    let engine = world.engine();
    let linked = |deleted: Result<(), EngineError>| match deleted {
        Err(EngineError::Linked { runs, .. }) => runs,
        other => panic!("{other:?}"),
    };
    world.sim.block_on(async {
        let run = engine.start(world.start(&engine).await).await.unwrap();
        world.sim.sleep_ms(5_000).await;
        let child = world.child().await;
        // It waits, and no process drives it.
        assert_eq!(world.store.get(run.id()).await.unwrap().holder, None);
        assert_eq!(linked(engine.delete(run.id()).await), std::slice::from_ref(&child));
        world.sim.sleep_ms(200_000).await;
        assert_eq!(engine.handle(&child).status().await.unwrap(), RunStatus::Completed);
        assert_eq!(linked(engine.delete(&child).await), std::slice::from_ref(run.id()));
        let number = run.view().await.unwrap().wait.unwrap().number.unwrap();
        let _ = run.answer(number, "this").await.unwrap();
        assert_eq!(run.wait().await.unwrap().status, RunStatus::Completed);
        engine.delete(&child).await.unwrap();
        engine.delete(run.id()).await.unwrap();
    });
}

#[test]
fn an_engine_that_drains_leaves_a_run_that_waits_for_its_slot() {
    let text = "\
workflow: { name: Parent, stages: [work], concurrency: { key: shop } }
work: { provider: bob, with: { bob: { after: 500000 } } }
";
    let world = World::new(text);
    let (first, second) = (world.engine(), world.engine());
    world.sim.block_on(async {
        let plan = world.scenario.plan(&first).await;
        first.start(StartRun::plan(&plan).run_id(id("r1"))).await.unwrap();
        world.sim.sleep_ms(100).await;
        second.start(StartRun::plan(&plan).run_id(id("r2"))).await.unwrap();
        world.sim.sleep_ms(100).await;
        let Either::Left(_) = select(Box::pin(second.drain()), world.sim.sleep_ms(10_000)).await else {
            panic!("no call is under way, but it waits")
        };
        assert_eq!(first.drive(&id("r2")).await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_run_is_not_moved_to_another_definition_of_what_its_stage_runs() {
    let mut world = World::new(&format!("{PARENT}{OTHER}"));
    let engine = world.engine();
    world.sim.clone().block_on(async {
        let run = engine.start(world.start(&engine).await).await.unwrap();
        world.sim.sleep_ms(5_000).await;
        world.scenario = Scenario::new("parent", &format!("{PARENT}{}", OTHER.replace("Find", "Search")));
        let newer = world.engine();
        let planned = newer.plan_migration(run.id()).await.unwrap();
        assert_eq!(planned.diverges, ["work: the workflow `other`, which it runs, changed"]);
        assert_eq!(
            planned.obstacles,
            ["the stage `work` is under way and is different in the newer definition"]
        );
    });
}
