//! Creates and deletes runs.

use std::path::Path;
use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::ids::RunId;
use workflow_core::store::{Lease, NewRun, RunSlot, StoreError};

use super::append::{Events, Head};
use super::column::key;
use super::column::{nanoseconds, signed};
use super::fault::{Outcome, unwritable};
use super::lease;
use super::slots;
use super::writing::{Held, SlotPlace, Writing};

/// An encoded new run.
pub(super) struct Creation {
    id: RunId,
    workflow: Box<str>,
    created_at: i64,
    hash: BundleHash,
    bundle: Arc<Bundle>,
    slot: Option<Arc<RunSlot>>,
    events: Events,
    head: Head,
    priority: i8,
}

impl Creation {
    pub(super) fn new(path: &Path, run: NewRun) -> Result<Self, StoreError> {
        Ok(Self {
            events: Events::new(path, &run.id, 0, &run.events)?,
            head: Head::new(path, &run.head)?,
            id: run.id,
            workflow: run.head.workflow_id.as_str().into(),
            created_at: nanoseconds(run.head.created_at),
            hash: run.head.bundle,
            slot: run.head.slot,
            priority: run.head.priority.get(),
            bundle: run.bundle,
        })
    }

    /// Stores the run, and gives out its lease, unless the caller is gone.
    pub(super) fn write(&self, writing: &mut Writing, wanted: bool) -> Outcome<Vec<Lease>> {
        self.events.check()?;
        if key(&writing.connection, &self.id)?.is_some() {
            return Err(StoreError::Exists(self.id.clone()).into());
        }
        let behind = match &self.slot {
            Some(slot) => slots::behind(writing, slot)?,
            None => None,
        };
        let bundle = self.bundle(writing)?;
        let holder = if wanted { Some(writing.register()?) } else { None };
        let epoch = writing.epochs(1)?;
        let sql = "INSERT INTO run
            (id, workflow, status, created_at, completed_at, wakes, bundle, head, obeyed, epoch, holder, priority)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let obeyed = self.events.obeyed.unwrap_or(0);
        writing.execute(
            sql,
            (
                self.id.as_str(),
                &self.workflow,
                self.head.status,
                self.created_at,
                self.head.completed_at,
                self.head.wakes.filter(|_| behind.is_none()),
                bundle,
                &self.head.text,
                signed(obeyed),
                signed(epoch),
                holder,
                self.priority,
            ),
        )?;
        let key = writing.connection.last_insert_rowid();
        if let Some(slot) = &self.slot {
            slots::add(writing, key, slot, behind.as_ref())?;
        }
        let last = self.events.write(writing, key)?;
        if holder.is_none() {
            writing.after.claimable = true;
            writing.signal()?;
            return Ok(Vec::new());
        }
        let generation = writing.generation();
        let slot = SlotPlace::of(self.slot.as_ref().map(|_| i64::from(behind.is_none())));
        let held = Held { key, epoch, last, asked: 0, given: obeyed, output: None, slot, generation };
        writing.keep(&self.id, held);
        Ok(vec![Lease { run: self.id.clone(), epoch, previous: 0, deaths: 0, behind }])
    }

    /// The key of the bundle, which is stored if it is not there yet.
    fn bundle(&self, writing: &Writing) -> Outcome<i64> {
        let mut find = writing.statement("SELECT key FROM bundle WHERE hash = ?1")?;
        if let Some(key) = find.query_row([self.hash.as_str()], |row| row.get(0)).optional()? {
            return Ok(key);
        }
        let path = &writing.place.path;
        let text = self.bundle.to_json().map_err(|error| unwritable(path, error))?;
        if BundleHash::of(&text) != self.hash {
            let place = format!("{}, run `{}`", path.display(), self.id);
            let message = "the hash of the bundle differs from the hash that the run names".to_owned();
            return Err(StoreError::Corrupt { place, message }.into());
        }
        let sql = "INSERT INTO bundle (hash, body) VALUES (?1, ?2)";
        writing.execute(sql, (self.hash.as_str(), text))?;
        Ok(writing.connection.last_insert_rowid())
    }
}

/// Deletes a run that no living process holds.
pub(super) fn delete(writing: &mut Writing, run: &RunId) -> Outcome<()> {
    let (key, slot) = lease::free(writing, run)?;
    if slot != SlotPlace::None {
        slots::free(writing, key)?;
    }
    remove(writing, key)?;
    Ok(())
}

/// Deletes a run with all its rows, and its bundle after the last run that uses it.
pub(super) fn remove(writing: &Writing, key: i64) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM event WHERE run = ?1",
        "DELETE FROM output WHERE run = ?1",
        "DELETE FROM control WHERE run = ?1",
        "DELETE FROM notice WHERE run = ?1",
    ] {
        writing.execute(sql, [key])?;
    }
    let sql = "DELETE FROM run WHERE key = ?1 RETURNING bundle";
    let bundle: i64 = writing.statement(sql)?.query_row([key], |row| row.get(0))?;
    let sql = "DELETE FROM bundle WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM run WHERE bundle = ?1)";
    writing.execute(sql, [bundle])?;
    Ok(())
}
