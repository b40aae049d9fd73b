//! The trait of run stores.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::bundle::{Bundle, BundleHash};
use crate::event::Event;
use crate::ids::RunId;
use crate::output::OutputEntry;
use crate::status::RunStatus;
use crate::store::control::{ControlRecord, ControlRequest};
use crate::store::error::StoreError;
use crate::store::filter::RunFilter;
use crate::store::limit::{LabelLimit, Room};
use crate::store::notice::{NoticeClaim, NoticeId};
use crate::store::output_filter::{OutputFilter, OutputWindow};
use crate::store::record::{Lease, NewRun, RunHead, RunRecord};
use crate::store::watchers::{Watcher, Watching};
use crate::store::window::WindowScan;

/// Keeps runs: their events, output, heads, controls and bundles.
///
/// The rules that every implementation keeps:
///
/// - What a method has acknowledged survives a crash of the host, unless the store says that it is
///   in memory only. Output entries may be lost in a crash; events never.
/// - Events of a run are numbered from 1 without gaps; `append` is atomic and conditional.
/// - At most one [`Lease`] of a run is valid at a time. A holder that died does not keep it.
/// - Dropping a future of this trait leaves either all of its effect or none; a lease whose future was
///   dropped is released.
/// - A store whose [leases expire](RunStore::lease_time) uses one clock for all processes, and its append
///   checks the lease and stores the events in one step: a driver that was presumed dead and then resumes
///   cannot write anything.
/// - No method blocks the thread that polls it: the futures of all runs of an engine, with the calls of their
///   providers, may share that thread. Work that blocks (files, a database without an async client) belongs
///   on threads of the store. A future that is no longer polled holds nothing that other calls wait for: an
///   engine polls an append between other work, and drops futures of runs that are cancelled.
/// - Of all runs with the same key ([`RunSlot`](super::RunSlot)), whatever process created them, one has the slot. A run is
///   created with its place among them in one step, and the append that ends it, or its deletion, gives the slot to the next
///   in the same step.
/// - Epochs of a run's leases never repeat, also when the run is deleted and another is created with its id:
///   an earlier holder must not be mistaken for the holder of the new run.
///
/// ```
/// use workflow_core::store::{RunFilter, RunStore, StoreError};
///
/// /// How many runs have not ended, in any store.
/// async fn unfinished(store: &dyn RunStore) -> Result<usize, StoreError> {
///     Ok(store.list(&RunFilter::unfinished()).await?.len())
/// }
/// ```
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Stores a new run with its first event, and claims it for the caller.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] when there is a run of that id. The caller compares the runs. [`StoreError::Busy`] when another
    /// run has the [slot](super::RunSlot) and the new one does not wait for it.
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError>;

    /// Adds `events`, the first of which has the number `expected + 1`, to the run that `lease` holds, and
    /// replaces its head where one is given. Returns the controls that this lease has not received yet, in
    /// order; a new lease begins after the last control that an event obeys. Without events and head it only
    /// checks whether the lease is valid. The events are shared: a store keeps them, or passes them to another
    /// thread, without a copy.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] when the lease is no longer valid; [`StoreError::Conflict`] when the run's last
    /// event has another number; [`StoreError::Queued`] when the run waits for its [slot](super::RunSlot) and does not end
    /// with it. Nothing was stored then. After [`StoreError::Io`] the outcome is unknown: read the events back.
    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError>;

    /// Adds output entries. Their numbers grow from the last one stored; those of entries that
    /// were dropped may be left out.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] as for [`append`](RunStore::append); [`StoreError::Conflict`] when
    /// the numbers do not grow. Nothing was stored then. After [`StoreError::Io`] the outcome is not known: the
    /// caller looks at [`last_output`](RunStore::last_output) before it tries again, and a store that could not
    /// write takes the same entries later.
    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError>;

    /// Reads up to `limit` events with numbers above `after`, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// Reads up to `limit` output entries with numbers above `after`, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError>;

    /// Reads a window of the output: the entries that `filter` selects, from the end that it names, and how many there are
    /// of them if that is asked for. [`OutputFilter::matches`] says which are selected. The newest entries without further
    /// conditions are read without reading the older ones.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        read_window(self, run, filter).await
    }

    /// The number of the last output entry stored; 0 when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError>;

    /// The run's head and its current holder.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError>;

    /// Runs that `filter` selects, the newest first. [`RunFilter::matches`] says which these are; `limit` counts no others.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] when the run to list after no longer exists; [`StoreError::Corrupt`] or
    /// [`StoreError::Io`].
    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError>;

    /// How many runs `filter` selects; its `after` and `limit` do not matter.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        let all = RunFilter { after: None, limit: None, ..filter.clone() };
        Ok(self.list(&all).await?.len() as u64)
    }

    /// Claims the lease of a run.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] when a living holder has it; [`StoreError::NotFound`].
    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError>;

    /// Claims the leases of up to `most` runs that can continue at the time `now` and that no process drives:
    /// those without a live holder that are pending or running and do not wait for a later time
    /// ([`Wait::until`](crate::status::Wait::until)), and those that are paused until a time that is due. Runs that wait for
    /// their slot are left out. Several callers get different runs.
    ///
    /// Runs of the highest [priority](RunHead::priority) come first; of those, the ones whose time is due, by that time; then the
    /// oldest ([`RunHead::turn`]). With several callers at once the order is approximate.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] or [`StoreError::Io`]. Runs that were claimed before the error are released.
    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        claim_one_by_one(self, most, now, None).await
    }

    /// The same, but leaves out runs of which as many with the same value of a label are held as the limit says: the next in
    /// order are claimed in their place. All runs with a living holder count, whoever claimed them. Of several callers with the
    /// same limit, in any process, no two exceed it together: where more than one process uses a store, it counts and claims in
    /// one step, as the default implementation does not.
    ///
    /// # Errors
    ///
    /// As [`claim_next`](RunStore::claim_next).
    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        claim_one_by_one(self, most, now, Some(limit)).await
    }

    /// How long a lease is valid after it was given out or [renewed](RunStore::renew). `None`: until it is
    /// released or its holder's process has ended, and nothing has to be renewed.
    fn lease_time(&self) -> Option<Duration> {
        None
    }

    /// Renews every lease that was given out through this store and not released: one heartbeat, however many
    /// runs are held.
    ///
    /// # Errors
    ///
    /// [`StoreError::Expired`] when they had expired already: none of them is valid any more, and the runs
    /// may be driven elsewhere. The runs that no other process has claimed can be claimed again after it.
    /// [`StoreError::Io`]: the outcome is unknown.
    async fn renew(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Releases a lease. A lease that is no longer valid can be released too. The release starts at the first
    /// poll and completes by itself, so that a destructor can poll it once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    async fn release(&self, lease: Lease) -> Result<(), StoreError>;

    /// Records a control request for the driver of the run, with who sends it, and returns its number.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] or [`StoreError::Io`].
    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError>;

    /// The controls of a run with numbers above `after`, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError>;

    /// Deletes a run that no process drives, with everything that belongs to it alone. Its id is free then;
    /// leases of the deleted run stay fenced off from a new run with that id, so the counter of epochs
    /// outlives the run, or an append compares more than the epoch.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] when a living holder has it; [`StoreError::NotFound`].
    async fn delete(&self, run: &RunId) -> Result<(), StoreError>;

    /// Deletes up to `most` of the runs that ended before that time, the oldest first, and returns how many
    /// it deleted: retention, in steps that do not block other work.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] or [`StoreError::Io`]; what was deleted before it stays deleted.
    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        delete_one_by_one(self, ended_before, most).await
    }

    /// Claims the notice of an event for a target until `until`, unless it is settled, or another claim is valid
    /// at the time `now`. Of several callers, in any process, one gets the claim. The store does not look at
    /// the event.
    ///
    /// The times are those of the callers. If their clocks differ by more than a claim is valid for, one can
    /// end early.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError>;

    /// Ends the claim of a notice that was the try `attempt`. Without `retry_at` the notice is settled for good,
    /// whatever became of the claim: it was delivered, or is given up. Otherwise it can be claimed again from
    /// that time, unless another try has begun since. A notice that was never claimed is left as it is, like
    /// one whose run was deleted: a run is deleted with its notices.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError>;

    /// The bundle of that hash.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError>;

    /// Calls `watcher` whenever a control was requested, by this process or another, and, where the store can
    /// tell, when there is a run that [`claim_next`](RunStore::claim_next) would return; at most once for
    /// several that arrive together. The watcher must not block. It is called until the returned value is
    /// dropped. A call is a hint: the watcher reads again.
    fn watch(&self, watcher: Watcher) -> Watching;
}

/// How many numbers of output entries are read at a time, at first and at most.
const PAGES: (u64, u64) = (256, 8_192);

/// Reads the output page by page, from the end that the filter names.
async fn read_window<S: RunStore + ?Sized>(
    store: &S,
    run: &RunId,
    filter: &OutputFilter,
) -> Result<OutputWindow, StoreError> {
    let mut scan = WindowScan::new(filter);
    let (mut after, mut before) = scan.range();
    let (mut size, most) = PAGES;
    let last = store.last_output(run).await?;
    before = before.min(last.saturating_add(1));
    while !scan.is_done() && after.saturating_add(1) < before {
        let limit = usize::try_from(size).unwrap_or(usize::MAX);
        if scan.is_backwards() {
            let from = before.saturating_sub(size + 1).max(after);
            let page = store.output(run, from, limit).await?;
            for entry in page.iter().rev().filter(|entry| entry.number < before) {
                scan.add(entry);
            }
            before = from + 1;
        } else {
            let page = store.output(run, after, limit).await?;
            let Some(read) = page.last() else { break };
            for entry in &page {
                scan.add(entry);
            }
            after = read.number;
        }
        size = (size * 2).min(most);
    }
    Ok(scan.finish())
}

/// Lists what could be claimed, and tries one after the other.
async fn claim_one_by_one<S: RunStore + ?Sized>(
    store: &S,
    most: usize,
    now: Timestamp,
    limit: Option<&LabelLimit>,
) -> Result<Vec<Lease>, StoreError> {
    let mut runs = store.list(&RunFilter::unfinished()).await?;
    let mut room = limit.map(Room::new);
    if let Some(room) = &mut room {
        runs.iter().filter(|run| run.holder.is_some()).for_each(|run| room.held(&run.head));
    }
    runs.retain(|run| run.holder.is_none() && run.head.goes_on(now));
    runs.sort_by_cached_key(|run| run.head.turn());
    let mut leases = Vec::new();
    for run in runs {
        if leases.len() >= most {
            break;
        }
        if room.as_ref().is_some_and(|room| !room.is_for(&run.head)) {
            continue;
        }
        match store.claim(&run.run_id).await {
            Ok(lease) if lease.behind.is_none() => {
                leases.push(lease);
                if let Some(room) = &mut room {
                    room.held(&run.head);
                }
            }
            // It waits for its slot.
            Ok(lease) => store.release(lease).await?,
            // Another process has claimed it.
            Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
            Err(error) => {
                for lease in leases {
                    // The first error is returned.
                    let _ = store.release(lease).await;
                }
                return Err(error);
            }
        }
    }
    Ok(leases)
}

/// Lists what has ended, and deletes one after the other.
async fn delete_one_by_one<S: RunStore + ?Sized>(
    store: &S,
    ended_before: Timestamp,
    most: usize,
) -> Result<usize, StoreError> {
    let mut filter = RunFilter::all();
    filter.statuses = vec![RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled];
    let mut runs = store.list(&filter).await?;
    runs.retain(|run| run.head.completed_at.is_some_and(|ended| ended < ended_before));
    runs.sort_unstable_by_key(|run| run.head.completed_at);
    let mut deleted = 0;
    for run in runs {
        if deleted >= most {
            break;
        }
        match store.delete(&run.run_id).await {
            Ok(()) => deleted += 1,
            // Another process drives it, or has deleted it.
            Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(deleted)
}
