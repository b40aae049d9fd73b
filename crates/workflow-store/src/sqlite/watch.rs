//! Telling watchers of what other processes have asked of runs, and of runs that can be claimed.
//!
//! Who asks something in this process calls its watchers itself. For the others a thread looks, while somebody
//! watches, whether anything was written at all, and only then at the number that such changes raise.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rusqlite::Connection;
use workflow_core::ids::RunId;
use workflow_core::store::{Watcher, Watchers, Watching};

use super::column::nanoseconds;
use super::connect;
use super::fault::explain;
use super::options::SqliteOptions;
use super::place::Place;
use super::registration::is_dead;
use crate::sync::lock;

/// How often the thread looks.
const EVERY: Duration = Duration::from_millis(25);

/// Each time that it has looked so often it looks for those who died or ran out of time, too.
const LOOKS: u32 = 20;

/// Those who watch, and the thread that looks for them.
pub(super) struct Watch {
    place: Arc<Place>,
    options: SqliteOptions,
    watchers: Watchers,
    look: Mutex<Look>,
    changed: Condvar,
}

#[derive(Default)]
struct Look {
    /// The number that was last seen.
    seen: i64,
    polling: bool,
    closed: bool,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(super) fn new(place: Arc<Place>, options: SqliteOptions, seen: i64) -> Self {
        let look = Look { seen, ..Look::default() };
        Self {
            place,
            options,
            watchers: Watchers::default(),
            look: Mutex::new(look),
            changed: Condvar::new(),
        }
    }

    pub(super) fn add(self: &Arc<Self>, watcher: Watcher) -> Watching {
        let watching = self.watchers.add(watcher);
        let mut look = lock(&self.look);
        if !look.polling && !look.closed {
            let watch = Arc::clone(self);
            let thread = thread::Builder::new().name("workflow-controls".to_owned());
            match thread.spawn(move || watch.poll()) {
                Ok(thread) => {
                    look.polling = true;
                    look.thread = Some(thread);
                }
                Err(error) => tracing::error!(%error, "controls of other processes are seen late"),
            }
        }
        watching
    }

    pub(super) fn call(&self, run: Option<&RunId>) {
        self.watchers.call(run);
    }

    /// This store has raised the number to `signal`, and calls the watchers itself.
    pub(super) fn sent(&self, signal: i64) {
        let mut look = lock(&self.look);
        // When nobody else raised it in between, they need no second call.
        if look.seen == signal - 1 {
            look.seen = signal;
        }
    }

    pub(super) fn close(&self) {
        let thread = {
            let mut look = lock(&self.look);
            look.closed = true;
            look.thread.take()
        };
        self.changed.notify_all();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // A watcher that panicked has said so already.
            let _ = thread.join();
        }
    }

    fn poll(&self) {
        let mut eyes = Eyes::default();
        let mut failed = false;
        while self.wait() {
            match eyes.look(self) {
                Ok(true) => self.watchers.call(None),
                Ok(false) => {}
                Err(error) => {
                    if !std::mem::replace(&mut failed, true) {
                        let error = explain(&self.place.path, &error);
                        tracing::error!(%error, "controls of other processes are seen late");
                    }
                    eyes.connection = None;
                }
            }
        }
    }

    /// Waits until it is time to look; `false` when nobody wants it any more.
    fn wait(&self) -> bool {
        let look = lock(&self.look);
        let (mut look, _) = self.changed.wait_timeout(look, EVERY).unwrap_or_else(PoisonError::into_inner);
        if look.closed || self.watchers.is_empty() {
            look.polling = false;
        }
        look.polling
    }
}

/// What the thread knows.
#[derive(Default)]
struct Eyes {
    connection: Option<Connection>,
    version: i64,
    looks: u32,
    /// Those whose end the watchers were told of.
    dead: HashSet<i64>,
}

impl Eyes {
    /// Whether there is something that the watchers were not told of.
    fn look(&mut self, watch: &Watch) -> rusqlite::Result<bool> {
        if self.connection.is_none() {
            self.connection = connect::reader(&watch.place, &watch.options).ok();
        }
        let Some(connection) = &self.connection else { return Ok(false) };
        let mut new = false;
        let version =
            connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get::<_, i64>(0))?;
        if self.version != version {
            self.version = version;
            let signal = signal(connection)?;
            let mut look = lock(&watch.look);
            new = look.seen != signal;
            look.seen = signal;
        }
        self.looks += 1;
        if self.looks.is_multiple_of(LOOKS) {
            let mut holders = connection.prepare_cached(
                "SELECT id, lock, expires FROM holder WHERE EXISTS (SELECT 1 FROM run WHERE holder = holder.id)",
            )?;
            let mut rows = holders.query([])?;
            let now = nanoseconds((watch.options.clock)());
            while let Some(row) = rows.next()? {
                let (id, lock) = (row.get(0)?, row.get::<_, String>(1)?);
                if is_dead(&watch.place.holders, &lock, row.get(2)?, now) {
                    new |= self.dead.insert(id);
                }
            }
        }
        Ok(new)
    }
}

/// The number that changes when there is something to look at.
pub(super) fn signal(connection: &Connection) -> rusqlite::Result<i64> {
    let mut read = connection.prepare_cached("SELECT value FROM sequence WHERE name = 'signal'")?;
    read.query_row([], |row| row.get(0))
}
