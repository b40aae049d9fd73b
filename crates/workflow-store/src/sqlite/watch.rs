//! Notifies watchers of control requests by other processes, and of claimable runs.
//!
//! A control request from this process calls the watchers directly. For other processes a thread polls, while
//! there are watchers: first whether anything was written at all, and only then the signal number that such
//! changes increment.

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

/// How often the thread polls.
const EVERY: Duration = Duration::from_millis(25);

/// Every this many polls it also looks for processes that died or whose leases expired.
const LOOKS: u32 = 20;

/// The watchers, and the thread that polls for them.
pub(super) struct Watch {
    place: Arc<Place>,
    options: SqliteOptions,
    watchers: Watchers,
    look: Mutex<Look>,
    changed: Condvar,
}

#[derive(Default)]
struct Look {
    /// The signal number that was last seen.
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
                Err(error) => {
                    tracing::error!(%error, "cannot watch for control requests of other processes; they are noticed late");
                }
            }
        }
        watching
    }

    pub(super) fn call(&self, run: Option<&RunId>) {
        self.watchers.call(run);
    }

    /// This store has incremented the number to `signal`, and calls the watchers itself.
    pub(super) fn sent(&self, signal: i64) {
        let mut look = lock(&self.look);
        // If no other process incremented it in between, the watchers need no second call.
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
            // The panic of a watcher was reported already.
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
                        tracing::error!(%error, "cannot poll for control requests of other processes; they are noticed late");
                    }
                    eyes.connection = None;
                }
            }
        }
    }

    /// Waits until the next poll; `false` if the thread must stop.
    fn wait(&self) -> bool {
        let look = lock(&self.look);
        let (mut look, _) = self.changed.wait_timeout(look, EVERY).unwrap_or_else(PoisonError::into_inner);
        if look.closed || self.watchers.is_empty() {
            look.polling = false;
        }
        look.polling
    }
}

/// The state of the polling thread.
#[derive(Default)]
struct Eyes {
    connection: Option<Connection>,
    version: i64,
    looks: u32,
    /// The dead holders that were reported to the watchers.
    dead: HashSet<i64>,
}

impl Eyes {
    /// Whether there is a change that the watchers were not told of.
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

/// The signal number, which is incremented when there is a change.
pub(super) fn signal(connection: &Connection) -> rusqlite::Result<i64> {
    let mut read = connection.prepare_cached("SELECT value FROM sequence WHERE name = 'signal'")?;
    read.query_row([], |row| row.get(0))
}
