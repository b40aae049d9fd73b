//! A store that can fail: everything that it is asked returns an error then.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::provider::async_trait;
use workflow_core::store::{
    ControlRecord, ControlRequest, Lease, MemoryStore, NewRun, NoticeClaim, NoticeId, RunFilter, RunHead,
    RunRecord, RunStore, StoreError, Watcher, Watching,
};

#[derive(Clone, Default)]
pub(crate) struct Breakable {
    inner: MemoryStore,
    is_broken: Arc<AtomicBool>,
}

impl Breakable {
    /// Lets all calls fail from now on.
    pub(crate) fn fail(&self) {
        self.is_broken.store(true, Relaxed);
    }

    fn check(&self) -> Result<&MemoryStore, StoreError> {
        if self.is_broken.load(Relaxed) {
            let source = Arc::new(io::Error::other("the cable is cut"));
            return Err(StoreError::Io { place: "the store".to_owned(), source });
        }
        Ok(&self.inner)
    }
}

#[async_trait]
impl RunStore for Breakable {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        self.check()?.create(run).await
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        self.check()?.append(lease, expected, events, head).await
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.check()?.append_output(lease, entries).await
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.check()?.events(run, after, limit).await
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        self.check()?.output(run, after, limit).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.check()?.last_output(run).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.check()?.get(run).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        self.check()?.list(filter).await
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.check()?.claim(run).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.check()?.release(lease).await
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        self.check()?.request(run, request).await
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.check()?.controls(run, after).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        self.check()?.delete(run).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        self.check()?.bundle(hash).await
    }

    async fn claim_notice(
        &self,
        id: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        self.check()?.claim_notice(id, now, until).await
    }

    async fn settle_notice(
        &self,
        id: &NoticeId,
        attempt: u32,
        again: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.check()?.settle_notice(id, attempt, again).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.inner.watch(watcher)
    }
}
