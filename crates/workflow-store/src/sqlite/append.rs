//! Events: written once, at the end of their table.

use std::path::Path;

use workflow_core::event::Event;
use workflow_core::store::order::{check_numbers, control_of};
use workflow_core::store::{ControlRecord, Lease, RunHead, StoreError};

use super::column::{nanoseconds, signed, text};
use super::controls::controls;
use super::fault::{Outcome, unwritable};
use super::lines::{Row, rows};
use super::slots;
use super::writing::{Held, SlotPlace, Writing};

/// A new row of events starts after this many bytes.
const ROW: usize = 64 << 10;

/// An append, encoded on the caller's thread.
pub(super) struct Append {
    lease: Lease,
    expected: u64,
    pub(super) events: Events,
    head: Option<Head>,
}

/// Encoded events.
pub(super) struct Events {
    rows: Vec<Row>,
    count: u64,
    /// The last control request that one of them applies.
    pub(super) obeyed: Option<u64>,
    /// Why they cannot be stored.
    misnumbered: Option<StoreError>,
}

/// An encoded head.
pub(super) struct Head {
    pub(super) text: String,
    pub(super) status: &'static str,
    pub(super) completed_at: Option<i64>,
    /// The time at which the run can continue by itself.
    pub(super) wakes: Option<i64>,
    /// Whether the run has ended.
    ended: bool,
}

impl Head {
    pub(super) fn new(path: &Path, head: &RunHead) -> Result<Self, StoreError> {
        Ok(Self {
            text: serde_json::to_string(head).map_err(|error| unwritable(path, error))?,
            status: head.status.as_str(),
            completed_at: head.completed_at.map(nanoseconds),
            wakes: head.goes_on_from().map(nanoseconds),
            ended: head.status.is_terminal(),
        })
    }
}

impl Events {
    pub(super) fn new(
        path: &Path,
        run: &workflow_core::ids::RunId,
        expected: u64,
        events: &[Event],
    ) -> Result<Self, StoreError> {
        Ok(Self {
            rows: rows(events, ROW, |event| event.seq).map_err(|error| unwritable(path, error))?,
            count: events.len() as u64,
            obeyed: events.iter().filter_map(|event| control_of(&event.body)).max(),
            misnumbered: check_numbers(run, expected, events).err(),
        })
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.misnumbered.clone().map_or(Ok(()), Err)
    }

    pub(super) fn write(&self, writing: &Writing, run: i64) -> rusqlite::Result<u64> {
        for row in &self.rows {
            let sql = "INSERT INTO event (run, number, body) VALUES (?1, ?2, ?3)";
            writing.execute(sql, (run, signed(row.last), text(&row.body)))?;
        }
        Ok(self.count)
    }
}

impl Append {
    pub(super) fn new(
        path: &Path,
        lease: &Lease,
        expected: u64,
        events: &[Event],
        head: Option<&RunHead>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            lease: lease.clone(),
            expected,
            events: Events::new(path, &lease.run, expected, events)?,
            head: head.map(|head| Head::new(path, head)).transpose()?,
        })
    }

    pub(super) fn write(&self, writing: &mut Writing) -> Outcome<Vec<ControlRecord>> {
        let run = &self.lease.run;
        let held = writing.held(&self.lease)?;
        if held.last != self.expected {
            let (expected, actual) = (self.expected, held.last);
            return Err(StoreError::Conflict { run: run.clone(), expected, actual }.into());
        }
        self.events.check()?;
        let ends = self.head.as_ref().is_some_and(|head| head.ended);
        let only_checks = self.events.count == 0 && self.head.is_none();
        if held.slot == SlotPlace::Queued && !only_checks && !ends {
            let behind = slots::behind_of(writing, held.key)?;
            let run = run.clone();
            return Err(behind
                .map_or_else(
                    || StoreError::Fenced(run.clone()),
                    |behind| StoreError::Queued { run: run.clone(), behind },
                )
                .into());
        }
        let count = self.events.write(writing, held.key)?;
        if let Some(head) = &self.head {
            let sql = "UPDATE run SET head = ?2, status = ?3, completed_at = ?4, wakes = ?5 WHERE key = ?1";
            writing.execute(sql, (held.key, &head.text, head.status, head.completed_at, head.wakes))?;
        }
        if let Some(obeyed) = self.events.obeyed {
            let sql = "UPDATE run SET obeyed = ?2 WHERE key = ?1 AND obeyed < ?2";
            writing.execute(sql, (held.key, signed(obeyed)))?;
        }
        let new = if held.asked > held.given {
            controls(&writing.connection, held.key, held.given)?
        } else {
            Vec::new()
        };
        let mut held = Held { last: held.last + count, given: held.asked, ..held };
        if ends && held.slot != SlotPlace::None {
            slots::free(writing, held.key)?;
            held.slot = SlotPlace::None;
        }
        writing.keep(run, held);
        Ok(new)
    }
}
