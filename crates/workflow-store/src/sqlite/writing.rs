//! The one connection that writes, and its cached state.
//!
//! The store need not read again what it has written itself. One number tells whether another process has
//! written since. It is read once in each transaction, when other processes can no longer write; only if it
//! has changed are the lease and the control requests of a run read again. So appends of many runs share one
//! check, which is as strict as one check each.

use std::collections::HashMap;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params};
use workflow_core::ids::RunId;
use workflow_core::store::{Lease, StoreError};

use super::column::{nanoseconds, unsigned};
use super::fault::Outcome;
use super::options::SqliteOptions;
use super::place::Place;
use super::registration::Registration;

/// The connection that writes; within a transaction while jobs are executed.
pub(super) struct Writing {
    pub(super) connection: Connection,
    pub(super) place: Arc<Place>,
    pub(super) options: SqliteOptions,
    /// The number that changes when another process has written.
    version: Option<i64>,
    /// Incremented when another process has written.
    generation: u64,
    /// The start time of this transaction, in nanoseconds.
    pub(super) now: i64,
    /// The runs that this store drives.
    held: HashMap<RunId, Held>,
    pub(super) registration: Option<Registration>,
    /// Leases that must still be released: their former holders do not try again.
    owed: Vec<Lease>,
    /// Whether this transaction releases them.
    paid: bool,
    /// The state before this transaction.
    undo: Undo,
    /// What to do after the transaction.
    pub(super) after: After,
}

/// What a run has to do with a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotPlace {
    /// It needs none, or has ended.
    None,
    /// It has the slot.
    Held,
    /// It waits for the slot.
    Queued,
}

impl SlotPlace {
    /// By the column `held` of its row.
    pub(super) fn of(held: Option<i64>) -> Self {
        match held {
            None => Self::None,
            Some(0) => Self::Queued,
            Some(_) => Self::Held,
        }
    }
}

/// The cached state of a run that this store drives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) key: i64,
    pub(super) epoch: u64,
    /// The number of its last event.
    pub(super) last: u64,
    /// The last control request, and the last one that was delivered to this lease.
    pub(super) asked: u64,
    pub(super) given: u64,
    /// The number of its last output entry, and the size of all; `None` until there is one.
    pub(super) output: Option<(u64, u64)>,
    /// What it has to do with a slot.
    pub(super) slot: SlotPlace,
    /// The generation at which its lease was last checked.
    pub(super) generation: u64,
}

#[derive(Default)]
struct Undo {
    held: Vec<(RunId, Option<Held>)>,
    registration: Option<Registration>,
}

/// The effects of a stored transaction.
#[derive(Default)]
pub(super) struct After {
    /// The runs with new control requests.
    pub(super) asked: Vec<RunId>,
    /// Whether a run can be claimed.
    pub(super) claimable: bool,
    /// The lock files of dead holders.
    pub(super) buried: Vec<PathBuf>,
    /// The new signal number.
    pub(super) signal: Option<i64>,
}

impl Writing {
    pub(super) fn new(connection: Connection, place: Arc<Place>, options: SqliteOptions) -> Self {
        Self {
            connection,
            place,
            options,
            version: None,
            generation: 0,
            now: 0,
            held: HashMap::new(),
            registration: None,
            owed: Vec::new(),
            paid: false,
            undo: Undo::default(),
            after: After::default(),
        }
    }

    /// Begins a transaction: no other process writes until it ends.
    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        let version = self.start()?;
        if self.version != Some(version) {
            self.version = Some(version);
            self.generation += 1;
            self.look_after_registration()?;
        }
        Ok(())
    }

    /// The same, unless another process is writing, or has written: then it may have copied the log, and a commit that
    /// restarts the log waits for the disk. Returns whether the transaction has begun.
    pub(super) fn begin_now(&mut self) -> bool {
        if self.connection.busy_timeout(Duration::ZERO).is_err() {
            return false;
        }
        let version = self.start();
        let reset = self.connection.busy_timeout(self.options.busy_timeout);
        let begun = reset.is_ok() && version.is_ok_and(|version| self.version == Some(version));
        if !begun {
            self.roll_back();
        }
        begun
    }

    /// Returns the number that changes when another process has written.
    fn start(&mut self) -> rusqlite::Result<i64> {
        self.undo.registration = self.registration.clone();
        self.execute("BEGIN IMMEDIATE", [])?;
        self.now = nanoseconds((self.options.clock)());
        self.statement("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    /// Whether this store drives one run.
    pub(super) fn is_alone(&self) -> bool {
        self.held.len() == 1
    }

    /// Commits it, and returns its effects.
    pub(super) fn commit(&mut self) -> rusqlite::Result<After> {
        self.execute("COMMIT", [])?;
        self.undo = Undo::default();
        if mem::take(&mut self.paid) {
            self.owed.clear();
        }
        Ok(mem::take(&mut self.after))
    }

    /// Rolls it back, together with the state that was cached during it.
    pub(super) fn roll_back(&mut self) {
        if !self.connection.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK", [])
        {
            tracing::error!(%error, "cannot roll back a transaction");
        }
        for (run, held) in mem::take(&mut self.undo.held).into_iter().rev() {
            match held {
                Some(held) => self.held.insert(run, held),
                None => self.held.remove(&run),
            };
        }
        self.registration = self.undo.registration.take();
        self.after = After::default();
        self.paid = false;
        // Data of other processes that was read within it is read again.
        self.version = None;
    }

    /// Invalidates the cache, as if another process had written.
    pub(super) fn look_again(&mut self) {
        self.generation += 1;
    }

    pub(super) fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.statement(sql)?.execute(params)
    }

    pub(super) fn statement(&self, sql: &str) -> rusqlite::Result<CachedStatement<'_>> {
        self.connection.prepare_cached(sql)
    }

    /// The run of a valid lease.
    pub(super) fn held(&mut self, lease: &Lease) -> Outcome<Held> {
        let fenced = || StoreError::Fenced(lease.run.clone());
        let known = self.held.get(&lease.run).filter(|held| held.epoch == lease.epoch).copied();
        let mut held = known.ok_or_else(fenced)?;
        let registration = self.good_registration().ok_or_else(fenced)?;
        if held.generation != self.generation {
            let sql = "SELECT epoch, holder, (SELECT max(number) FROM control WHERE run = key),
                    (SELECT held FROM slot WHERE run = key)
                FROM run WHERE key = ?1";
            let row = self.statement(sql)?.query_row([held.key], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, Option<i64>>(1)?,
                    row.get::<_, Option<i64>>(2)?,
                    SlotPlace::of(row.get(3)?),
                ))
            });
            let Some((epoch, holder, asked, slot)) = row.optional()? else {
                self.forget(&lease.run);
                return Err(fenced().into());
            };
            if unsigned(epoch) != held.epoch || holder != Some(registration) {
                self.forget(&lease.run);
                return Err(fenced().into());
            }
            held.asked = asked.map_or(0, unsigned);
            held.slot = slot;
            held.generation = self.generation;
            self.keep(&lease.run, held);
        }
        Ok(held)
    }

    /// Caches a run whose lease was just given out, or updates the cache of a held run.
    pub(super) fn keep(&mut self, run: &RunId, held: Held) {
        let before = self.held.insert(run.clone(), held);
        self.undo.held.push((run.clone(), before));
    }

    /// Removes a run from the cache.
    pub(super) fn forget(&mut self, run: &RunId) {
        if let Some(before) = self.held.remove(run) {
            self.undo.held.push((run.clone(), Some(before)));
        }
    }

    /// Removes all runs from the cache. Returns whether there were any.
    pub(super) fn forget_all(&mut self) -> bool {
        let held = mem::take(&mut self.held);
        let any = !held.is_empty();
        self.undo.held.extend(held.into_iter().map(|(run, held)| (run, Some(held))));
        any
    }

    /// Remembers leases that have to be released, until that is stored.
    pub(super) fn owe(&mut self, leases: &[Lease]) {
        self.owed.extend_from_slice(leases);
    }

    /// The leases that this transaction must release.
    pub(super) fn pay(&mut self) -> Vec<Lease> {
        self.paid = true;
        self.owed.clone()
    }

    /// The cached state of a run, if this store drives it.
    pub(super) fn holding(&self, run: &RunId) -> Option<Held> {
        self.held.get(run).copied()
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Reserves `count` epochs that no other process gets, and returns the first of them.
    pub(super) fn epochs(&self, count: usize) -> rusqlite::Result<u64> {
        let sql = "UPDATE sequence SET value = value + ?1 WHERE name = 'epoch' RETURNING value";
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let last: i64 = self.statement(sql)?.query_row([count], |row| row.get(0))?;
        Ok(unsigned(last - count + 1))
    }

    /// Signals a change to other processes.
    pub(super) fn signal(&mut self) -> rusqlite::Result<()> {
        if self.after.signal.is_none() {
            let sql = "UPDATE sequence SET value = value + 1 WHERE name = 'signal' RETURNING value";
            let value = self.statement(sql)?.query_row([], |row| row.get(0))?;
            self.after.signal = Some(value);
        }
        Ok(())
    }
}
