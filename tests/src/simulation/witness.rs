//! A store that records every response in the journal.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, RunFilter, RunHead,
    RunRecord, RunStore, StoreError, Watcher, Watching,
};

use super::disk::Disk;
use super::journal::Journal;

/// In front of the store of a process, behind all faults of the connection.
pub struct Witness {
    inner: Arc<dyn RunStore>,
    journal: Journal,
    process: u64,
    disk: Disk,
}

impl Witness {
    /// Records the responses of `inner` to the process with that number.
    pub fn new(inner: Arc<dyn RunStore>, journal: &Journal, process: u64, disk: &Disk) -> Self {
        Self { inner, journal: journal.clone(), process, disk: disk.clone() }
    }
}

#[async_trait]
impl RunStore for Witness {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        let events = run.events.clone();
        self.disk.write().await?;
        let lease = self.inner.create(run).await?;
        self.journal.entries().created(self.process, &lease, events);
        Ok(lease)
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        self.disk.write().await?;
        let answer = self.inner.append(lease, expected, events, head).await;
        let mut journal = self.journal.entries();
        match &answer {
            Ok(_) => journal.appended(self.process, lease, expected, events),
            Err(StoreError::Fenced(_)) => journal.counts.fenced += 1,
            Err(_) => {}
        }
        answer
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.disk.write().await?;
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
        self.disk.write().await?;
        let lease = self.inner.claim(run).await?;
        self.journal.entries().granted(self.process, &lease);
        Ok(lease)
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.disk.write().await?;
        let leases = self.inner.claim_next(most, now).await?;
        let mut journal = self.journal.entries();
        for lease in &leases {
            journal.granted(self.process, lease);
        }
        Ok(leases)
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        self.disk.write().await?;
        let leases = self.inner.claim_within(most, now, limit).await?;
        let mut journal = self.journal.entries();
        for lease in &leases {
            journal.granted(self.process, lease);
        }
        Ok(leases)
    }

    fn lease_time(&self) -> Option<Duration> {
        self.inner.lease_time()
    }

    async fn renew(&self) -> Result<(), StoreError> {
        self.disk.write().await?;
        let answer = self.inner.renew().await;
        let mut journal = self.journal.entries();
        match &answer {
            Ok(()) => journal.renewed(self.process),
            Err(StoreError::Expired) => {
                journal.expired(self.process);
            }
            Err(_) => {}
        }
        answer
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let answer = self.inner.release(lease.clone()).await;
        if answer.is_ok() {
            self.journal.entries().released(self.process, &lease);
        }
        answer
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        self.disk.write().await?;
        let answer = self.inner.request(run, request.clone()).await;
        if let Ok(number) = &answer {
            self.journal.entries().requested(run, *number, request);
        }
        answer
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.inner.controls(run, after).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        self.inner.delete(run).await
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.inner.prune(ended_before, most).await
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
