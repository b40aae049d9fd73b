//! A store that does its work when its future is first polled: a simulation must not wait for threads.

use std::sync::Arc;

use async_trait::async_trait;
use futures::executor::block_on;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, RunFilter, RunHead,
    RunRecord, RunStore, StoreError, Watcher, Watchers, Watching,
};

/// Wraps a store that has threads. Its leases need not be renewed, because no real time passes. Clones are
/// the same store.
#[derive(Clone)]
pub struct Inline {
    inner: Arc<dyn RunStore>,
    watchers: Watchers,
}

impl Inline {
    /// Wraps `inner`.
    pub fn new(inner: impl RunStore + 'static) -> Self {
        Self { inner: Arc::new(inner), watchers: Watchers::default() }
    }
}

#[async_trait]
impl RunStore for Inline {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        block_on(self.inner.create(run))
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        block_on(self.inner.append(lease, expected, events, head))
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        block_on(self.inner.append_output(lease, entries))
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        block_on(self.inner.events(run, after, limit))
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        block_on(self.inner.output(run, after, limit))
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        block_on(self.inner.last_output(run))
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        block_on(self.inner.get(run))
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        block_on(self.inner.list(filter))
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        block_on(self.inner.claim(run))
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        block_on(self.inner.claim_next(most, now))
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        block_on(self.inner.claim_within(most, now, limit))
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        block_on(self.inner.release(lease))
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        let number = block_on(self.inner.request(run, request))?;
        self.watchers.call(Some(run));
        Ok(number)
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        block_on(self.inner.controls(run, after))
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        block_on(self.inner.delete(run))
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        block_on(self.inner.prune(ended_before, most))
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        block_on(self.inner.claim_notice(notice, now, until))
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        block_on(self.inner.settle_notice(notice, attempt, retry_at))
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        block_on(self.inner.bundle(hash))
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.watchers.add(watcher)
    }
}
