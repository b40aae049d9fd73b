//! Reads of runs. All methods block, on the threads of readers.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::output::OutputEntry;
use workflow_core::store::order::run_not_found;
use workflow_core::store::window::WindowScan;
use workflow_core::store::{
    ControlRecord, OutputFilter, OutputWindow, RunFilter, RunHead, RunRecord, StoreError,
};

use super::column::{key, nanoseconds, signed, unsigned};
use super::controls;
use super::fault::{Fault, Outcome, corrupt};
use super::lines;
use super::place::Place;
use super::registration::is_dead;
use crate::labels::fragments;

/// A connection within a transaction that sees one state of the database.
pub(super) struct Reading<'a> {
    pub(super) connection: &'a Connection,
    pub(super) place: &'a Place,
    pub(super) now: i64,
}

impl Reading<'_> {
    fn key(&self, run: &RunId) -> Outcome<i64> {
        Ok(key(self.connection, run)?.ok_or_else(|| run_not_found(run))?)
    }

    fn corrupt(&self, place: &str, message: &str) -> Fault {
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

    pub(super) fn get(&self, run: &RunId) -> Outcome<RunRecord> {
        let sql = format!("SELECT {COLUMNS} WHERE run.id = ?1");
        let mut find = self.connection.prepare_cached(&sql)?;
        let listed = find.query_row([run.as_str()], Listed::read).optional()?;
        let listed = listed.ok_or_else(|| run_not_found(run))?;
        let head =
            listed.head().map_err(|error| self.corrupt(&format!("run `{run}`"), &error.to_string()))?;
        let holder = listed.holder.filter(|holder| !holder.is_dead(self));
        Ok(RunRecord { run_id: run.clone(), head, holder: holder.map(|holder| holder.name) })
    }

    pub(super) fn list(&self, filter: &RunFilter) -> Outcome<Vec<RunRecord>> {
        let after = match &filter.after {
            Some(run) => {
                let key = self.key(run)?;
                let sql = "SELECT created_at FROM run WHERE key = ?1";
                let at: i64 = self.connection.prepare_cached(sql)?.query_row([key], |row| row.get(0))?;
                Some((at, run))
            }
            None => None,
        };
        let mut found = Vec::new();
        if filter.statuses.is_empty() {
            self.find(filter, None, after, &mut found)?;
        } else {
            // Queries each status with its own index; one query for all would have to sort.
            for status in &filter.statuses {
                self.find(filter, Some(status.as_str()), after, &mut found)?;
            }
            found.sort_unstable_by(|a, b| b.created_at.cmp(&a.created_at).then_with(|| b.id.cmp(&a.id)));
            found.dedup_by(|a, b| a.id == b.id);
        }
        found.truncate(filter.limit.unwrap_or(usize::MAX));
        let mut living = HashMap::new();
        let records = found.into_iter().filter_map(|listed| {
            let alive = listed.holder.as_ref().is_some_and(|holder| {
                *living.entry(holder.lock.clone()).or_insert_with(|| !holder.is_dead(self))
            });
            // A damaged run must not hide the others, and is listed too. Reading it reports the damage.
            let damaged = |error: &dyn std::fmt::Display| {
                tracing::error!(run = listed.id, %error, "a run is damaged");
            };
            let run_id = RunId::new(&listed.id).inspect_err(|error| damaged(error)).ok()?;
            let head = match listed.head() {
                Ok(head) => head,
                Err(error) => {
                    damaged(&error);
                    self.head_by_columns(&run_id)?
                }
            };
            let holder = listed.holder.filter(|_| alive).map(|holder| holder.name);
            Some(RunRecord { run_id, head, holder })
        });
        Ok(records.collect())
    }

    /// The known fields of a run whose head cannot be read.
    fn head_by_columns(&self, run: &RunId) -> Option<RunHead> {
        let sql = "SELECT workflow, status, created_at, hash FROM run JOIN bundle ON bundle.key = run.bundle
            WHERE id = ?1";
        let columns = |row: &Row<'_>| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?, row.get::<_, String>(3)?))
        };
        let (workflow, status, created_at, bundle) =
            self.connection.query_row(sql, [run.as_str()], columns).ok()?;
        let created_at: i64 = created_at;
        Some(RunHead {
            workflow_id: WorkflowId::new(workflow).ok()?,
            bundle: serde_json::from_value(bundle.into()).ok()?,
            status: serde_json::from_value(status.into()).ok()?,
            wait: None,
            created_at: Timestamp::from_nanosecond(created_at.into()).ok()?,
            started_at: None,
            completed_at: None,
            error: None,
            labels: BTreeMap::new(),
        })
    }

    fn find(
        &self,
        filter: &RunFilter,
        status: Option<&'static str>,
        after: Option<(i64, &RunId)>,
        found: &mut Vec<Listed>,
    ) -> rusqlite::Result<()> {
        let mut values: Vec<Value> = Vec::new();
        let sql = query(filter, status, after, &mut values);
        let mut find = self.connection.prepare_cached(&sql)?;
        let mut rows = find.query(params_from_iter(values))?;
        let mut left = filter.limit.unwrap_or(usize::MAX);
        while left > 0
            && let Some(row) = rows.next()?
        {
            let listed = Listed::read(row)?;
            if filter.labels.is_empty() || listed.head().is_ok_and(|head| filter.matches(&head)) {
                found.push(listed);
                left -= 1;
            }
        }
        Ok(())
    }
}

const COLUMNS: &str = "run.id, run.created_at, run.head, holder.name, holder.lock, holder.expires
    FROM run LEFT JOIN holder ON holder.id = run.holder";

/// The query of a list, the newest first. It finds all runs that the filter selects; with a filter by labels
/// it may find others.
fn query(
    filter: &RunFilter,
    status: Option<&'static str>,
    after: Option<(i64, &RunId)>,
    values: &mut Vec<Value>,
) -> String {
    let mut sql = format!("SELECT {COLUMNS} WHERE true");
    let mut and = |condition: &str, new: Vec<Value>| {
        sql.push_str(" AND ");
        sql.push_str(condition);
        values.extend(new);
    };
    if let Some(workflow) = &filter.workflow {
        and("run.workflow = ?", vec![workflow.as_str().to_owned().into()]);
    }
    if let Some(status) = status {
        // With both filters, the index by workflow is used.
        let column = if filter.workflow.is_some() { "+run.status" } else { "run.status" };
        and(&format!("{column} = ?"), vec![status.to_owned().into()]);
    }
    if let Some(from) = filter.created_from {
        and("run.created_at >= ?", vec![nanoseconds(from).into()]);
    }
    if let Some(before) = filter.created_before {
        and("run.created_at < ?", vec![nanoseconds(before).into()]);
    }
    if let Some((at, run)) = after {
        and("(run.created_at, run.id) < (?, ?)", vec![at.into(), run.as_str().to_owned().into()]);
    }
    for fragment in fragments(&filter.labels) {
        and("instr(run.head, ?) > 0", vec![fragment.into()]);
    }
    sql.push_str(" ORDER BY run.created_at DESC, run.id DESC");
    // With a filter by labels the query may find more than the filter selects.
    if let Some(limit) = filter.limit.filter(|_| filter.labels.is_empty()) {
        sql.push_str(" LIMIT ?");
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    }
    sql
}

/// A run as a list query finds it.
struct Listed {
    id: String,
    created_at: i64,
    head: Vec<u8>,
    holder: Option<Holder>,
}

struct Holder {
    name: String,
    lock: String,
    expires: i64,
}

impl Listed {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let holder = match row.get(3)? {
            Some(name) => Some(Holder { name, lock: row.get(4)?, expires: row.get(5)? }),
            None => None,
        };
        // Damaged data can be anything, including invalid UTF-8.
        let head = row.get_ref(2)?.as_bytes()?.to_vec();
        Ok(Self { id: row.get(0)?, created_at: row.get(1)?, head, holder })
    }

    fn head(&self) -> serde_json::Result<RunHead> {
        serde_json::from_slice(&self.head)
    }
}

impl Holder {
    fn is_dead(&self, reading: &Reading<'_>) -> bool {
        is_dead(&reading.place.holders, &self.lock, self.expires, reading.now)
    }
}
