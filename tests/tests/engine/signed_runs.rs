//! An engine with a key drives only runs that were signed with it, whatever other processes write to its
//! store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::join;
use indexmap::IndexMap;
use serde_json::json;
use workflow_core::actor::Actor;
use workflow_core::data::Data;
use workflow_core::event::{Event, EventBody, RunCreated};
use workflow_core::machine::State;
use workflow_core::provider::Reply;
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{MemoryStore, NewRun, RunHead, RunStore};
use workflow_exec::{Engine, EngineError, Fork, RunKey, StartRun, WorkOptions};
use workflow_providers::FunctionProvider;
use workflow_tests::scenario;
use workflow_tests::sim::Sim;

use crate::host::id;

const KEY: &str = "a key of this house, and of no other";
const OTHER: &str = "a key of another user of the store";

const GOOD: &str = "
workflow: { name: Good, stages: [work] }
work: { provider: tool, prompt: \"good ${vars.what:-}\" }
";
const EVIL: &str = "
workflow: { name: Good, stages: [work] }
work: { provider: tool, prompt: evil }
";

/// A world in which a call counts.
struct World {
    sim: Sim,
    store: MemoryStore,
    calls: Arc<AtomicU32>,
}

impl World {
    fn new() -> Self {
        Self { sim: Sim::new(), store: MemoryStore::new(), calls: Arc::default() }
    }

    fn over(&self, store: &MemoryStore, key: Option<&str>) -> Engine {
        let calls = self.calls.clone();
        let tool = FunctionProvider::from_fn(move |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            Ok(Reply::text("done"))
        });
        let builder = Engine::builder().store(store.clone()).clock(self.sim.clone()).timer(self.sim.clone());
        let builder = builder.provider("tool", tool);
        match key {
            Some(key) => builder.run_key(RunKey::new(key).unwrap()).build().unwrap(),
            None => builder.build().unwrap(),
        }
    }

    fn engine(&self, key: Option<&str>) -> Engine {
        self.over(&self.store, key)
    }

    fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    async fn work(&self, engine: &Engine, seconds: u64) {
        let stop = async {
            self.sim.sleep_ms(seconds * 1_000).await;
            engine.shutdown(Stop::Gracefully).await;
        };
        join(engine.work(WorkOptions::default()), stop).await.0.unwrap();
    }
}

async fn create(engine: &Engine, yaml: &str, run: &str) {
    let plan = engine.parse(yaml, "good").unwrap();
    engine.create(StartRun::plan(&plan).run_id(id(run)).var("what", "work")).await.unwrap();
}

fn refused(result: Result<impl std::fmt::Debug, EngineError>) -> String {
    match result {
        Err(EngineError::NotSigned { problem, .. }) => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_worker_with_a_key_drives_what_is_signed_with_it_and_leaves_the_rest_to_others() {
    let world = World::new();
    world.sim.block_on(async {
        let own = world.engine(Some(KEY));
        create(&world.engine(None), EVIL, "unsigned").await;
        create(&world.engine(Some(OTHER)), EVIL, "others").await;
        create(&own, GOOD, "own").await;
        world.work(&own, 3_000).await;
        assert_eq!(world.calls(), 1);
        assert_eq!(world.store.get(&id("own")).await.unwrap().head.status, RunStatus::Completed);
        for run in ["unsigned", "others"] {
            let record = world.store.get(&id(run)).await.unwrap();
            assert_eq!((record.head.status, record.holder), (RunStatus::Pending, None), "{run}");
            // It was claimed once to be checked, and not again and again.
            let lease = world.store.claim(&id(run)).await.unwrap();
            assert!(lease.epoch < 20, "{lease:?}");
            world.store.release(lease).await.unwrap();
        }
        let engine = world.engine(Some(KEY));
        let problem = refused(engine.drive(&id("unsigned")).await);
        assert_eq!(problem, "its event 1 (run_created) has no signature");
        let problem = refused(engine.drive(&id("others")).await);
        assert_eq!(problem, "its event 1 (run_created) is not signed with this key");
        assert_eq!(world.calls(), 1);
        // An engine with the other key, or without one, is not affected.
        world.work(&world.engine(Some(OTHER)), 60).await;
        assert_eq!(world.store.get(&id("others")).await.unwrap().head.status, RunStatus::Completed);
        world.work(&world.engine(None), 60).await;
        assert_eq!(world.store.get(&id("unsigned")).await.unwrap().head.status, RunStatus::Completed);
    });
}

/// Stores a run as an attacker with access to the store would.
async fn forge(world: &World, run: &str, events: Vec<Event>, bundle: &Engine, yaml: &str) -> MemoryStore {
    let store = MemoryStore::new();
    let plan = bundle.parse(yaml, "good").unwrap();
    let EventBody::RunCreated(created) = &events[0].body else { panic!("{events:?}") };
    // The bundle is stored under the hash that the run names, whatever it contains.
    let head = RunHead { bundle: created.bundle.clone(), ..State::first(&events[0]).unwrap().head() };
    let new = NewRun { id: id(run), bundle: plan.bundle().clone(), events, head };
    let lease = store.create(new).await.unwrap();
    store.release(lease).await.unwrap();
    let result = world.over(&store, Some(KEY)).drive(&id(run)).await;
    assert!(matches!(result, Err(EngineError::NotSigned { .. })), "{result:?}");
    assert_eq!(world.calls(), 0);
    store
}

#[test]
fn what_was_signed_cannot_be_changed() {
    let world = World::new();
    world.sim.block_on(async {
        let own = world.engine(Some(KEY));
        create(&own, GOOD, "r1").await;
        let events = scenario::events(&world.store, &id("r1")).await;
        let EventBody::RunCreated(created) = &events[0].body else { panic!("{events:?}") };
        let with = |change: &dyn Fn(&mut RunCreated)| {
            let mut other = RunCreated::clone(created);
            change(&mut other);
            vec![Event { body: EventBody::RunCreated(Arc::new(other)), ..events[0].clone() }]
        };
        let evil = own.parse(EVIL, "good").unwrap();
        let vars: IndexMap<_, _> = [("what".to_owned(), Data::new(&json!("evil")))].into();
        forge(&world, "r1", with(&|run| run.bundle = evil.hash().clone()), &own, EVIL).await;
        forge(&world, "r1", with(&|run| run.vars = vars.clone()), &own, GOOD).await;
        let labels = || [("owner".to_owned(), "evil".to_owned())].into();
        forge(&world, "r1", with(&|run| run.labels = labels()), &own, GOOD).await;
        forge(&world, "r1", with(&|run| run.isolated = true), &own, GOOD).await;
        forge(&world, "r1", with(&|run| run.seed += 1), &own, GOOD).await;
        forge(&world, "r1", with(&|run| run.by = Some(Actor::new("mallory").into())), &own, GOOD).await;
        forge(&world, "r1", with(&|run| run.signature = None), &own, GOOD).await;
        // As another run, with and without its new id in the event.
        forge(&world, "r2", with(&|_| {}), &own, GOOD).await;
        forge(&world, "r2", with(&|run| run.run = id("r2")), &own, GOOD).await;
        // Another definition under the hash that is signed.
        forge(&world, "r1", with(&|_| {}), &own, EVIL).await;
        assert_eq!(own.drive(&id("r1")).await.unwrap().status, RunStatus::Completed);
    });
}

#[test]
fn a_run_cannot_be_moved_to_a_definition_that_is_not_signed() {
    let world = World::new();
    world.sim.block_on(async {
        let own = world.engine(Some(KEY));
        let evil = own.parse(EVIL, "good").unwrap();
        for (run, key) in [("r1", None), ("r2", Some(OTHER))] {
            create(&own, GOOD, run).await;
            // By an attacker who can write to the store, and has no key or another one.
            let mut state = State::fold(&scenario::events(&world.store, &id(run)).await).unwrap();
            let (hash, bundle) = (evil.hash().clone(), evil.bundle().clone());
            let signature = key.map(|_| "00".repeat(32).into());
            let body = EventBody::RunMigrated { hash, bundle, signature, by: None };
            let event = Event { seq: 2, at: jiff::Timestamp::UNIX_EPOCH, body };
            state.apply(&event).unwrap();
            let lease = world.store.claim(&id(run)).await.unwrap();
            world.store.append(&lease, 1, &[event].into(), Some(&state.head())).await.unwrap();
            world.store.release(lease).await.unwrap();
            let problem = refused(own.drive(&id(run)).await);
            assert!(problem.starts_with("its event 2 (run_migrated)"), "{problem}");
        }
        assert_eq!(world.calls(), 0);
    });
}

#[test]
fn a_fork_is_signed_by_who_makes_it_and_only_of_a_signed_run() {
    let world = World::new();
    world.sim.block_on(async {
        let own = world.engine(Some(KEY));
        create(&world.engine(None), EVIL, "unsigned").await;
        // A person who reruns a run has not read its definition.
        refused(own.fork(Fork::of(id("unsigned")).run_id(id("f0"))).await.map(|_| ()));
        create(&own, GOOD, "r1").await;
        assert_eq!(own.drive(&id("r1")).await.unwrap().status, RunStatus::Completed);
        let newer = own.parse(&GOOD.replace("good $", "better $"), "good").unwrap();
        let fork = Fork::of(id("r1")).run_id(id("f1")).var("what", json!("more"));
        let fork = fork.definition(&newer).by(Actor::new("ann"));
        own.fork(fork).await.unwrap();
        // A fork of a fork has its own signature.
        own.fork(Fork::of(id("f1")).run_id(id("f2"))).await.unwrap();
        for run in ["f1", "f2"] {
            assert_eq!(own.drive(&id(run)).await.unwrap().status, RunStatus::Completed, "{run}");
        }
        assert_eq!(world.calls(), 3);
        // An engine without a key creates runs without a signature, also from signed ones.
        world.engine(None).fork(Fork::of(id("f1")).run_id(id("f3"))).await.unwrap();
        refused(own.drive(&id("f3")).await);
        // The changes of a fork cannot be changed again, nor the definition behind a signed hash.
        let events = scenario::events(&world.store, &id("f1")).await;
        let forge = async |change: &dyn Fn(&mut EventBody)| {
            let mut events = events.clone();
            for event in &mut events {
                change(&mut event.body);
            }
            let state = State::fold(&events).unwrap();
            let store = MemoryStore::new();
            let bundle = world.store.bundle(&state.created().bundle).await.unwrap();
            let head = RunHead { bundle: state.created().bundle.clone(), ..state.head() };
            let new = NewRun { id: id("f1"), bundle, events, head };
            store.release(store.create(new).await.unwrap()).await.unwrap();
            let engine = world.over(&store, Some(KEY));
            refused(engine.drive(&id("f1")).await);
            // A fork with another provider is not a signed run either.
            let fork = Fork::of(id("f1")).run_id(id("f9")).provider("tool");
            refused(engine.fork(fork).await.map(|_| ()));
        };
        let evil = own.parse(EVIL, "good").unwrap();
        let head = events.iter().position(|event| matches!(event.body, EventBody::RunMigrated { .. }));
        assert!(head.is_some(), "{events:?}");
        forge(&|body| {
            if let EventBody::RunForked(forked) = body {
                forked.vars.insert("what".to_owned(), Data::new(&json!("evil")));
            }
        })
        .await;
        forge(&|body| {
            if let EventBody::RunMigrated { bundle, .. } = body {
                *bundle = evil.bundle().clone();
            }
        })
        .await;
        for by in [None, Some(Arc::new(Actor::new("mallory")))] {
            forge(&|body| {
                if let EventBody::RunForked(forked) = body {
                    forked.by.clone_from(&by);
                }
            })
            .await;
            forge(&|body| {
                if let EventBody::RunMigrated { by: who, .. } = body {
                    who.clone_from(&by);
                }
            })
            .await;
        }
        assert_eq!(world.calls(), 3);
    });
}

#[test]
fn starting_a_signed_run_again_with_the_same_inputs_continues_it() {
    let world = World::new();
    world.sim.block_on(async {
        let own = world.engine(Some(KEY));
        create(&own, GOOD, "r1").await;
        create(&own, GOOD, "r1").await;
        let plan = own.parse(GOOD, "good").unwrap();
        let start = StartRun::plan(&plan).run_id(id("r1")).var("what", "work");
        assert_eq!(own.run(start).await.unwrap().status, RunStatus::Completed);
        // A run with that id that another process created is not reused.
        create(&world.engine(None), GOOD, "r2").await;
        let start = StartRun::plan(&plan).run_id(id("r2")).var("what", "work");
        refused(own.run(start).await);
        assert_eq!(world.calls(), 1);
    });
}

#[test]
fn a_key_is_not_short_and_is_not_shown() {
    assert!(RunKey::new("fifteen bytes..").is_err());
    assert_eq!(format!("{:?}", RunKey::new(KEY).unwrap()), "RunKey");
}
