//! The thread that writes: it takes all queued jobs, and commits them as one transaction.
//!
//! While one transaction is being committed, the next jobs are queued, so that many runs share a sync and a
//! single one waits only for its own. Each job has an outcome of its own: a store refuses a job before the
//! job has written anything. If the database fails, the transaction is rolled back and each job is executed
//! alone, so that only the jobs at fault fail.

use std::slice;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use workflow_core::store::StoreError;

use super::connect::synchronous;
use super::fault::explain;
use super::options::{SqliteOptions, Synchronous};
use super::place::Place;
use super::queue::{Batch, Job, Queue};
use super::watch::Watch;
use super::writing::{After, Writing};
use crate::disk::at;

/// The thread. Dropping it waits until all queued jobs are done, and releases the leases of the store.
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn spawn(
        connection: Connection,
        place: &Arc<Place>,
        options: SqliteOptions,
        watch: &Arc<Watch>,
    ) -> Result<Self, StoreError> {
        let queue = Arc::new(Queue::new());
        let work = Work {
            writing: Writing::new(connection, Arc::clone(place), options),
            queue: Arc::clone(&queue),
            watch: Arc::clone(watch),
            synced: true,
            closed: None,
        };
        let thread = thread::Builder::new().name("workflow-writes".to_owned());
        let thread = thread.spawn(move || work.run()).map_err(at(&place.path))?;
        Ok(Self { queue, thread: Some(thread) })
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

struct Work {
    writing: Writing,
    queue: Arc<Queue>,
    watch: Arc<Watch>,
    /// Whether commits currently wait for the disk.
    synced: bool,
    /// Why nothing is written any more.
    closed: Option<StoreError>,
}

impl Drop for Work {
    fn drop(&mut self) {
        // No caller may wait for a thread that has stopped, whatever the reason.
        self.queue.abandon();
    }
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
    fn run(mut self) {
        while let Some(batch) = self.queue.take() {
            self.write(batch);
        }
        self.leave();
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
        self.writing.begin().map_err(|error| (Stage::Begin, error))?;
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
