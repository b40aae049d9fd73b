//! Workers that acquire only some of the runs of a store.

use futures::future::join;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::WorkflowId;
use workflow_core::provider::Reply;
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{MemoryStore, RunFilter, RunStore};
use workflow_exec::{Engine, EngineError, StartRun, WorkOptions};
use workflow_providers::FunctionProvider;
use workflow_tests::shelf::Shelf;
use workflow_tests::sim::Sim;

use crate::host::id;

fn yaml(provider: &str, prompt: &str) -> String {
    format!(
        "workflow: {{ name: Some, stages: [work] }}\nwork: {{ provider: {provider:?}, prompt: {prompt} }}\n"
    )
}

fn engine(sim: &Sim, store: &MemoryStore) -> Engine {
    let answers = || FunctionProvider::from_fn(|_| Ok(Reply::text("done")));
    let shelf = Shelf::new(workflow("first"), &yaml("ann", "shelf"), Vec::new());
    let builder = Engine::builder().store(store.clone()).clock(sim.clone()).timer(sim.clone());
    builder.catalog(shelf).provider("ann", answers()).provider("bob", answers()).build().unwrap()
}

fn workflow(name: &str) -> WorkflowId {
    WorkflowId::new(name).unwrap()
}

/// Creates a run.
async fn create(engine: &Engine, run: &str, of: &str, text: &str) {
    let plan = engine.parse(text, of).unwrap();
    engine.create(StartRun::plan(&plan).run_id(id(run)).var("provider", "ann")).await.unwrap();
}

/// Works for a while, and returns the runs that have completed.
async fn work(sim: &Sim, store: &MemoryStore, options: WorkOptions) -> Vec<String> {
    let engine = engine(sim, store);
    let stop = async {
        sim.sleep_ms(600_000).await;
        engine.shutdown(Stop::Gracefully).await;
    };
    join(engine.work(options), stop).await.0.unwrap();
    let mut runs = store.list(&RunFilter::all()).await.unwrap();
    assert!(runs.iter().all(|run| run.holder.is_none()));
    runs.retain(|run| run.head.status == RunStatus::Completed);
    let mut runs: Vec<_> = runs.into_iter().map(|run| run.run_id.to_string()).collect();
    runs.sort();
    runs
}

/// A store with runs of two workflows, two providers, and one with a provider that an expression names.
async fn some(sim: &Sim) -> MemoryStore {
    let store = MemoryStore::new();
    let engine = engine(sim, &store);
    create(&engine, "a1", "first", &yaml("ann", "shelf")).await;
    create(&engine, "a2", "first", &yaml("ann", "edited")).await;
    create(&engine, "b1", "second", &yaml("bob", "other")).await;
    create(&engine, "x1", "second", &yaml("${vars.provider}", "other")).await;
    store
}

#[test]
fn a_worker_takes_the_workflows_the_providers_and_the_definitions_that_it_was_told() {
    let sim = Sim::new();
    sim.block_on(async {
        let mut options = WorkOptions::default();
        options.workflows = vec![workflow("second")];
        assert_eq!(work(&sim, &some(&sim).await, options).await, ["b1", "x1"]);

        let mut options = WorkOptions::default();
        options.providers = vec!["ann".to_owned()];
        let store = some(&sim).await;
        // The result of an expression could be any provider.
        assert_eq!(work(&sim, &store, options).await, ["a1", "a2"]);
        // The others are unchanged, and were not claimed.
        for run in ["b1", "x1"] {
            let record = store.get(&id(run)).await.unwrap();
            assert_eq!(record.head.status, RunStatus::Pending, "{run}");
        }
        assert!(store.claim(&id("b1")).await.unwrap().epoch <= 10, "others are not claimed again and again");

        let mut options = WorkOptions::default();
        options.only_catalog = true;
        assert_eq!(work(&sim, &some(&sim).await, options.clone()).await, ["a1"]);
        options.workflows = vec![workflow("second")];
        assert_eq!(work(&sim, &some(&sim).await, options).await, [""; 0]);
    });
}

#[test]
fn runs_that_a_worker_leaves_to_others_are_not_in_the_way_of_its_own() {
    let sim = Sim::new();
    sim.block_on(async {
        let store = MemoryStore::new();
        let other = engine(&sim, &store);
        for number in 0..20 {
            create(&other, &format!("b{number}"), "second", &yaml("bob", "other")).await;
        }
        create(&other, "z1", "first", &yaml("ann", "shelf")).await;
        let mut options = WorkOptions::default();
        options.runs = 1;
        options.providers = vec!["ann".to_owned()];
        assert_eq!(work(&sim, &store, options).await, ["z1"]);
    });
}

#[test]
fn a_run_whose_list_entry_says_something_else_than_its_log_is_not_taken() {
    let sim = Sim::new();
    sim.block_on(async {
        let store = MemoryStore::new();
        let other = engine(&sim, &store);
        create(&other, "r1", "first", &yaml("ann", "shelf")).await;
        // The log migrates the run to another definition, and the list does not show it.
        let evil = other.parse(&yaml("bob", "evil"), "first").unwrap();
        let (hash, bundle) = (evil.hash().clone(), evil.bundle().clone());
        let body = EventBody::RunMigrated { hash, bundle, signature: None, by: None };
        let event = Event { seq: 2, at: jiff::Timestamp::UNIX_EPOCH, body };
        let lease = store.claim(&id("r1")).await.unwrap();
        store.append(&lease, 1, &[event].into(), None).await.unwrap();
        store.release(lease).await.unwrap();
        for by_catalog in [true, false] {
            let mut options = WorkOptions::default();
            if by_catalog {
                options.only_catalog = true;
            } else {
                options.providers = vec!["ann".to_owned()];
            }
            assert_eq!(work(&sim, &store, options).await, [""; 0]);
        }
        let lease = store.claim(&id("r1")).await.unwrap();
        assert!(lease.epoch <= 10, "looked at once by each worker: {lease:?}");
        store.release(lease).await.unwrap();
        // Driving it by its id ignores the selection.
        let driven: Result<_, EngineError> = other.drive(&id("r1")).await;
        assert_eq!(driven.unwrap().status, RunStatus::Completed);
    });
}
