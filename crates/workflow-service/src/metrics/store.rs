//! A store that counts what goes through it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, OutputFilter,
    OutputWindow, RunFilter, RunHead, RunRecord, RunStore, StoreError, Watcher, Watching,
};

use super::figures::Figures;

/// In front of the engine's store.
pub(super) struct MeteredStore {
    pub inner: Arc<dyn RunStore>,
    pub figures: Arc<Figures>,
}

impl MeteredStore {
    /// Counts the error of a request, if it failed.
    fn told<T>(&self, operation: &'static str, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &answer {
            self.figures.refused(operation, error);
        }
        answer
    }

    fn granted(
        &self,
        operation: &'static str,
        answer: Result<Lease, StoreError>,
    ) -> Result<Lease, StoreError> {
        if let Ok(lease) = &answer {
            self.figures.granted(std::slice::from_ref(lease));
        }
        self.told(operation, answer)
    }
}

#[async_trait]
impl RunStore for MeteredStore {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        self.granted("create", self.inner.create(run).await)
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let began = Instant::now();
        let answer = self.inner.append(lease, expected, events, head).await;
        match &answer {
            Ok(_) => {
                let starts = events.iter().any(|event| matches!(event.body, EventBody::RunStarted));
                self.figures.appended(events.len(), head, began.elapsed(), starts);
            }
            Err(StoreError::Fenced(_)) => self.figures.left(&lease.run),
            Err(_) => {}
        }
        self.told("append", answer)
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.told("append_output", self.inner.append_output(lease, entries).await)
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.told("read", self.inner.events(run, after, limit).await)
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        self.told("read", self.inner.output(run, after, limit).await)
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        self.told("read", self.inner.output_window(run, filter).await)
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.told("read", self.inner.last_output(run).await)
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.told("read", self.inner.get(run).await)
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        self.told("read", self.inner.list(filter).await)
    }

    async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        self.told("read", self.inner.count(filter).await)
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.granted("claim", self.inner.claim(run).await)
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let answer = self.inner.claim_next(most, now).await;
        if let Ok(leases) = &answer {
            self.figures.granted(leases);
        }
        self.told("claim", answer)
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        let answer = self.inner.claim_within(most, now, limit).await;
        if let Ok(leases) = &answer {
            self.figures.granted(leases);
        }
        self.told("claim", answer)
    }

    fn lease_time(&self) -> Option<Duration> {
        self.inner.lease_time()
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let answer = self.inner.renew().await;
        if answer.is_ok() {
            self.figures.renewed();
        }
        self.told("renew", answer)
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.figures.left(&lease.run);
        self.told("release", self.inner.release(lease).await)
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        self.told("request", self.inner.request(run, request).await)
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.told("read", self.inner.controls(run, after).await)
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        self.told("delete", self.inner.delete(run).await)
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.told("delete", self.inner.prune(ended_before, most).await)
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        self.told("notice", self.inner.claim_notice(notice, now, until).await)
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.told("notice", self.inner.settle_notice(notice, attempt, retry_at).await)
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        self.told("read", self.inner.bundle(hash).await)
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.inner.watch(watcher)
    }
}
