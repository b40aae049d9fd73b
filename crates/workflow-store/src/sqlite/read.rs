//! Reads of runs. All methods block, on the threads of readers.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _};
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::order::run_not_found;
use workflow_core::store::window::WindowScan;
use workflow_core::store::{ControlRecord, OutputFilter, OutputWindow, StoreError};

use super::column::{key, signed, unsigned};
use super::controls;
use super::fault::{Fault, Outcome, corrupt};
use super::lines;
use super::place::Place;

/// A connection within a transaction that sees one state of the database.
pub(super) struct Reading<'a> {
    pub(super) connection: &'a Connection,
    pub(super) place: &'a Place,
    pub(super) now: i64,
}

impl Reading<'_> {
    pub(super) fn key(&self, run: &RunId) -> Outcome<i64> {
        Ok(key(self.connection, run)?.ok_or_else(|| run_not_found(run))?)
    }

    pub(super) fn corrupt(&self, place: &str, message: &str) -> Fault {
        Fault::Refused(corrupt(format!("{}, {place}", self.place.path.display()), message))
    }

    pub(super) fn events(&self, run: &RunId, after: u64, limit: usize) -> Outcome<Vec<Event>> {
        let mut events: Vec<Event> = Vec::new();
        let key = self.key(run)?;
        let sql = "SELECT number, body FROM event WHERE run = ?1 AND number > ?2 ORDER BY number";
        let mut find = self.connection.prepare_cached(sql)?;
        let mut rows = find.query((key, signed(after)))?;
        while events.len() < limit
            && let Some(row) = rows.next()?
        {
            let (last, body) = (unsigned(row.get(0)?), row.get_ref(1)?.as_str().unwrap_or_default());
            let first = (last + 1).saturating_sub(body.lines().count() as u64);
            for (number, line) in (first..=last).zip(body.lines()) {
                let expected = after + 1 + events.len() as u64;
                if number < expected && events.is_empty() {
                    continue;
                }
                if events.len() >= limit {
                    break;
                }
                let place = || format!("run `{run}`, event {expected}");
                let event: Event =
                    lines::read(line).map_err(|error| self.corrupt(&place(), &error.to_string()))?;
                if number != expected || event.seq != expected {
                    let message = format!("found event {} in its place", event.seq);
                    return Err(self.corrupt(&place(), &message));
                }
                events.push(event);
            }
        }
        Ok(events)
    }

    pub(super) fn output(&self, run: &RunId, after: u64, limit: usize) -> Outcome<Vec<OutputEntry>> {
        let mut entries: Vec<OutputEntry> = Vec::new();
        let key = self.key(run)?;
        let sql = "SELECT body FROM output WHERE run = ?1 AND number > ?2 ORDER BY number";
        let mut find = self.connection.prepare_cached(sql)?;
        let mut rows = find.query((key, signed(after)))?;
        while entries.len() < limit
            && let Some(row) = rows.next()?
        {
            for line in row.get_ref(0)?.as_str().unwrap_or_default().lines() {
                match lines::read::<OutputEntry>(line) {
                    Ok(entry) if entry.number > after && entries.len() < limit => entries.push(entry),
                    Ok(_) => {}
                    // Gaps in the numbers show that entries are missing.
                    Err(error) => tracing::warn!(%run, %error, "skipped a damaged output entry"),
                }
            }
        }
        Ok(entries)
    }

    pub(super) fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Outcome<OutputWindow> {
        let key = self.key(run)?;
        let mut scan = WindowScan::new(filter);
        let (after, before) = scan.range();
        // A row has the number of its last entry: the first row that ends at or after `before` may begin before it.
        let sql = format!(
            "SELECT body FROM output WHERE run = ?1 AND number > ?2 AND number <= coalesce(
                (SELECT min(number) FROM output WHERE run = ?1 AND number >= ?3), ?3) ORDER BY number {}",
            if scan.is_backwards() { "DESC" } else { "ASC" }
        );
        let mut find = self.connection.prepare_cached(&sql)?;
        let mut rows = find.query((key, signed(after), signed(before)))?;
        while !scan.is_done()
            && let Some(row) = rows.next()?
        {
            let lines = row.get_ref(0)?.as_bytes().unwrap_or_default();
            scan.add_lines(lines, |error| tracing::warn!(%run, %error, "skipped a damaged output entry"));
        }
        Ok(scan.finish())
    }

    pub(super) fn last_output(&self, run: &RunId) -> Outcome<u64> {
        let key = self.key(run)?;
        let mut find = self.connection.prepare_cached("SELECT max(number) FROM output WHERE run = ?1")?;
        let last: Option<i64> = find.query_row([key], |row| row.get(0))?;
        Ok(last.map_or(0, unsigned))
    }

    pub(super) fn controls(&self, run: &RunId, after: u64) -> Outcome<Vec<ControlRecord>> {
        Ok(controls::controls(self.connection, self.key(run)?, after)?)
    }

    pub(super) fn bundle(&self, hash: &BundleHash) -> Outcome<Arc<Bundle>> {
        let mut find = self.connection.prepare_cached("SELECT body FROM bundle WHERE hash = ?1")?;
        let text: Option<String> = find.query_row([hash.as_str()], |row| row.get(0)).optional()?;
        let text = text.ok_or_else(|| StoreError::NotFound(format!("bundle `{hash}`")))?;
        let damaged = |message: &str| self.corrupt(&format!("bundle `{hash}`"), message);
        if BundleHash::of(&text) != *hash {
            return Err(damaged("the hash of its content differs: it was changed or damaged"));
        }
        Ok(Arc::new(Bundle::from_json(&text).map_err(|error| damaged(&error.to_string()))?))
    }
}
