//! Threads that read, each with its own connection: reads never wait for writes.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use futures::channel::oneshot;
use rusqlite::Connection;
use workflow_core::store::StoreError;

use super::column::nanoseconds;
use super::connect;
use super::fault::{Fault, Outcome, explain};
use super::options::SqliteOptions;
use super::place::Place;
use super::queue::ended;
use super::read::Reading;
use crate::disk::at;
use crate::sync::lock;

/// The number of threads: a long list does not delay a short read.
const READERS: usize = 2;

/// The threads. Dropping them waits until all reads are done.
pub(super) struct Readers {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    reads: VecDeque<Read>,
    closed: bool,
}

type Read = Box<dyn FnOnce(&mut Reader) + Send>;

struct Reader {
    connection: Connection,
    place: Arc<Place>,
    options: SqliteOptions,
}

impl Readers {
    pub(super) fn spawn(place: &Arc<Place>, options: &SqliteOptions) -> Result<Self, StoreError> {
        let mut readers = Self { queue: Arc::default(), threads: Vec::new() };
        for _ in 0..READERS {
            let mut reader = Reader {
                connection: connect::reader(place, options)?,
                place: Arc::clone(place),
                options: options.clone(),
            };
            let queue = Arc::clone(&readers.queue);
            let thread = thread::Builder::new().name("workflow-reads".to_owned());
            let thread = thread.spawn(move || {
                while let Some(read) = queue.take() {
                    read(&mut reader);
                }
            });
            readers.threads.push(thread.map_err(at(&place.path))?);
        }
        Ok(readers)
    }

    /// Executes `look` within a transaction.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Reading<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        let read = move |reader: &mut Reader| {
            if !answer.is_canceled() {
                let _ = answer.send(reader.read(look));
            }
        };
        lock(&self.queue.waiting).reads.push_back(Box::new(read));
        self.queue.filled.notify_one();
        result.await.unwrap_or_else(|_| Err(ended()))
    }
}

impl Reader {
    fn read<T>(&mut self, look: impl FnOnce(&Reading<'_>) -> Outcome<T>) -> Result<T, StoreError> {
        let read = || {
            let connection = &self.connection;
            // `Connection::transaction` compiles its statements each time, which takes longer than a short read.
            connection.prepare_cached("BEGIN")?.execute([])?;
            let now = nanoseconds((self.options.clock)());
            let found = look(&Reading { connection, place: &self.place, now });
            if !connection.is_autocommit() {
                connection.prepare_cached("COMMIT")?.execute([])?;
            }
            found
        };
        let found = read().map_err(|fault| match fault {
            Fault::Refused(error) => error,
            Fault::Failed(error) => explain(&self.place.path, &error),
        });
        // If the file was deleted or replaced, its data is not returned.
        self.place.check().and(found)
    }
}

impl Queue {
    fn take(&self) -> Option<Read> {
        let mut waiting = lock(&self.waiting);
        loop {
            if let Some(read) = waiting.reads.pop_front() {
                return Some(read);
            }
            if waiting.closed {
                return None;
            }
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        lock(&self.queue.waiting).closed = true;
        self.queue.filled.notify_all();
        for thread in self.threads.drain(..) {
            if thread.thread().id() != thread::current().id() {
                // The panic of a read was reported already.
                let _ = thread.join();
            }
        }
    }
}
