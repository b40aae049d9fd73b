//! Every method of a store, forwarded or with a fault.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, OutputFilter,
    OutputWindow, RunFilter, RunHead, RunRecord, RunStore, StoreError, Watcher, Watching,
};

use super::{FaultStore, WriteKind, unknown};

#[async_trait]
impl RunStore for FaultStore {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        self.write(WriteKind::Create, self.inner.create(run)).await
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let append = async {
            self.sync_output().await?;
            self.inner.append(lease, expected, events, head).await
        };
        self.write(WriteKind::Append, append).await
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.write(WriteKind::Output, self.keep_back(lease, entries)).await
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let read = self.shared.reads.fetch_add(1, Ordering::SeqCst) + 1;
        if self.shared.unreadable.swap(false, Ordering::SeqCst) || (self.shared.fails_to_read)(read) {
            return Err(unknown());
        }
        self.alive().await.events(run, after, limit).await
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        let store = self.alive().await;
        self.sync_output().await?;
        store.output(run, after, limit).await
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        let store = self.alive().await;
        self.sync_output().await?;
        store.output_window(run, filter).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        let store = self.alive().await;
        self.sync_output().await?;
        store.last_output(run).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.alive().await.get(run).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        self.alive().await.list(filter).await
    }

    async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        self.alive().await.count(filter).await
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.write(WriteKind::Claim, self.inner.claim(run)).await
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.write(WriteKind::Claim, self.inner.claim_next(most, now)).await
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        self.write(WriteKind::Claim, self.inner.claim_within(most, now, limit)).await
    }

    fn lease_time(&self) -> Option<Duration> {
        self.inner.lease_time()
    }

    async fn renew(&self) -> Result<(), StoreError> {
        self.write(WriteKind::Renew, self.inner.renew()).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let release = async {
            self.sync_output().await?;
            self.inner.release(lease).await
        };
        self.write(WriteKind::Release, release).await
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        self.write(WriteKind::Request, self.inner.request(run, request)).await
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.alive().await.controls(run, after).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        self.write(WriteKind::Delete, self.inner.delete(run)).await
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.write(WriteKind::Delete, self.inner.prune(ended_before, most)).await
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        self.write(WriteKind::Notice, self.inner.claim_notice(notice, now, until)).await
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.write(WriteKind::Notice, self.inner.settle_notice(notice, attempt, retry_at)).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        self.alive().await.bundle(hash).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        if self.unwatched { Watching::new(()) } else { self.inner.watch(watcher) }
    }
}
