//! Stores with a defect, which a simulation must find.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, MemoryStore, NewRun, NoticeClaim, NoticeId, RunFilter,
    RunHead, RunRecord, RunStore, StoreError, Watcher, Watching,
};

use super::disk::{Condition, Disk};
use crate::reference::chance::Chance;

/// The defect of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// It accepts writes of a fenced engine if the number is right.
    IgnoresTheEpoch,
    /// It acknowledges one of five appends without storing it.
    LosesAnAppend,
    /// Every second `claim_next` gives out a run that may be held.
    HandsOutTwice,
    /// The failure of a call that panicked is not stored, and the panic propagates through the driver of its
    /// run.
    LosesPanics,
    /// A run whose lease expired cannot be claimed by its former holder, although no other process has it.
    RefusesFormerHolders,
    /// On a full disk it acknowledges events that it does not store, as if its files were deleted.
    IgnoresAFullDisk,
    /// Output after the disk was full is dropped without a report.
    DropsOutputAfterFull,
    /// Both senders of two contradicting answers are told that theirs was accepted.
    HidesRefusals,
    /// One of five control requests is stored without its sender.
    LosesSenders,
    /// A control request is stored with the sender of the one before it.
    SwapsSenders,
    /// Runs with the same key do not wait for each other.
    IgnoresSlots,
}

/// The last holder of each run, for all processes of a store.
pub type Registry = Arc<Mutex<HashMap<RunId, (MemoryStore, Lease)>>>;

/// A store with a defect.
pub struct Planted {
    inner: MemoryStore,
    defect: Defect,
    registry: Registry,
    disk: Disk,
    chance: Mutex<Chance>,
    /// The runs that it holds.
    own: Mutex<HashSet<RunId>>,
    /// The runs that it held when its leases expired.
    lost: Mutex<HashSet<RunId>>,
}

impl Planted {
    /// The store of a process, with a defect if there is to be one.
    pub fn beside(
        inner: MemoryStore,
        defect: Option<Defect>,
        registry: &Registry,
        disk: &Disk,
        (seed, process): (u64, u64),
    ) -> Arc<dyn RunStore> {
        let Some(defect) = defect else { return Arc::new(inner) };
        let chance = Mutex::new(Chance::of(seed, &format!("planted {process}")));
        let (registry, disk) = (registry.clone(), disk.clone());
        let (own, lost) = (Mutex::default(), Mutex::default());
        Arc::new(Self { inner, defect, registry, disk, chance, own, lost })
    }

    fn has(&self, defect: Defect, one_in: usize) -> bool {
        self.defect == defect && self.chance.lock().unwrap().below(one_in) == 0
    }

    fn lent(&self, lease: &Lease) {
        self.own.lock().unwrap().insert(lease.run.clone());
        self.registry.lock().unwrap().insert(lease.run.clone(), (self.inner.clone(), lease.clone()));
    }

    fn holder(&self, run: &RunId) -> Option<(MemoryStore, Lease)> {
        self.registry.lock().unwrap().get(run).cloned()
    }
}

#[async_trait]
impl RunStore for Planted {
    async fn create(&self, mut run: NewRun) -> Result<Lease, StoreError> {
        if self.defect == Defect::IgnoresSlots {
            run.head.slot = None;
        }
        let lease = self.inner.create(run).await?;
        self.lent(&lease);
        Ok(lease)
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let is_panic = |event: &Event| match &event.body {
            EventBody::AttemptFailed { error, .. } => error.message.contains("panicked"),
            _ => false,
        };
        if self.defect == Defect::LosesPanics && events.iter().any(is_panic) {
            resume_unwind(Box::new("trouble"));
        }
        let is_full = self.disk.now().0 == Condition::Full;
        if self.has(Defect::LosesAnAppend, 5) || (self.defect == Defect::IgnoresAFullDisk && is_full) {
            return Ok(Vec::new());
        }
        let answer = self.inner.append(lease, expected, events, head).await;
        if !matches!(answer, Err(StoreError::Fenced(_))) || self.defect != Defect::IgnoresTheEpoch {
            return answer;
        }
        // With the lease of the current holder, if there is one.
        match self.inner.claim(&lease.run).await {
            Ok(free) => {
                let answer = self.inner.append(&free, expected, events, head).await;
                self.inner.release(free).await?;
                answer
            }
            Err(_) => match self.holder(&lease.run) {
                Some((store, held)) => store.append(&held, expected, events, head).await,
                None => answer,
            },
        }
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        if self.defect == Defect::DropsOutputAfterFull && self.disk.was_full() {
            return Ok(());
        }
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
        if self.lost.lock().unwrap().remove(run) {
            return Err(StoreError::Held { run: run.clone(), holder: "nobody".to_owned() });
        }
        let lease = self.inner.claim(run).await?;
        self.lent(&lease);
        Ok(lease)
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        if self.has(Defect::HandsOutTwice, 2) {
            let mut runs: Vec<_> = self.registry.lock().unwrap().keys().cloned().collect();
            runs.sort();
            let run = self.chance.lock().unwrap().below(runs.len());
            if let Some((store, held)) = runs.get(run).and_then(|run| self.holder(run)) {
                store.release(held).await?;
            }
        }
        let leases = self.inner.claim_next(most, now).await?;
        for lease in &leases {
            self.lent(lease);
        }
        Ok(leases)
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        let leases = self.inner.claim_within(most, now, limit).await?;
        for lease in &leases {
            self.lent(lease);
        }
        Ok(leases)
    }

    fn lease_time(&self) -> Option<Duration> {
        self.inner.lease_time()
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let answer = self.inner.renew().await;
        if self.defect == Defect::RefusesFormerHolders && matches!(answer, Err(StoreError::Expired)) {
            self.lost.lock().unwrap().extend(self.own.lock().unwrap().drain());
        }
        answer
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        if self.defect == Defect::RefusesFormerHolders {
            self.own.lock().unwrap().remove(&lease.run);
        }
        self.inner.release(lease).await
    }

    async fn request(&self, run: &RunId, mut request: ControlRequest) -> Result<u64, StoreError> {
        if self.has(Defect::LosesSenders, 5) {
            request.by = None;
        } else if self.defect == Defect::SwapsSenders
            && let Some(before) = self.inner.controls(run, 0).await?.pop()
        {
            request.by = before.by;
        }
        self.inner.request(run, request).await
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
