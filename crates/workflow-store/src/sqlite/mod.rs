//! A store that keeps runs in an SQLite database.

mod append;
mod column;
mod connect;
mod controls;
mod fault;
mod holder;
mod lease;
mod limits;
mod lines;
mod list;
mod notices;
mod options;
mod output;
mod place;
#[cfg(test)]
mod plans;
mod prune;
mod queue;
mod read;
mod readers;
mod registration;
mod runs;
mod slots;
mod status;
mod watch;
mod writer;
mod writing;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, OutputFilter,
    OutputWindow, RunFilter, RunHead, RunRecord, RunStore, StoreError, Watcher, Watching,
};

pub use self::options::{SqliteOptions, Synchronous};

use self::append::Append;
use self::column::nanoseconds;
use self::output::OutputAppend;
use self::place::Place;
use self::prune::Prune;
use self::queue::ended;
use self::readers::Readers;
use self::runs::Creation;
use self::watch::Watch;
use self::writer::Writer;

/// Keeps runs in an SQLite database: the store for hosts on one machine.
///
/// The database is one file, with two files of SQLite beside it while it is in use (`-wal`, `-shm`) and a
/// directory (`-holders`) with a small file for each process that drives runs. All are private to their
/// owner. A bundle is deleted with the last run that uses it.
///
/// An append is durable when it is acknowledged, unless [`Synchronous::Normal`] was chosen. Concurrent
/// appends of many runs share one transaction and one sync; each has an outcome of its own. Readers see only
/// stored data, and do not wait for writers. Output entries may be lost in a power failure. The newest 16 MiB
/// of a run's output are kept; an entry of the kind [`Dropped`](workflow_core::output::OutputKind::Dropped)
/// says what was dropped before them.
///
/// Any number of processes on one machine can use a database at the same time. One of them drives a run: its
/// lease is valid for [a time](RunStore::lease_time), and must be [renewed](RunStore::renew). When a process
/// dies, its runs can be claimed at once, because the operating system's lock on its file ends with it; a
/// suspended process keeps them until its leases expire, and cannot write to them after that. (A process that
/// is suspended in the middle of a write blocks all other writers until it continues or is killed.) The file
/// must not be on a network file system.
///
/// Threads of the store do the work, so no method blocks. With [`Synchronous::Normal`] an append of the only
/// run that a store drives is written by its caller, unless it would have to wait for the disk or for another
/// process. Once a method was polled, it completes even if its
/// future is dropped; a lease whose future was dropped is released. Dropping the store waits for operations
/// in progress, and releases its runs.
///
/// ```
/// use workflow_core::store::{RunFilter, RunStore};
/// use workflow_store::SqliteStore;
///
/// # let home = tempfile::tempdir()?;
/// let store = SqliteStore::open(home.path().join("runs.db"))?;
/// let unfinished = futures::executor::block_on(store.list(&RunFilter::unfinished()))?;
/// assert!(unfinished.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    // In drop order: queued writes are done first.
    writer: Writer,
    readers: Readers,
    watch: Eye,
    place: Arc<Place>,
    id: Option<u64>,
    lease_time: Duration,
    output_limit: usize,
}

/// Stops the thread that polls for writes of other processes.
struct Eye(Arc<Watch>);

impl Drop for Eye {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl SqliteStore {
    /// Opens the database at `path`, and creates it if it does not exist. Blocks briefly.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the file cannot be created or written, or other processes keep it locked;
    /// [`StoreError::Corrupt`] if it is damaged, of a newer version, or not a database of runs. The file is
    /// not changed then.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::new())
    }

    /// Opens the database at `path` with options.
    ///
    /// # Errors
    ///
    /// As for [`SqliteStore::open`].
    pub fn open_with(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, StoreError> {
        let (place, connection) = if options.read_only {
            connect::open_read_only(path.as_ref(), &options)?
        } else {
            connect::open(path.as_ref(), &options)?
        };
        let place = Arc::new(place);
        let seen = watch::signal(&connection).map_err(|error| fault::explain(&place.path, &error))?;
        let watch = Arc::new(Watch::new(Arc::clone(&place), options.clone(), seen));
        let id = connect::id(&connection).map_err(|error| fault::explain(&place.path, &error))?;
        let (lease_time, output_limit) = (options.lease_time, options.output_limit);
        let readers = Readers::spawn(&place, &options)?;
        let writer = Writer::spawn(connection, &place, options, &watch)?;
        Ok(Self { writer, readers, watch: Eye(watch), place, id, lease_time, output_limit })
    }

    /// A random number that the database got when it was created, so that a host can recognise it and detect
    /// another database at the same path. A copy has the same number. `None` for a database of an earlier
    /// version that is opened read-only.
    pub fn id(&self) -> Option<u64> {
        self.id
    }

    /// Returns unused space to the file system. This rewrites the whole database, needs as much free space
    /// again, and blocks writes until it is done. Dropping the future does not stop it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the disk is full, or other processes keep the database locked; nothing is lost
    /// then.
    pub async fn vacuum(&self) -> Result<(), StoreError> {
        let (answer, done) = oneshot::channel();
        self.writer.queue.push_vacuum(answer);
        done.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.place.path).finish_non_exhaustive()
    }
}

/// The single lease that was requested.
fn only(leases: Vec<Lease>) -> Result<Lease, StoreError> {
    leases.into_iter().next().ok_or_else(ended)
}

#[async_trait]
impl RunStore for SqliteStore {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        let creation = Creation::new(&self.place.path, run)?;
        only(self.writer.queue.lend(move |writing, wanted| creation.write(writing, wanted)).await?)
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let append = Append::new(&self.place.path, lease, expected, events, head)?;
        self.writer.append(move |writing, _| append.write(writing)).await
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        let append = OutputAppend::new(&self.place.path, lease, entries, self.output_limit)?;
        let bytes = append.bytes();
        self.writer.queue.write_output(bytes, move |writing, _| append.write(writing)).await
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let run = run.clone();
        self.readers.read(move |reading| reading.events(&run, after, limit)).await
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        let run = run.clone();
        self.readers.read(move |reading| reading.output(&run, after, limit)).await
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        let (run, filter) = (run.clone(), filter.clone());
        self.readers.read(move |reading| reading.output_window(&run, &filter)).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        let run = run.clone();
        self.readers.read(move |reading| reading.last_output(&run)).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        let run = run.clone();
        self.readers.read(move |reading| reading.get(&run)).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |reading| reading.list(&filter)).await
    }

    async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        let filter = filter.clone();
        self.readers.read(move |reading| reading.count(&filter)).await
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        let run = run.clone();
        only(self.writer.queue.lend(move |writing, wanted| lease::claim(writing, &run, wanted)).await?)
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.writer
            .queue
            .lend(move |writing, wanted| lease::claim_next(writing, most, now, None, wanted))
            .await
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        let limit = limit.clone();
        let claim = move |writing: &mut writing::Writing, wanted| {
            lease::claim_next(writing, most, now, Some(&limit), wanted)
        };
        self.writer.queue.lend(claim).await
    }

    fn lease_time(&self) -> Option<Duration> {
        Some(self.lease_time)
    }

    async fn renew(&self) -> Result<(), StoreError> {
        self.writer.queue.write(|writing, _| lease::renew(writing)).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.writer.queue.release(lease).await
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        let run = run.clone();
        self.writer.queue.write(move |writing, _| controls::request(writing, &run, &request)).await
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        let run = run.clone();
        self.readers.read(move |reading| reading.controls(&run, after)).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        let run = run.clone();
        self.writer.queue.write(move |writing, _| runs::delete(writing, &run)).await
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        let (answer, done) = oneshot::channel();
        let queue = &self.writer.queue;
        queue.push(Box::new(Prune::new(Arc::clone(queue), nanoseconds(ended_before), most, answer)));
        done.await.unwrap_or_else(|_| Err(ended()))
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        let notice = notice.clone();
        self.writer.queue.write(move |writing, _| notices::claim(writing, &notice, now, until)).await
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let notice = notice.clone();
        self.writer.queue.write(move |writing, _| notices::settle(writing, &notice, attempt, retry_at)).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        let hash = hash.clone();
        self.readers.read(move |reading| reading.bundle(&hash)).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.watch.0.add(watcher)
    }
}
