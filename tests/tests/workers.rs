//! Engines that share the runs of one store.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::{Either, join, join_all, select};
use workflow_core::ids::RunId;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{MemoryStore, RunFilter, RunStore};
use workflow_exec::{Engine, StartRun, WorkOptions};
use workflow_tests::scenario;
use workflow_tests::sim::Sim;

const WORKFLOW: &str = "
workflow: { name: Three stages, stages: [one, two, three] }
one: { provider: counter }
two: { provider: counter }
three: { provider: counter }
";

/// For each run and node, the engines that called it.
type Calls = BTreeMap<(RunId, String), Vec<&'static str>>;

/// Takes ten milliseconds for a call, and records which engine made it.
#[derive(Clone)]
struct Counter {
    sim: Sim,
    engine: &'static str,
    calls: Arc<Mutex<Calls>>,
    /// How many reclaims of a dead host's calls fail, and the times of the attempts.
    unreclaimed: Arc<AtomicU32>,
    tries: Arc<Mutex<Vec<jiff::Timestamp>>>,
}

impl Counter {
    fn new(sim: &Sim) -> Self {
        let (calls, unreclaimed, tries) = Default::default();
        Self { sim: sim.clone(), engine: "", calls, unreclaimed, tries }
    }
}

#[async_trait]
impl Provider for Counter {
    async fn call(&self, request: CallRequest, context: CallContext) -> Result<Reply, ProviderError> {
        let CallId { run, path, .. } = request.id;
        self.calls.lock().unwrap().entry((run, path.to_string())).or_default().push(self.engine);
        let stop = Box::pin(context.stop().wait(Stop::Gracefully));
        match select(self.sim.sleep_ms(10), stop).await {
            Either::Left(_) => Ok(Reply::text("done")),
            Either::Right(_) => Err(ProviderError::cancelled()),
        }
    }

    async fn reclaim(&self, _: &CallId) -> Result<(), ProviderError> {
        use workflow_exec::Clock as _;
        self.tries.lock().unwrap().push(self.sim.now());
        let left = self.unreclaimed.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
        if left.is_ok() { Err(ProviderError::permanent("it still lives")) } else { Ok(()) }
    }
}

fn engine(sim: &Sim, store: &MemoryStore, counter: &Counter, name: &'static str) -> Engine {
    let counter = Counter { engine: name, ..counter.clone() };
    let builder = Engine::builder().store(store.clone()).clock(sim.clone()).timer(sim.clone());
    builder.spawner(sim.clone()).provider("counter", counter).build().unwrap()
}

async fn create(engine: &Engine, count: usize) {
    let plan = engine.parse(WORKFLOW, "three").unwrap();
    for number in 0..count {
        engine.create(StartRun::plan(&plan).run_id(id(number))).await.unwrap();
    }
}

fn id(number: usize) -> RunId {
    RunId::new(format!("r{number}")).unwrap()
}

async fn completed(store: &MemoryStore) -> usize {
    let runs = store.list(&RunFilter::all()).await.unwrap();
    runs.iter().filter(|run| run.head.status == RunStatus::Completed).count()
}

/// Waits until this many runs have completed.
async fn until_completed(sim: &Sim, store: &MemoryStore, count: usize) {
    while completed(store).await < count {
        sim.sleep_ms(5).await;
    }
}

#[test]
fn workers_share_the_runs_that_no_process_drives() {
    for seed in 0..20 {
        let (sim, store) = (Sim::seeded(seed), MemoryStore::new());
        let counter = Counter::new(&sim);
        let engines = ["a", "b", "c"].map(|name| engine(&sim, &store, &counter, name));
        sim.block_on(async {
            create(&engines[0], 30).await;
            let mut options = WorkOptions::default();
            options.runs = 4;
            let working = join_all(engines.iter().map(|engine| engine.work(options.clone())));
            let stop = async {
                until_completed(&sim, &store, 30).await;
                join_all(engines.iter().map(|engine| engine.shutdown(Stop::Gracefully))).await;
            };
            let (ended, ()) = join(working, stop).await;
            assert!(ended.iter().all(Result::is_ok));
        });
        let calls = counter.calls.lock().unwrap();
        assert_eq!(calls.len(), 90);
        assert!(calls.values().all(|by| by.len() == 1), "seed {seed}: each call is made once");
        for engine in ["a", "b", "c"] {
            assert!(calls.values().any(|by| by[0] == engine), "seed {seed}: {engine} has its share");
        }
    }
}

#[test]
fn a_worker_hands_its_runs_over_when_it_shuts_down() {
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let counter = Counter::new(&sim);
    let [a, b] = ["a", "b"].map(|name| engine(&sim, &store, &counter, name));
    sim.block_on(async {
        create(&a, 10).await;
        let stop = async {
            sim.sleep_ms(15).await;
            a.shutdown(Stop::Gracefully).await;
        };
        let (ended, ()) = join(a.work(WorkOptions::default()), stop).await;
        ended.unwrap();
        assert_eq!(completed(&store).await, 0);
        assert!(store.list(&RunFilter::all()).await.unwrap().iter().all(|run| run.holder.is_none()));
        let stop = async {
            until_completed(&sim, &store, 10).await;
            b.shutdown(Stop::Gracefully).await;
        };
        join(b.work(WorkOptions::default()), stop).await.0.unwrap();
    });
    let calls = counter.calls.lock().unwrap();
    for number in 0..10 {
        let of = |stage: &str| calls[&(id(number), format!("1/{stage}[0]/run"))].clone();
        // The second was interrupted, and recorded as such.
        assert_eq!([of("one"), of("two"), of("three")], [vec!["a"], vec!["a", "b"], vec!["b"]]);
    }
}

#[test]
fn a_run_that_cannot_be_driven_is_tried_again_later_and_later() {
    let (sim, store) = (Sim::new(), MemoryStore::new());
    let counter = Counter::new(&sim);
    let host = engine(&sim, &store, &counter, "dead");
    sim.block_on(async {
        create(&host, 1).await;
        let run = id(0);
        let driving = Box::pin(host.drive(&run));
        let Either::Right(_) = select(driving, sim.sleep_ms(5)).await else { panic!("it has ended") };
        counter.unreclaimed.store(4, Ordering::SeqCst);
        let worker = engine(&sim, &store, &counter, "worker");
        let stop = async {
            until_completed(&sim, &store, 1).await;
            worker.shutdown(Stop::Gracefully).await;
        };
        join(worker.work(WorkOptions::default()), stop).await.0.unwrap();
        let events = scenario::events(&store, &id(0)).await;
        let interrupted = events.iter().filter(|event| event.body.kind() == "attempt_interrupted").count();
        assert_eq!(interrupted, 1, "nothing is recorded of tries in vain");
    });
    let tries = counter.tries.lock().unwrap();
    let pauses: Vec<_> = tries.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect();
    assert_eq!(pauses, [1, 2, 4, 8]);
}
