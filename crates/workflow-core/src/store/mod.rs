//! The trait of what keeps runs: run stores.

mod claim_next;
mod memory;
pub mod order;
mod prune;
mod sync;
mod watchers;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::bundle::{Bundle, BundleHash};
use crate::data::Data;
use crate::event::Event;
use crate::failure::Failure;
use crate::ids::{RunId, WorkflowId};
use crate::output::OutputEntry;
use crate::status::{RunStatus, Wait};

pub use memory::MemoryStore;
pub use watchers::Watchers;

/// Keeps runs: their events, output, heads, controls and bundles.
///
/// The rules that every implementation keeps:
///
/// - What a method has acknowledged survives a crash of the host, unless the store says that it is
///   in memory only. Output entries may be lost in a crash; events never.
/// - Events of a run are numbered from 1 without gaps; `append` is atomic and conditional.
/// - At most one [`Lease`] of a run is good at a time. A holder that died does not keep it.
/// - Dropping a future of this trait leaves either all of its effect or none; a lease that nobody
///   waits for any more is given back.
/// - A store whose [leases run out](RunStore::lease_time) tells the time by one clock for all who use
///   it, and has an append check the lease and store the events in one step: who was taken for dead and
///   wakes up writes nothing.
/// - No method blocks the thread that polls it: the futures of all runs of an engine, with the calls of their
///   providers, may share that thread. Work that blocks (files, a database without an async client) belongs on
///   threads of the store. A future that is not polled any more holds nothing that other calls wait for: an engine
///   polls an append between other work, and drops futures of runs that are cancelled.
/// - Epochs of a run's leases never repeat, also when the run is deleted and another is created with its id: a holder
///   from before must not pass for that of the new run.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Stores a new run with its first event, and claims it for the caller.
    ///
    /// # Errors
    ///
    /// [`StoreError::Exists`] when there is a run of that id. The caller compares.
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError>;

    /// Adds `events`, the first of which has the number `expected + 1`, to the run that `lease`
    /// holds, and replaces its head where one is given. Returns the controls that this lease was
    /// not given yet, in order; a new lease begins after the last control that an event obeys.
    /// Without events and head it tells whether the lease is good.
    ///
    /// # Errors
    ///
    /// [`StoreError::Fenced`] when the lease is not good any more; [`StoreError::Conflict`] when
    /// the run's last event has another number. Nothing was stored then. After
    /// [`StoreError::Io`] the outcome is not known: read the events back.
    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &[Event],
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

    /// The number of the last output entry stored; 0 when there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError>;

    /// The run's head and who holds it.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError>;

    /// Runs that `filter` lets through, the newest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] when the run to list after is not there any more;
    /// [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError>;

    /// Takes the right to drive a run.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] when a living holder has it; [`StoreError::NotFound`].
    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError>;

    /// Takes the right to drive up to `most` of the runs that go on by themselves at the time `now` and that
    /// nobody drives: those without a living holder that are pending or running and do not wait for a later
    /// time ([`Wait::until`]), and those that are paused until a time that has come. They come in no order
    /// that a caller could rely on; of several callers each gets other runs.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] or [`StoreError::Io`]. Runs that were claimed before it are given back.
    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        claim_next::one_by_one(self, most, now).await
    }

    /// How long a lease is good after it was given out or [renewed](RunStore::renew). `None`: until it is
    /// released or its holder's process has ended, and nothing has to be renewed.
    fn lease_time(&self) -> Option<Duration> {
        None
    }

    /// Renews every lease that was given out through this store and not given back: one heartbeat,
    /// however many runs are held.
    ///
    /// # Errors
    ///
    /// [`StoreError::Expired`] when they had run out already: none of them is good any more, and the runs
    /// may be driven elsewhere. Runs can be claimed anew after it, those among them that nobody has taken.
    /// [`StoreError::Io`]: not known.
    async fn renew(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Gives the right to drive a run back. A lease that is not good any more is given back too.
    /// It is begun at the first poll and ends by itself, so that a destructor can poll it once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    async fn release(&self, lease: Lease) -> Result<(), StoreError>;

    /// Records a control for whoever drives the run, and returns its number.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] or [`StoreError::Io`].
    async fn request(&self, run: &RunId, control: Control) -> Result<u64, StoreError>;

    /// The controls of a run with numbers above `after`, in order.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError>;

    /// Deletes a run that nobody drives, with all that belongs to it alone. Its id is free then; leases of the
    /// deleted run stay fenced off from a new run with that id, so what numbers epochs outlives the run, or an append
    /// compares more than the epoch.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`] when a living holder has it; [`StoreError::NotFound`].
    async fn delete(&self, run: &RunId) -> Result<(), StoreError>;

    /// Deletes up to `most` of the runs that ended before that time, the oldest first, and returns how
    /// many it deleted: retention, in steps that hold nobody up.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] or [`StoreError::Io`]; what was deleted before it stays deleted.
    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        prune::one_by_one(self, ended_before, most).await
    }

    /// The bundle of that hash.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`], [`StoreError::Corrupt`] or [`StoreError::Io`].
    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError>;

    /// Calls `watcher` whenever a control was requested, by this process or another, and, where the store
    /// can tell, when there is a run that [`claim_next`](RunStore::claim_next) would give; at most once
    /// for several that come together. The watcher must not block. It is called until the returned
    /// value is dropped. A call is a hint: the watcher reads again.
    fn watch(&self, watcher: Watcher) -> Watching;
}

/// What [`RunStore::watch`] calls: with the run a control came for, or `None` when it may have
/// been any.
pub type Watcher = Arc<dyn Fn(Option<&RunId>) + Send + Sync>;

/// Keeps a [`Watcher`] registered; dropping it ends that.
pub struct Watching(#[allow(dead_code, reason = "held to be dropped")] Box<dyn Send + Sync>);

impl Watching {
    /// Wraps what unregisters the watcher when it is dropped.
    pub fn new(guard: impl Send + Sync + 'static) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Watching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watching")
    }
}

/// A run to be created.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Its bundle; stored unless one of that hash is there already.
    pub bundle: Arc<Bundle>,
    /// The first events, the first of them `run_created`.
    pub events: Vec<Event>,
    /// Its first head.
    pub head: RunHead,
}

/// The right to drive a run: good until it is released, or its holder is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: RunId,
    /// Grows with every claim; fences off former holders. Does not begin anew for a run that is created with the id
    /// of a deleted one.
    pub epoch: u64,
    /// The epoch of the lease of this run that was given out before this one; 0 where there was none, or where the
    /// store cannot tell.
    ///
    /// A driver that has lost its lease and claims the run again learns from it whether another one had the run in
    /// between, and may have stopped what the run's calls had started. Only where it is the epoch that the driver had
    /// do calls that are under way go on. So a store whose [leases run out](RunStore::lease_time) tells it; one whose
    /// leases do not need not.
    pub previous: u64,
    /// How many holders of this run in a row ended without giving it back, since its last event was stored: each of
    /// them claimed it, and died before it recorded anything. A lease that was given back, or that its own process
    /// claims again after it ran out, does not count, and leaves the count as it is. The next event begins it anew.
    ///
    /// A worker leaves a run whose drivers die again and again to a person. So a store that more than one process uses one
    /// after the other keeps this, on the disk and before it gives the lease out.
    pub deaths: u32,
}

/// What lists and status displays need of a run, without reading its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunHead {
    /// The workflow.
    pub workflow_id: WorkflowId,
    /// The bundle.
    pub bundle: BundleHash,
    /// The status.
    pub status: RunStatus,
    /// Why it does not go on by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// When it was created.
    #[schemars(with = "String")]
    pub created_at: Timestamp,
    /// When it was first driven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub completed_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<Failure>>,
}

/// A run as a store lists it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// Its id.
    pub run_id: RunId,
    /// Its head.
    #[serde(flatten)]
    pub head: RunHead,
    /// Who drives it just now, in words for a person; absent when nobody does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

impl<'de> Deserialize<'de> for RunRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Beside {
            run_id: RunId,
            #[serde(default)]
            holder: Option<String>,
        }
        // Twice, because a head that is flattened cannot have raw values.
        let text = Box::<RawValue>::deserialize(deserializer)?;
        let head = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        let Beside { run_id, holder } = serde_json::from_str(text.get()).map_err(D::Error::custom)?;
        Ok(Self { run_id, head, holder })
    }
}

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunFilter {
    /// Only runs of this workflow.
    pub workflow: Option<WorkflowId>,
    /// Only runs with one of these statuses; empty means any.
    pub statuses: Vec<RunStatus>,
    /// Only runs that were created at this time or later.
    pub created_from: Option<Timestamp>,
    /// Only runs that were created before this time.
    pub created_before: Option<Timestamp>,
    /// Only runs after this one in the order of the list.
    pub after: Option<RunId>,
    /// At most so many; `None` means all.
    pub limit: Option<usize>,
}

impl RunHead {
    /// From when on the run goes on by itself, if somebody drives it; [`Timestamp::MIN`] where it does at once.
    pub fn goes_on_from(&self) -> Option<Timestamp> {
        let until = self.wait.as_ref().and_then(|wait| wait.until);
        match self.status {
            RunStatus::Pending | RunStatus::Running => Some(until.unwrap_or(Timestamp::MIN)),
            RunStatus::Paused => until,
            RunStatus::Completed | RunStatus::Failed | RunStatus::Cancelled => None,
        }
    }

    /// Whether the run goes on by itself at the time `now`, if somebody drives it.
    pub fn goes_on(&self, now: Timestamp) -> bool {
        self.goes_on_from().is_some_and(|from| from <= now)
    }
}

impl RunFilter {
    /// Every run.
    pub fn all() -> Self {
        Self::default()
    }

    /// Runs that have not ended.
    pub fn unfinished() -> Self {
        Self { statuses: vec![RunStatus::Pending, RunStatus::Running, RunStatus::Paused], ..Self::default() }
    }

    /// Whether a run is let through (paging apart).
    pub fn matches(&self, head: &RunHead) -> bool {
        self.workflow.as_ref().is_none_or(|workflow| *workflow == head.workflow_id)
            && (self.statuses.is_empty() || self.statuses.contains(&head.status))
            && self.created_from.is_none_or(|from| head.created_at >= from)
            && self.created_before.is_none_or(|before| head.created_at < before)
    }
}

/// What a person or a host asks of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Control {
    /// Start nothing new; wait when what runs has ended.
    Pause,
    /// Go on.
    Resume,
    /// Stop what runs, and end.
    Cancel,
    /// Stop what runs without a grace period, and end.
    Kill,
    /// What a person says to something that the run waits for.
    Answer(Answer),
}

/// What a person, or the host, says to something that a run waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The [number](Wait::number) of the wait.
    pub wait: u64,
    /// The answer.
    pub value: Data,
}

/// A control as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlRecord {
    /// Its number within the run, from 1.
    pub number: u64,
    /// What was asked.
    pub control: Control,
}

/// Why a store did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such run or bundle.
    #[error("{0} was not found")]
    NotFound(String),
    /// There is a run of that id already.
    #[error("a run with the id `{0}` exists already")]
    Exists(RunId),
    /// Another living holder drives the run.
    #[error("run `{run}` is driven elsewhere ({holder})")]
    Held {
        /// The run.
        run: RunId,
        /// Who drives it, for a person.
        holder: String,
    },
    /// The lease is not good any more: someone else has taken the run over.
    #[error("run `{0}` has been taken over by another driver")]
    Fenced(RunId),
    /// The leases of this store were not renewed in time: none of them is good any more.
    #[error("the right to drive runs was not renewed in time and has run out")]
    Expired,
    /// The run's last event is not the one that was expected.
    #[error("run `{run}` has {actual} events where {expected} were expected")]
    Conflict {
        /// The run.
        run: RunId,
        /// The number that the caller expected the last event to have.
        expected: u64,
        /// The number that it has.
        actual: u64,
    },
    /// What is stored cannot be read.
    #[error("{place}: {message}")]
    Corrupt {
        /// Where: a file and line, or a run and event.
        place: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The medium failed. Whether the change was stored is not known.
    #[error("{place}: {source}")]
    Io {
        /// Where.
        place: String,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The store has been closed or has given up after an earlier error.
    #[error("the store is closed: {0}")]
    Closed(String),
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: RunStore + ?Sized> RunStore for $pointer {
            async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
                (**self).create(run).await
            }

            // By hand what `async_trait` would write: the append of a step costs one box and not two.
            fn append<'store, 'lease, 'events, 'head, 'append>(
                &'store self,
                lease: &'lease Lease,
                expected: u64,
                events: &'events [Event],
                head: Option<&'head RunHead>,
            ) -> BoxFuture<'append, Result<Vec<ControlRecord>, StoreError>>
            where
                'store: 'append,
                'lease: 'append,
                'events: 'append,
                'head: 'append,
                Self: 'append,
            {
                (**self).append(lease, expected, events, head)
            }

            async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
                (**self).append_output(lease, entries).await
            }

            async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
                (**self).events(run, after, limit).await
            }

            async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
                (**self).output(run, after, limit).await
            }

            async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
                (**self).last_output(run).await
            }

            async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
                (**self).get(run).await
            }

            async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
                (**self).list(filter).await
            }

            async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
                (**self).claim(run).await
            }

            async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
                (**self).claim_next(most, now).await
            }

            fn lease_time(&self) -> Option<Duration> {
                (**self).lease_time()
            }

            async fn renew(&self) -> Result<(), StoreError> {
                (**self).renew().await
            }

            async fn release(&self, lease: Lease) -> Result<(), StoreError> {
                (**self).release(lease).await
            }

            async fn request(&self, run: &RunId, control: Control) -> Result<u64, StoreError> {
                (**self).request(run, control).await
            }

            async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
                (**self).controls(run, after).await
            }

            async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
                (**self).delete(run).await
            }

            async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
                (**self).prune(ended_before, most).await
            }

            async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
                (**self).bundle(hash).await
            }

            fn watch(&self, watcher: Watcher) -> Watching {
                (**self).watch(watcher)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back_with_what_the_run_asks_and_why_it_failed() {
        let text = r#"{"runId":"r1","workflowId":"w","bundle":"BUNDLE","status":"paused",
            "wait":{"reason":"question","schema":{"enum":["a",1.50]}},
            "createdAt":"2026-01-02T03:04:05Z",
            "error":{"class":"repeated","message":"again","details":{"first":[1]}},"holder":"somebody"}"#
            .replace("BUNDLE", &"0a".repeat(32));
        let record: RunRecord = serde_json::from_str(&text).unwrap();
        assert_eq!(
            record.head.wait.as_ref().unwrap().schema.as_ref().unwrap().json(),
            r#"{"enum":["a",1.50]}"#
        );
        assert_eq!(record.holder.as_deref(), Some("somebody"));
        let written = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&written).unwrap(), record);
    }
}
