//! The queue of the writer.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use futures::channel::oneshot;
use workflow_core::store::{Lease, StoreError};

use super::fault::{Fault, Outcome};
use super::lease;
use super::writing::Writing;
use crate::sync::lock;

/// The maximum number of jobs in a transaction, so that the first of them does not wait for long.
const MOST_JOBS: usize = 1_024;

/// The maximum number of bytes of output entries in a transaction, so that they do not delay other writes.
const MOST_OUTPUT: usize = 256 << 10;

/// A write.
pub(super) trait Job: Send {
    /// Executes the job within a transaction. Everything that can be refused is refused before anything is
    /// written. After an error the whole transaction is rolled back, and the job may be executed again.
    ///
    /// `doubt` is set if the job was executed before and it is unknown whether that was stored.
    fn apply(&mut self, writing: &mut Writing, doubt: Option<&StoreError>) -> rusqlite::Result<()>;

    /// The leases that this job releases. They must be released whatever happens.
    fn gives_back(&self) -> &[Lease] {
        &[]
    }

    /// Reports the outcome to the caller, after the transaction was stored or failed.
    fn settle(self: Box<Self>, stored: Result<(), StoreError>);
}

/// The jobs that wait for the writer.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    output: VecDeque<(usize, Box<dyn Job>)>,
    vacuum: Vec<oneshot::Sender<Result<(), StoreError>>>,
    idle: bool,
    closed: bool,
}

/// The jobs of the next transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) jobs: Vec<Box<dyn Job>>,
    /// How many of them are output: the last ones.
    pub(super) output: usize,
    pub(super) vacuum: Vec<oneshot::Sender<Result<(), StoreError>>>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), filled: Condvar::new() }
    }

    /// If the queue is closed, the job is dropped together with its result channel.
    pub(super) fn push(&self, job: Box<dyn Job>) {
        self.add(|waiting| waiting.jobs.push_back(job));
    }

    /// Before all waiting jobs.
    fn push_first(&self, job: Box<dyn Job>) {
        self.add(|waiting| waiting.jobs.push_front(job));
    }

    pub(super) fn push_output(&self, bytes: usize, job: Box<dyn Job>) {
        self.add(|waiting| waiting.output.push_back((bytes, job)));
    }

    pub(super) fn push_vacuum(&self, answer: oneshot::Sender<Result<(), StoreError>>) {
        self.add(|waiting| waiting.vacuum.push(answer));
    }

    /// Whether nothing waits, and the writer does nothing.
    pub(super) fn is_idle(&self) -> bool {
        lock(&self.waiting).idle
    }

    fn add(&self, add: impl FnOnce(&mut Waiting)) {
        let mut waiting = lock(&self.waiting);
        if waiting.closed {
            return;
        }
        add(&mut waiting);
        // If the writer is busy, it checks the queue again when it is done.
        let wake = mem::take(&mut waiting.idle);
        drop(waiting);
        if wake {
            self.filled.notify_one();
        }
    }

    /// All waiting jobs, up to the limits of one transaction; `None` after the queue was closed and is empty.
    pub(super) fn take(&self) -> Option<Batch> {
        let mut waiting = lock(&self.waiting);
        while waiting.jobs.is_empty() && waiting.output.is_empty() && waiting.vacuum.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting.idle = true;
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.idle = false;
        let count = waiting.jobs.len().min(MOST_JOBS);
        let mut batch = Batch { jobs: waiting.jobs.drain(..count).collect(), ..Batch::default() };
        let mut bytes = 0;
        while bytes < MOST_OUTPUT
            && let Some((size, job)) = waiting.output.pop_front()
        {
            bytes += size;
            batch.jobs.push(job);
            batch.output += 1;
        }
        batch.vacuum = mem::take(&mut waiting.vacuum);
        Some(batch)
    }

    /// Closes the queue: no new jobs are accepted; waiting jobs are still executed.
    pub(super) fn close(&self) {
        lock(&self.waiting).closed = true;
        self.filled.notify_one();
    }

    /// Drops the waiting jobs, which will not be executed.
    pub(super) fn abandon(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.closed = true;
        let dropped =
            (mem::take(&mut waiting.jobs), mem::take(&mut waiting.output), mem::take(&mut waiting.vacuum));
        // The jobs are dropped without the lock held.
        drop(waiting);
        drop(dropped);
    }

    /// Executes `work` in a transaction. Once the future was polled, it is executed even if the future is
    /// dropped; `work` is told whether the caller still waits for its result.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&mut Writing, bool) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (job, answer) = asked(work, |value| value);
        self.push(job);
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Releases leases, as soon as the database can be written. With `first` the release is executed before
    /// all waiting jobs, which may expect that the runs are not held.
    fn give_back(&self, leases: Vec<Lease>, first: bool) -> Answer<()> {
        let (job, answer) = given_back(leases);
        if first {
            self.push_first(job);
        } else {
            self.push(job);
        }
        answer
    }

    /// Releases a lease. The caller does not need to wait for the result.
    pub(super) async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        self.give_back(vec![lease], false).await.unwrap_or_else(|_| Err(ended()))
    }

    /// The same for output entries of this many bytes.
    pub(super) async fn write_output(
        &self,
        bytes: usize,
        work: impl FnMut(&mut Writing, bool) -> Outcome<()> + Send + 'static,
    ) -> Result<(), StoreError> {
        let (job, answer) = asked(work, |value| value);
        self.push_output(bytes, job);
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The same for leases. If the caller's future was dropped, they are released.
    pub(super) async fn lend(
        self: &Arc<Self>,
        work: impl FnMut(&mut Writing, bool) -> Outcome<Vec<Lease>> + Send + 'static,
    ) -> Result<Vec<Lease>, StoreError> {
        let queue = Arc::clone(self);
        let (job, answer) = asked(work, move |leases| Lent { queue, leases });
        self.push(job);
        answer.await.unwrap_or_else(|_| Err(ended())).map(Lent::take)
    }
}

/// Leases on their way to the caller.
struct Lent {
    queue: Arc<Queue>,
    leases: Vec<Lease>,
}

impl Lent {
    fn take(mut self) -> Vec<Lease> {
        mem::take(&mut self.leases)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let leases = mem::take(&mut self.leases);
        if leases.is_empty() {
            return;
        }
        drop(self.queue.give_back(leases, true));
    }
}

/// A job, and the caller that waits for its result.
struct Asked<T, U, W, F> {
    work: W,
    gives_back: Vec<Lease>,
    finish: F,
    outcome: Option<Result<T, StoreError>>,
    answer: oneshot::Sender<Result<U, StoreError>>,
}

pub(super) type Answer<U> = oneshot::Receiver<Result<U, StoreError>>;

pub(super) fn asked<T, U, W, F>(work: W, finish: F) -> (Box<dyn Job>, Answer<U>)
where
    T: Send + 'static,
    U: Send + 'static,
    W: FnMut(&mut Writing, bool) -> Outcome<T> + Send + 'static,
    F: FnOnce(T) -> U + Send + 'static,
{
    let (answer, receiver) = oneshot::channel();
    (Box::new(Asked { work, gives_back: Vec::new(), finish, outcome: None, answer }), receiver)
}

fn given_back(leases: Vec<Lease>) -> (Box<dyn Job>, Answer<()>) {
    let (answer, receiver) = oneshot::channel();
    let gives_back = leases.clone();
    let work =
        move |writing: &mut Writing, _| leases.iter().try_for_each(|lease| lease::release(writing, lease));
    (Box::new(Asked { work, gives_back, finish: |()| (), outcome: None, answer }), receiver)
}

impl<T, U, W, F> Job for Asked<T, U, W, F>
where
    T: Send,
    U: Send,
    W: FnMut(&mut Writing, bool) -> Outcome<T> + Send,
    F: FnOnce(T) -> U + Send,
{
    fn apply(&mut self, writing: &mut Writing, doubt: Option<&StoreError>) -> rusqlite::Result<()> {
        let outcome = match (self.work)(writing, !self.answer.is_canceled()) {
            Ok(value) => Ok(value),
            // It was not refused before, and a crash may show that it was stored then.
            Err(Fault::Refused(_)) if doubt.is_some() && matches!(self.outcome, Some(Ok(_))) => {
                Err(doubt.cloned().unwrap_or_else(ended))
            }
            Err(Fault::Refused(error)) => Err(error),
            Err(Fault::Failed(error)) => return Err(error),
        };
        self.outcome = Some(outcome);
        Ok(())
    }

    fn gives_back(&self) -> &[Lease] {
        &self.gives_back
    }

    fn settle(self: Box<Self>, stored: Result<(), StoreError>) {
        let outcome = stored.and(self.outcome.unwrap_or_else(|| Err(ended())));
        // The caller may have dropped its future.
        let _ = self.answer.send(outcome.map(self.finish));
    }
}

pub(super) fn ended() -> StoreError {
    StoreError::Closed("the thread of the store has stopped".to_owned())
}
