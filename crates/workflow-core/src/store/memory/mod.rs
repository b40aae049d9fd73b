//! A store that keeps runs in memory.

mod holder;
mod notices;
mod run;
mod slots;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use foldhash::HashMap;
use jiff::Timestamp;

use self::holder::{Holder, Term};
use self::run::Run;
use self::slots::Slots;
use super::order::{check_numbers, check_output, page, run_not_found};
use super::sync::{lock, read, write};
use super::watchers::Watchers;
use super::{
    Control, ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, OutputFilter,
    OutputWindow, Room, RunFilter, RunHead, RunRecord, RunStore, SlotMode, StoreError, Watcher, Watching,
};
use crate::bundle::{Bundle, BundleHash};
use crate::event::Event;
use crate::ids::RunId;
use crate::output::OutputEntry;

/// How much output text of a run is kept unless the host says otherwise.
const OUTPUT_LIMIT: usize = 16 << 20;

/// Keeps runs in memory, as long as the store lives.
///
/// All of its methods are done when they are first polled; they never wait. A run stays until it is
/// [deleted](RunStore::delete), also after it has ended. Of a run's output the newest 16 MiB are kept; an
/// entry of the kind [`Dropped`](crate::output::OutputKind::Dropped) has the number of older entries that
/// were dropped.
///
/// A lease is valid until its holder releases it: there is no other process whose death could end it. A
/// holder that is dropped releases it in its destructor, by polling [`release`](RunStore::release) once.
/// Leases that expire by a clock, and holders that act like separate processes, are for tests: see
/// [`with_leases`](Self::with_leases) and [`another_process`](Self::another_process).
///
/// ```
/// use workflow_core::store::{MemoryStore, RunFilter, RunStore};
///
/// let store = MemoryStore::new();
/// let runs = futures::executor::block_on(store.list(&RunFilter::all()))?;
/// assert!(runs.is_empty());
/// # Ok::<(), workflow_core::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct MemoryStore {
    shared: Arc<Shared>,
    holder: Arc<Holder>,
}

struct Shared {
    runs: RwLock<HashMap<RunId, Box<Mutex<Run>>>>,
    bundles: RwLock<HashMap<BundleHash, Arc<Bundle>>>,
    /// Epochs are numbered for all runs together, so that no two leases have the same epoch.
    epochs: AtomicU64,
    holders: AtomicU64,
    watchers: Watchers,
    /// Locked last.
    slots: Mutex<Slots>,
    output_limit: usize,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::with(OUTPUT_LIMIT, None)
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that keeps about `bytes` of the newest output of each run.
    pub fn with_output_limit(bytes: usize) -> Self {
        Self::with(bytes, None)
    }

    /// An empty store whose leases are valid for `lease_time` by `clock`; within that time they have to be
    /// [renewed](RunStore::renew).
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    /// use std::time::Duration;
    ///
    /// use jiff::Timestamp;
    /// use workflow_core::store::{MemoryStore, RunStore};
    ///
    /// let now = Arc::new(Mutex::new(Timestamp::UNIX_EPOCH));
    /// let clock = { let now = now.clone(); move || *now.lock().unwrap() };
    /// let store = MemoryStore::with_leases(Duration::from_secs(30), clock);
    /// let other = store.another_process();
    /// assert_eq!(other.lease_time(), Some(Duration::from_secs(30)));
    /// ```
    pub fn with_leases(lease_time: Duration, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self::with(OUTPUT_LIMIT, Some(Arc::new(Term { time: lease_time, clock: Arc::new(clock) })))
    }

    fn with(output_limit: usize, term: Option<Arc<Term>>) -> Self {
        let shared = Shared {
            runs: RwLock::default(),
            bundles: RwLock::default(),
            epochs: AtomicU64::new(0),
            holders: AtomicU64::new(1),
            watchers: Watchers::default(),
            slots: Mutex::default(),
            output_limit,
        };
        Self { shared: Arc::new(shared), holder: Arc::new(Holder::new(1, term)) }
    }

    /// The same store as seen by another process: leases belong to the process that claimed them. A clone is
    /// the same process.
    #[must_use]
    pub fn another_process(&self) -> Self {
        let number = self.shared.holders.fetch_add(1, Ordering::Relaxed) + 1;
        let holder = Holder::new(number, self.holder.term().cloned());
        Self { shared: Arc::clone(&self.shared), holder: Arc::new(holder) }
    }

    /// The same store as seen by a host that restarts after a crash: every lease that was given out so far is
    /// fenced off, and every run can be claimed. For tests of crashes.
    #[must_use]
    pub fn reopen(&self) -> Self {
        for run in read(&self.shared.runs).values() {
            lock(run).lose_holder();
        }
        self.another_process()
    }

    fn epoch(&self) -> u64 {
        self.shared.epochs.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn run<T>(&self, id: &RunId, look: impl FnOnce(&mut Run) -> T) -> Result<T, StoreError> {
        let runs = read(&self.shared.runs);
        let run = runs.get(id).ok_or_else(|| run_not_found(id))?;
        Ok(look(&mut lock(run)))
    }

    /// The run of a lease, if the lease is valid.
    fn held<T>(
        &self,
        lease: &Lease,
        change: impl FnOnce(&mut Run) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let runs = read(&self.shared.runs);
        let fenced = || StoreError::Fenced(lease.run.clone());
        let mut run = lock(runs.get(&lease.run).ok_or_else(fenced)?);
        if run.is_held(lease, &self.holder) { change(&mut run) } else { Err(fenced()) }
    }

    /// Gives out the lease of a run that has no holder.
    fn lend(&self, id: &RunId, run: &mut Run) -> Result<Lease, StoreError> {
        if let Some(holder) = run.holder() {
            return Err(StoreError::Held { run: id.clone(), holder: holder.to_string() });
        }
        // The holder's lease may have expired: there is nothing to release then.
        let deaths = run.bury(&self.holder);
        let previous = run.epoch;
        run.lend(&self.holder, self.epoch());
        let behind = self.behind(id, run);
        Ok(Lease { run: id.clone(), epoch: run.epoch, previous, deaths, behind })
    }

    /// The run that has the slot, if this one waits for it.
    fn behind(&self, id: &RunId, run: &Run) -> Option<RunId> {
        run.head.slot.as_ref().and_then(|slot| lock(&self.shared.slots).behind(slot, id))
    }

    /// Takes the slot, or the place in its queue, from a run that is over.
    fn free(&self, id: &RunId, run: &Run) -> Option<RunId> {
        run.head.slot.as_ref().and_then(|slot| lock(&self.shared.slots).remove(slot, id))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("runs", &read(&self.shared.runs).len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl RunStore for MemoryStore {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        check_numbers(&run.id, 0, &run.events)?;
        let mut runs = write(&self.shared.runs);
        if runs.contains_key(&run.id) {
            return Err(StoreError::Exists(run.id));
        }
        let mut replaced = None;
        if let Some(slot) = &run.head.slot {
            let behind = lock(&self.shared.slots).add(slot, &run.id)?;
            replaced = behind.filter(|_| slot.mode == SlotMode::Cancel);
        }
        write(&self.shared.bundles).entry(run.head.bundle.clone()).or_insert(run.bundle);
        let mut new = Run::new(run.head, run.events.into());
        let lease = self.lend(&run.id, &mut new)?;
        runs.insert(run.id, Box::new(Mutex::new(new)));
        if let Some(other) = replaced {
            if let Some(other) = runs.get(&other) {
                lock(other).ask(Control::Cancel.into());
            }
            drop(runs);
            self.shared.watchers.call(Some(&other));
        }
        Ok(lease)
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let (controls, next) = self.held(lease, |run| {
            let actual = run.last_event();
            if actual != expected {
                return Err(StoreError::Conflict { run: lease.run.clone(), expected, actual });
            }
            check_numbers(&lease.run, expected, events)?;
            let ends = head.is_some_and(|head| head.status.is_terminal());
            let only_checks = events.is_empty() && head.is_none();
            if !only_checks
                && !ends
                && let Some(behind) = self.behind(&lease.run, run)
            {
                return Err(StoreError::Queued { run: lease.run.clone(), behind });
            }
            run.add_events(Arc::clone(events));
            if let Some(head) = head {
                run.head = head.clone();
            }
            let next = if ends { self.free(&lease.run, run) } else { None };
            Ok((run.hand_controls(), next))
        })?;
        if let Some(next) = next {
            self.shared.watchers.call(Some(&next));
        }
        Ok(controls)
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        self.held(lease, |run| {
            check_output(&lease.run, run.last_output(), entries)?;
            run.add_output(entries, self.shared.output_limit);
            Ok(())
        })
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.run(run, |run| run.events(after, limit))
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        self.run(run, |run| run.output(after, limit))
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        self.run(run, |run| run.output_window(filter))
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        self.run(run, |run| run.last_output())
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        self.run(run, |state| state.record(run))
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let records = read(&self.shared.runs).iter().map(|(id, run)| lock(run).record(id)).collect();
        page(records, filter)
    }

    async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        let runs = read(&self.shared.runs);
        Ok(runs.iter().filter(|(id, run)| filter.matches(id, &lock(run).head)).count() as u64)
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        self.run(run, |state| self.lend(run, state))?
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let runs = read(&self.shared.runs);
        let mut free: Vec<_> = runs
            .iter()
            .filter_map(|(id, run)| {
                let run = lock(run);
                let is_free =
                    run.head.goes_on(now) && run.holder().is_none() && self.behind(id, &run).is_none();
                is_free.then(|| (run.head.turn(), id))
            })
            .collect();
        free.sort_unstable();
        let lent = free.into_iter().filter_map(|(_, id)| {
            let mut run = lock(runs.get(id)?);
            if run.head.goes_on(now) { self.lend(id, &mut run).ok() } else { None }
        });
        Ok(lent.take(most).collect())
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        // No other claim is carried out meanwhile.
        let runs = write(&self.shared.runs);
        let mut room = Room::new(limit);
        let mut free = Vec::new();
        for (id, run) in runs.iter() {
            let run = lock(run);
            if run.holder().is_some() {
                room.held(&run.head);
            } else if run.head.goes_on(now) && self.behind(id, &run).is_none() {
                free.push((run.head.turn(), id));
            }
        }
        free.sort_unstable();
        let mut leases = Vec::new();
        for (_, id) in free {
            let Some(run) = runs.get(id).filter(|_| leases.len() < most) else { break };
            let mut run = lock(run);
            if room.is_for(&run.head) {
                leases.push(self.lend(id, &mut run)?);
                room.held(&run.head);
            }
        }
        Ok(leases)
    }

    fn lease_time(&self) -> Option<Duration> {
        self.holder.term().map(|term| term.time)
    }

    async fn renew(&self) -> Result<(), StoreError> {
        if self.holder.renew() { Ok(()) } else { Err(StoreError::Expired) }
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let released = self.held(&lease, |run| {
            run.give_back();
            Ok(run.goes_on() && self.behind(&lease.run, run).is_none())
        });
        match released {
            Ok(goes_on) => {
                if goes_on {
                    self.shared.watchers.call(Some(&lease.run));
                }
                Ok(())
            }
            Err(StoreError::Fenced(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        let number = self.run(run, |run| run.ask(request))?;
        self.shared.watchers.call(Some(run));
        Ok(number)
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        self.run(run, |run| {
            let after = usize::try_from(after).unwrap_or(usize::MAX);
            run.controls.get(after..).unwrap_or_default().to_vec()
        })
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        let mut runs = write(&self.shared.runs);
        let state = lock(runs.get(run).ok_or_else(|| run_not_found(run))?);
        if let Some(holder) = state.holder() {
            return Err(StoreError::Held { run: run.clone(), holder: holder.to_string() });
        }
        let next = self.free(run, &state);
        drop(state);
        runs.remove(run);
        drop(runs);
        if let Some(next) = next {
            self.shared.watchers.call(Some(&next));
        }
        Ok(())
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        self.run(&notice.run, |run| run.notices.claim(notice.event, &notice.target, now, until))
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        match self.run(&notice.run, |run| run.notices.settle(notice.event, &notice.target, attempt, retry_at))
        {
            Err(StoreError::NotFound(_)) => Ok(()),
            settled => settled,
        }
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        let bundles = read(&self.shared.bundles);
        bundles.get(hash).cloned().ok_or_else(|| StoreError::NotFound(format!("bundle `{hash}`")))
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.shared.watchers.add(watcher)
    }
}
