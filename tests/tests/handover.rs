//! A run that another driver acquires between the release of the former driver and its last look.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_core::store::{
    Control, ControlRecord, ControlRequest, Lease, MemoryStore, NewRun, NoticeClaim, NoticeId, RunFilter,
    RunHead, RunRecord, RunStore, StoreError, Watcher, Watching,
};
use workflow_exec::{Engine, StartRun};
use workflow_tests::sim::Sim;

const WORKFLOW: &str = "
workflow: { name: Two stages, stages: [one, two] }
one: { provider: ann }
two: { provider: ann }
";

/// Answers, and requests a pause during its first call.
#[derive(Default)]
struct Pausing(Mutex<Option<MemoryStore>>);

#[async_trait]
impl Provider for Pausing {
    async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
        let store = self.0.lock().unwrap().take();
        if let Some(store) = store {
            store.request(&request.id.run, Control::Pause.into()).await.unwrap();
        }
        Ok(Reply::text("done"))
    }
}

type Meanwhile = Arc<Mutex<Option<BoxFuture<'static, ()>>>>;

/// A store in which an action happens once, right after a lease was released.
struct Between {
    inner: MemoryStore,
    meanwhile: Meanwhile,
}

#[async_trait]
impl RunStore for Between {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        self.inner.create(run).await
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        self.inner.append(lease, expected, events, head).await
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.inner.append_output(lease, entries).await
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.inner.events(run, after, limit).await
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        self.inner.output(run, after, limit).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.inner.last_output(run).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.inner.get(run).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        self.inner.list(filter).await
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.inner.claim(run).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.inner.release(lease).await?;
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile.await;
        }
        Ok(())
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        self.inner.request(run, request).await
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.inner.controls(run, after).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        self.inner.delete(run).await
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        self.inner.claim_notice(notice, now, until).await
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.inner.settle_notice(notice, attempt, retry_at).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        self.inner.bundle(hash).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.inner.watch(watcher)
    }
}

#[test]
fn who_paused_a_run_sees_what_another_made_of_it() {
    let inner = MemoryStore::new();
    let elsewhere =
        Engine::builder().store(inner.clone()).provider("ann", Pausing::default()).build().unwrap();
    let run = RunId::new("r1").unwrap();
    let resumed = {
        let run = run.clone();
        async move {
            let _ = elsewhere.handle(&run).resume().await.unwrap();
            assert_eq!(elsewhere.drive(&run).await.unwrap().status, RunStatus::Completed);
        }
    };
    let meanwhile: Meanwhile = Arc::new(Mutex::new(Some(Box::pin(resumed))));
    let engine = Engine::builder()
        .store(Between { inner: inner.clone(), meanwhile })
        .provider("ann", Pausing(Mutex::new(Some(inner))))
        .build()
        .unwrap();

    let plan = engine.parse(WORKFLOW, "two-stages").unwrap();
    let view = Sim::new().block_on(engine.run(StartRun::plan(&plan).run_id(run))).unwrap();
    assert_eq!(view.status, RunStatus::Completed);
}
