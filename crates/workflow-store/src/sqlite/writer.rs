//! The thread that writes: it takes all queued jobs, and commits them as one transaction.
//!
//! While one transaction is being committed, the next jobs are queued, so that many runs share a sync and a
//! single one waits only for its own. Each job has an outcome of its own: a store refuses a job before the
//! job has written anything. If the database fails, the transaction is rolled back and each job is executed
//! alone, so that only the jobs at fault fail.
//!
//! Where commits do not wait for the disk, an append of the only run that the store drives is written by its
//! caller: to wake the thread and to be woken by it would take longer than the write. What may wait, for the
//! disk or for another process, is left to the thread: so it copies the log into the database.

use std::slice;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use workflow_core::store::StoreError;

use super::connect::{LOG_PAGES, synchronous};
use super::fault::{Outcome, explain};
use super::options::{SqliteOptions, Synchronous};
use super::place::Place;
use super::queue::{Batch, Job, Queue, asked, ended};
use super::watch::Watch;
use super::writing::{After, Writing};
use crate::disk::at;

/// The thread. Dropping it waits until all queued jobs are done, and releases the leases of the store.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    /// The thread's, which also ends with it.
    work: Weak<Mutex<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn spawn(
        mut connection: Connection,
        place: &Arc<Place>,
        options: SqliteOptions,
        watch: &Arc<Watch>,
    ) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new());
        let log = Log::of(&mut connection).map_err(|error| explain(&place.path, &error))?;
        let work = Arc::new(Mutex::new(Work {
            writing: Writing::new(connection, Arc::clone(place), options),
            watch: Arc::clone(watch),
            log,
            synced: true,
            closed: None,
        }));
        let (shared, jobs) = (Arc::downgrade(&work), Arc::clone(&queue));
        let thread = thread::Builder::new().name("workflow-writes".to_owned());
        let thread = thread.spawn(move || run(&jobs, &work)).map_err(at(&place.path))?;
        Ok(Self { queue, work: shared, thread: Some(thread) })
    }

    /// As [`Queue::write`], for an append of a run.
    pub(super) async fn append<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Writing, bool) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, answer) = asked(work, |value| value);
        if let Some(job) = self.write_now(job) {
            self.queue.push(job);
        }
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Executes a job at once if nothing is to be waited for. Returns it otherwise.
    fn write_now(&self, job: Box<dyn Job>) -> Option<Box<dyn Job>> {
        let Some(work) = self.work.upgrade().filter(|_| self.queue.is_idle()) else { return Some(job) };
        match work.try_lock() {
            Ok(mut work) => work.write_now(job),
            Err(_) => Some(job),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // The panic of a job was reported already.
            let _ = thread.join();
        }
    }
}

/// Closes the queue however the thread ends: no caller may wait for a thread that has stopped.
struct Abandoned<'a>(&'a Queue);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

/// What the thread does. It ends when the queue is closed, or after a panic in the middle of a write.
fn run(queue: &Queue, work: &Mutex<Work>) {
    let _abandoned = Abandoned(queue);
    while let Some(batch) = queue.take() {
        let Ok(mut work) = work.lock() else { return };
        work.write(batch);
    }
    if let Ok(mut work) = work.lock() {
        work.leave();
    }
}

/// The write-ahead log.
struct Log {
    /// How many pages it had after the last commit of this store.
    pages: Arc<AtomicI32>,
}

impl Log {
    /// Counts the pages of the log, which SQLite no longer copies into the database itself.
    fn of(connection: &mut Connection) -> rusqlite::Result<Self> {
        let pages = Arc::new(AtomicI32::new(LOG_PAGES));
        let counted = Arc::clone(&pages);
        connection.wal_hook(Some(move |_: &mut Wal, pages| {
            counted.store(pages, Ordering::Relaxed);
            Ok(())
        }))?;
        Ok(Self { pages })
    }

    /// Whether it is long enough to be copied. The commit after that may wait for the disk, too: it restarts the log.
    fn is_long(&self) -> bool {
        self.pages.load(Ordering::Relaxed) >= LOG_PAGES
    }

    /// It was copied.
    fn restarts(&self) {
        self.pages.store(LOG_PAGES, Ordering::Relaxed);
    }
}

struct Work {
    writing: Writing,
    watch: Arc<Watch>,
    log: Log,
    /// Whether commits currently wait for the disk.
    synced: bool,
    /// Why nothing is written any more.
    closed: Option<StoreError>,
}

/// The step at which a transaction failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Job,
    /// The outcome is unknown: the writes may be there after a crash, or not.
    Commit,
}

impl Work {
    /// Executes a job on the thread of its caller, unless something may have to be waited for.
    fn write_now(&mut self, mut job: Box<dyn Job>) -> Option<Box<dyn Job>> {
        let waits = self.writing.options.synchronous == Synchronous::Full || self.log.is_long();
        if waits || self.closed.is_some() || !self.writing.is_alone() || !self.writing.begin_now() {
            return Some(job);
        }
        let result = self.execute(slice::from_mut(&mut job), None);
        self.settle(job, result.map_err(|(_, error)| error));
        None
    }

    fn write(&mut self, batch: Batch) {
        let Batch { mut jobs, output, vacuum } = batch;
        if !jobs.is_empty() {
            // A transaction with only output need not be durable: the next sync includes it.
            let result = self.sync(jobs.len() > output).and_then(|()| self.together(&mut jobs, None));
            match result {
                Ok(()) => {
                    for job in jobs {
                        self.settle(job, Ok(()));
                    }
                }
                Err((stage, error)) if stage == Stage::Begin || jobs.len() == 1 || self.closed.is_some() => {
                    for job in jobs {
                        self.settle(job, Err(error.clone()));
                    }
                }
                Err((stage, error)) => {
                    tracing::warn!(%error, jobs = jobs.len(), "a transaction failed; trying each of its writes alone");
                    let doubt = (stage == Stage::Commit).then_some(&error);
                    for mut job in jobs {
                        let result = self.together(slice::from_mut(&mut job), doubt);
                        self.settle(job, result.map_err(|(_, error)| error));
                    }
                }
            }
        }
        for answer in vacuum {
            let _ = answer.send(self.vacuum());
        }
        if self.log.is_long() {
            self.checkpoint();
        }
    }

    /// Copies the log into the database, so that the log can restart.
    fn checkpoint(&self) {
        if let Err(error) = self.writing.connection.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE) {
            tracing::warn!(%error, "cannot copy the log of the database into it; the next write tries again");
        }
    }

    fn settle(&mut self, job: Box<dyn Job>, stored: Result<(), StoreError>) {
        if stored.is_err() {
            self.writing.owe(job.gives_back());
        }
        job.settle(stored);
    }

    fn together(
        &mut self,
        jobs: &mut [Box<dyn Job>],
        doubt: Option<&StoreError>,
    ) -> Result<(), (Stage, StoreError)> {
        if let Some(closed) = &self.closed {
            return Err((Stage::Begin, closed.clone()));
        }
        if let Err(error) = self.writing.begin() {
            self.writing.roll_back();
            return Err((Stage::Begin, explain(&self.writing.place.path, &error)));
        }
        self.execute(jobs, doubt)
    }

    /// Executes jobs within the transaction that has begun, and commits it.
    fn execute(
        &mut self,
        jobs: &mut [Box<dyn Job>],
        doubt: Option<&StoreError>,
    ) -> Result<(), (Stage, StoreError)> {
        match self.transaction(jobs, doubt) {
            Ok(after) => {
                // Data counts as stored only if the file is still at its path.
                if let Err(closed) = self.writing.place.check() {
                    self.closed = Some(closed.clone());
                    return Err((Stage::Commit, closed));
                }
                self.follow(after);
                Ok(())
            }
            Err((stage, error)) => {
                self.writing.roll_back();
                Err((stage, explain(&self.writing.place.path, &error)))
            }
        }
    }

    fn transaction(
        &mut self,
        jobs: &mut [Box<dyn Job>],
        doubt: Option<&StoreError>,
    ) -> Result<After, (Stage, rusqlite::Error)> {
        for job in jobs {
            job.apply(&mut self.writing, doubt).map_err(|error| (Stage::Job, error))?;
        }
        self.writing.commit().map_err(|error| (Stage::Commit, error))
    }

    /// Handles the effects of a transaction, before its callers are told the outcome.
    fn follow(&self, after: After) {
        for path in after.buried {
            // A file that remains does no harm.
            let _ = std::fs::remove_file(path);
        }
        if let Some(signal) = after.signal {
            self.watch.sent(signal);
        }
        let mut asked = after.asked;
        asked.sort_unstable();
        asked.dedup();
        for run in &asked {
            self.watch.call(Some(run));
        }
        if after.claimable {
            self.watch.call(None);
        }
    }

    fn sync(&mut self, wanted: bool) -> Result<(), (Stage, StoreError)> {
        if self.writing.options.synchronous != Synchronous::Full || self.synced == wanted {
            return Ok(());
        }
        let value = if wanted { Synchronous::Full } else { Synchronous::Normal };
        let failed = |error| (Stage::Begin, explain(&self.writing.place.path, &error));
        synchronous(&self.writing.connection, value).map_err(failed)?;
        self.synced = wanted;
        Ok(())
    }

    fn vacuum(&self) -> Result<(), StoreError> {
        if let Some(closed) = &self.closed {
            return Err(closed.clone());
        }
        let connection = &self.writing.connection;
        let vacuum = || -> rusqlite::Result<()> {
            connection.execute_batch("VACUUM")?;
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        self.log.restarts();
        vacuum().map_err(|error| explain(&self.writing.place.path, &error))
    }

    /// Releases the leases of the store.
    fn leave(&mut self) {
        if self.writing.registration.is_none() || self.closed.is_some() {
            return;
        }
        let mut leave = || {
            self.writing.begin()?;
            self.writing.leave()?;
            self.writing.commit()
        };
        match leave() {
            Ok(after) => self.follow(after),
            Err(error) => {
                self.writing.roll_back();
                // Its lock ends with the process at the latest, and its leases with it.
                tracing::warn!(%error, "cannot release the runs of a closed store; other processes can claim them when this one ends");
            }
        }
    }
}
