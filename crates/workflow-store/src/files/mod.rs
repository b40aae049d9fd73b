//! A store that keeps runs as files.

mod bundles;
mod controls;
mod facts;
mod foreign;
mod held;
mod home;
mod lines;
mod lock;
mod log;
mod notices;
mod output;
mod record;
mod signal;
mod slots;
mod status;

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

pub use self::foreign::{ForeignRun, foreign_runs};

use self::home::Home;
use crate::job_thread::{Ended, JobThread};

/// Threads that write and sync: appends of different runs are written in parallel.
const WRITERS: usize = 4;

/// Keeps runs as readable files, with one directory per run.
///
/// ```text
/// <home>/runs/{run}/events.jsonl    the events, one per line: all else is derived from them
///                   run.json        the head, for lists
///                   output.jsonl    what providers said
///                   controls.jsonl  what was asked of the run
///                   notices.jsonl   which of its events were told to whom
///                   lock            who drives it
/// <home>/bundles/{hash}.json        what runs were started with
/// <home>/slots/{hash}.json          which runs share a key, and in which order they came
/// ```
///
/// Files and directories are private to their owner. Other directories in `runs` are ignored. Bundles are
/// kept when the runs that used them are deleted.
///
/// Any number of processes on one machine can use a home at the same time. One of them drives a run: it holds
/// the operating system's lock on the run's `lock` file, which ends with the process. Within a process a
/// lease is valid until it is [released](RunStore::release), or until the store is dropped. A held run keeps
/// two or three files open, so the system's limit of open files bounds how many runs can be held.
///
/// An append is durable when it is acknowledged. After a crash the run continues from the last complete
/// append: a claim removes an incomplete one. A file with other damage is refused with the line number, and
/// is not changed.
///
/// Threads of the store do the work, so no method blocks. Once a method was polled, it completes even if its
/// future is dropped; a lease whose future was dropped is released. Dropping the store waits for operations
/// in progress, and releases its runs.
///
/// ```
/// use workflow_core::store::{RunFilter, RunStore};
/// use workflow_store::FileStore;
///
/// # let home = tempfile::tempdir()?;
/// let store = FileStore::open(home.path().join(".orch"))?;
/// let unfinished = futures::executor::block_on(store.list(&RunFilter::unfinished()))?;
/// assert!(unfinished.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct FileStore {
    // Declared before the home, so that queued jobs finish before the runs are released.
    writers: Vec<JobThread>,
    output: JobThread,
    reader: JobThread,
    home: Arc<Home>,
    path: PathBuf,
}

impl FileStore {
    /// Opens the store in `home`, and creates it if it does not exist. Blocks briefly.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if the directories cannot be created or the threads not started.
    pub fn open(home: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = home.as_ref();
        let spawn = |name: &str| JobThread::spawn(name).map_err(crate::disk::at(path));
        let home = Arc::new(Home::open(path)?);
        let store = Self {
            writers: (0..WRITERS).map(|_| spawn("workflow-events")).collect::<Result<_, _>>()?,
            output: spawn("workflow-output")?,
            reader: spawn("workflow-reads")?,
            home: Arc::clone(&home),
            path: path.to_owned(),
        };
        store.reader.submit(move |_| home.sweep());
        Ok(store)
    }

    /// Executes `job` on the thread of `run`, after all earlier requests for that run.
    async fn write<T: Send + 'static>(
        &self,
        run: &RunId,
        job: impl FnOnce(&Home, &mut Vec<u8>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let mut hasher = DefaultHasher::new();
        run.hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % WRITERS as u64).unwrap_or_default();
        let home = Arc::clone(&self.home);
        self.writers[place].run(move |buffer| job(&home, buffer)).await.unwrap_or_else(ended)
    }

    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Home) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let home = Arc::clone(&self.home);
        self.reader.run(move |_| job(&home)).await.unwrap_or_else(ended)
    }
}

/// A lease on its way to the caller. It is released if the caller's future was dropped.
struct Lent {
    home: Arc<Home>,
    lease: Option<Lease>,
}

impl Lent {
    fn new(home: Arc<Home>, lease: Lease) -> Self {
        Self { home, lease: Some(lease) }
    }

    fn take(mut self) -> Result<Lease, StoreError> {
        self.lease.take().map_or_else(|| ended(Ended), Ok)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take()
            && let Err(error) = self.home.release(&lease)
        {
            tracing::warn!(run = %lease.run, %error, "cannot release a lease whose caller is gone");
        }
    }
}

fn ended<T>(_: Ended) -> Result<T, StoreError> {
    Err(StoreError::Closed("the thread of the store has stopped".to_owned()))
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("home", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl RunStore for FileStore {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        let (id, home) = (run.id.clone(), Arc::clone(&self.home));
        let create = move |_: &Home, buffer: &mut Vec<u8>| {
            let lease = home.create(&run, buffer)?;
            Ok(Lent::new(home, lease))
        };
        self.write(&id, create).await?.take()
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let (lease, events, head) = (lease.clone(), Arc::clone(events), head.cloned());
        let run = lease.run.clone();
        let append = move |home: &Home, buffer: &mut Vec<u8>| {
            home.append(&lease, expected, &events, head.as_ref(), buffer)
        };
        self.write(&run, append).await
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        let (home, lease, entries) = (Arc::clone(&self.home), lease.clone(), entries.to_vec());
        let append = move |buffer: &mut Vec<u8>| home.held(&lease)?.append_output(&entries, buffer);
        self.output.run(append).await.unwrap_or_else(ended)
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let run = run.clone();
        self.read(move |home| home.events(&run, after, limit)).await
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        let run = run.clone();
        self.read(move |home| home.output(&run, after, limit)).await
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        let (run, filter) = (run.clone(), filter.clone());
        self.read(move |home| home.output_window(&run, &filter)).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        let run = run.clone();
        self.read(move |home| home.last_output(&run)).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        let run = run.clone();
        self.read(move |home| home.get(&run)).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let filter = filter.clone();
        self.read(move |home| home.list(&filter)).await
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        let (id, home) = (run.clone(), Arc::clone(&self.home));
        let claim = move |_: &Home, _: &mut Vec<u8>| {
            let lease = home.claim(&id)?;
            Ok(Lent::new(home, lease))
        };
        self.write(run, claim).await?.take()
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let mut leases = Vec::new();
        for run in self.read(move |home| home.claimable(now)).await? {
            if leases.len() >= most {
                break;
            }
            match self.claim(&run).await {
                Ok(lease) if lease.behind.is_none() => leases.push(lease),
                Ok(lease) => self.release(lease).await?,
                // Another process has claimed it.
                Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
                Err(error) => {
                    for lease in leases {
                        // The first error is returned.
                        let _ = self.release(lease).await;
                    }
                    return Err(error);
                }
            }
        }
        Ok(leases)
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        let (limit, shared) = (limit.clone(), Arc::clone(&self.home));
        let claim = move |home: &Home| {
            let leases = home.claim_within(most, now, &limit)?;
            Ok(leases.into_iter().map(|lease| Lent::new(Arc::clone(&shared), lease)).collect::<Vec<_>>())
        };
        self.read(claim).await?.into_iter().map(Lent::take).collect()
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let run = lease.run.clone();
        self.write(&run, move |home, _| home.release(&lease)).await
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        let id = run.clone();
        self.write(run, move |home, _| home.request(&id, request)).await
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        let run = run.clone();
        self.read(move |home| home.controls(&run, after)).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        let id = run.clone();
        self.write(run, move |home, _| home.delete(&id)).await
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        let claimed = notice.clone();
        self.write(&notice.run, move |home, _| home.claim_notice(&claimed, now, until)).await
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let settled = notice.clone();
        self.write(&notice.run, move |home, _| home.settle_notice(&settled, attempt, retry_at)).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        let hash = hash.clone();
        self.read(move |home| home.bundles.load(&hash)).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.home.signal.watch(watcher)
    }
}
