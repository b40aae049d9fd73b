//! A run that kills every worker that acquires it, before anything is recorded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use futures::future::{Either, pending, select};
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::{RunStatus, WaitReason};
use workflow_core::stop::Stop;
use workflow_core::store::{MemoryStore, RunFilter, RunStore};
use workflow_exec::{Engine, StartRun, WorkOptions};
use workflow_tests::sim::Sim;
use workflow_tests::{rules, scenario};

use crate::host::id;

const YAML: &str = "
workflow: { name: Deadly, stages: [work] }
work: { provider: tool }
";

/// While it is deadly, reclaiming a call of the run `deadly` kills the process.
#[derive(Clone, Default)]
struct Tool {
    is_deadly: Arc<AtomicBool>,
    deaths: Arc<AtomicU32>,
    calls: Arc<AtomicU32>,
}

#[async_trait]
impl Provider for Tool {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if request.id.run == id("deadly") && self.is_deadly.load(Ordering::SeqCst) {
            self.deaths.fetch_add(1, Ordering::SeqCst);
            pending::<()>().await;
        }
        Ok(Reply::text("done"))
    }

    async fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        if call.run == id("deadly") && self.is_deadly.load(Ordering::SeqCst) {
            self.deaths.fetch_add(1, Ordering::SeqCst);
            pending::<()>().await;
        }
        Ok(())
    }
}

fn engine(sim: &Sim, store: &MemoryStore, tool: &Tool) -> Engine {
    let builder = Engine::builder().store(store.clone()).clock(sim.clone()).timer(sim.clone());
    builder.provider("tool", tool.clone()).build().unwrap()
}

/// A worker in a separate process, until that dies or the time is over. Returns whether it died.
async fn work(sim: &Sim, store: &mut MemoryStore, tool: &Tool, ms: u64) -> bool {
    let engine = engine(sim, store, tool);
    let before = tool.deaths.load(Ordering::SeqCst);
    let until = Box::pin(async {
        for _ in 0..ms {
            if tool.deaths.load(Ordering::SeqCst) > before {
                return true;
            }
            sim.sleep_ms(1).await;
        }
        engine.shutdown(Stop::Gracefully).await;
        false
    });
    let working = Box::pin(engine.work(WorkOptions::default()));
    match select(working, until).await {
        Either::Left((ended, until)) => {
            ended.unwrap();
            until.await
        }
        Either::Right((died, working)) => {
            // The dropped future cannot release its leases: the process died.
            *store = store.reopen();
            drop(working);
            died
        }
    }
}

#[test]
fn a_run_that_ends_every_worker_waits_for_a_person_and_takes_no_other_run_with_it() {
    for seed in 0..20 {
        let (sim, mut store, tool) = (Sim::seeded(seed), MemoryStore::new(), Tool::default());
        sim.block_on(async {
            let first = engine(&sim, &store, &tool);
            let plan = first.parse(YAML, "deadly").unwrap();
            let names = ["deadly", "r1", "r2", "r3"];
            for run in names {
                first.create(StartRun::plan(&plan).run_id(id(run))).await.unwrap();
            }
            tool.is_deadly.store(true, Ordering::SeqCst);
            // New runs are created meanwhile.
            let mut workers = 0;
            while work(&sim, &mut store, &tool, 20_000).await {
                workers += 1;
                assert!(workers <= 6, "seed {seed}: a run that kills its workers is left to a person");
                let new = format!("n{workers}");
                let (run, other) = (StartRun::plan(&plan).run_id(id(&new)), engine(&sim, &store, &tool));
                other.create(run).await.unwrap();
            }
            // The first one died in a call, and the others before they recorded anything.
            assert_eq!(workers, 5, "seed {seed}");
            for run in store.list(&RunFilter::all()).await.unwrap() {
                let is_deadly = run.run_id == id("deadly");
                let expected = if is_deadly { RunStatus::Paused } else { RunStatus::Completed };
                assert_eq!(run.head.status, expected, "seed {seed}: {}", run.run_id);
            }
            let wait = store.get(&id("deadly")).await.unwrap().head.wait.unwrap();
            assert_eq!((wait.reason, wait.until, wait.number), (WaitReason::Crashes, None, None));
            assert!(wait.question.as_ref().unwrap().contains("ended 5 times in a row"), "{wait:?}");
            // No other worker acquires it, and a person who resumes it finds its state unchanged.
            assert!(!work(&sim, &mut store, &tool, 50_000).await);
            tool.is_deadly.store(false, Ordering::SeqCst);
            let last = engine(&sim, &store, &tool);
            let _ = last.handle(&id("deadly")).resume().await.unwrap().accepted().unwrap();
            let view = last.drive(&id("deadly")).await.unwrap();
            assert_eq!((view.status, view.wait), (RunStatus::Completed, None));
            for run in names {
                let events = scenario::events(&store, &id(run)).await;
                rules::check(plan.bundle(), &events);
            }
        });
    }
}

#[test]
fn a_run_that_was_left_to_a_person_can_be_cancelled_and_resumed_only_once() {
    let (sim, mut store, tool) = (Sim::new(), MemoryStore::new(), Tool::default());
    sim.block_on(async {
        let first = engine(&sim, &store, &tool);
        let plan = first.parse(YAML, "deadly").unwrap();
        first.create(StartRun::plan(&plan).run_id(id("deadly"))).await.unwrap();
        tool.is_deadly.store(true, Ordering::SeqCst);
        while work(&sim, &mut store, &tool, 20_000).await {}
        tool.is_deadly.store(false, Ordering::SeqCst);
        // Driving it without a request changes nothing.
        let engine = engine(&sim, &store, &tool);
        let view = engine.drive(&id("deadly")).await.unwrap();
        assert_eq!((view.status, view.wait.unwrap().reason), (RunStatus::Paused, WaitReason::Crashes));
        let _ = engine.handle(&id("deadly")).cancel().await.unwrap().accepted().unwrap();
        let view = engine.handle(&id("deadly")).view().await.unwrap();
        assert_eq!(view.status, RunStatus::Cancelled);
        assert!(engine.handle(&id("deadly")).resume().await.unwrap().refusal().is_some());
        let events = scenario::events(&store, &id("deadly")).await;
        rules::check(plan.bundle(), &events);
    });
}

#[test]
fn workers_that_shut_down_in_order_do_not_count_as_deaths() {
    let (sim, mut store, tool) = (Sim::new(), MemoryStore::new(), Tool::default());
    sim.block_on(async {
        let first = engine(&sim, &store, &tool);
        let plan = first.parse(YAML, "deadly").unwrap();
        first.create(StartRun::plan(&plan).run_id(id("r1"))).await.unwrap();
        for _ in 0..9 {
            // It holds the run and stores nothing.
            let lease = store.claim(&id("r1")).await.unwrap();
            assert_eq!(lease.deaths, 0);
            store.release(lease).await.unwrap();
        }
        assert!(!work(&sim, &mut store, &tool, 5_000).await);
        assert_eq!(store.get(&id("r1")).await.unwrap().head.status, RunStatus::Completed);
    });
}
