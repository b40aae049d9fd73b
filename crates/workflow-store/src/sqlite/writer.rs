//! The thread that writes: it takes all that is queued, and commits it as one transaction.
//!
//! While one transaction is on its way to the disk the next one gathers, so that many runs share a sync and a
//! single one waits for nothing but its own. Each job has an outcome of its own: what a store refuses it refuses
//! before it has written anything. When the database fails, all is taken back and each job is done alone, so
//! that only those fail that cannot be done.

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

/// The thread. Dropping it waits until all that is queued is done, and gives back what the store holds.
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
            // A job that panicked has said so already.
            let _ = thread.join();
        }
    }
}

struct Work {
    writing: Writing,
    queue: Arc<Queue>,
    watch: Arc<Watch>,
    /// Whether commits wait for the disk just now.
    synced: bool,
    /// Why nothing is written any more.
    closed: Option<StoreError>,
}

impl Drop for Work {
    fn drop(&mut self) {
        // Nobody may wait for a thread that has ended, however it did.
        self.queue.abandon();
    }
}

/// When a transaction failed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begin,
    Job,
    /// What was written may be there after a crash, or not.
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
            // Output alone need not last: what comes after it takes it to the disk.
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
                    tracing::warn!(%error, jobs = jobs.len(), "a transaction failed; doing each part of it alone");
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
                // Only what is where others find it is stored.
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

    /// Does what follows from a transaction, before anybody is told of it.
    fn follow(&self, after: After) {
        for path in after.buried {
            // A file that stays is in nobody's way.
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

    /// Gives back what the store holds.
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
                // Its lock is given up with the process at the latest, and its runs with it.
                tracing::warn!(%error, "the runs of a store that is closed were not given back in order");
            }
        }
    }
}
