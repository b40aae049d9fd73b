//! Lists of runs, and how many there are.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, params_from_iter};
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::priority::Priority;
use workflow_core::store::order::run_not_found;
use workflow_core::store::{RunFilter, RunHead, RunRecord};

use super::column::{nanoseconds, unsigned};
use super::fault::Outcome;
use super::read::Reading;
use super::registration::is_dead;
use crate::labels::{fragments, is_exact, reasons, text};

impl Reading<'_> {
    pub(super) fn get(&self, run: &RunId) -> Outcome<RunRecord> {
        let sql = format!("SELECT {COLUMNS} WHERE run.id = ?1");
        let mut find = self.connection.prepare_cached(&sql)?;
        let listed = find.query_row([run.as_str()], Listed::read).optional()?;
        let listed = listed.ok_or_else(|| run_not_found(run))?;
        let head =
            listed.head().map_err(|error| self.corrupt(&format!("run `{run}`"), &error.to_string()))?;
        let holder = listed.holder.filter(|holder| !holder.is_dead(self));
        Ok(RunRecord { run_id: run.clone(), head, holder: holder.map(|holder| holder.name), behind: None })
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
            Some(RunRecord { run_id, head, holder, behind: None })
        });
        Ok(records.collect())
    }

    pub(super) fn count(&self, filter: &RunFilter) -> Outcome<u64> {
        if is_exact(filter) {
            let mut values: Vec<Value> = Vec::new();
            let mut all = conditions(filter, &mut values, "run.completed_at");
            if !filter.statuses.is_empty() {
                let statuses: Vec<_> = filter.statuses.iter().map(|status| format!("'{status}'")).collect();
                all.push(format!("run.status IN ({})", statuses.join(", ")));
            }
            let sql = format!("SELECT count(*) FROM run WHERE {}", all.join(" AND "));
            let mut count = self.connection.prepare_cached(&sql)?;
            return Ok(unsigned(count.query_row(params_from_iter(values), |row| row.get(0))?));
        }
        let mut filter = filter.clone();
        (filter.after, filter.limit) = (None, None);
        let mut found = Vec::new();
        if filter.statuses.is_empty() {
            self.find(&filter, None, None, &mut found)?;
        }
        let mut counted = Vec::new();
        for status in &filter.statuses {
            if !counted.contains(status) {
                self.find(&filter, Some(status.as_str()), None, &mut found)?;
                counted.push(*status);
            }
        }
        Ok(found.len() as u64)
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
            forked_from: None,
            started_by: None,
            stopped_by: None,
            progress: None,
            slot: None,
            priority: Priority::NORMAL,
            parent: None,
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
        let exact = is_exact(filter);
        let mut left = filter.limit.unwrap_or(usize::MAX);
        while left > 0
            && let Some(row) = rows.next()?
        {
            let listed = Listed::read(row)?;
            if exact || listed.is_selected(filter) {
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
    let mut all = Vec::new();
    if let Some(status) = status {
        // With both filters, the index by workflow is used.
        let column = if filter.workflow.is_some() { "+run.status" } else { "run.status" };
        all.push(format!("{column} = ?"));
        values.push(status.to_owned().into());
    }
    if let Some((at, run)) = after {
        all.push("(run.created_at, run.id) < (?, ?)".to_owned());
        values.extend([at.into(), run.as_str().to_owned().into()]);
    }
    // The index of ends has another order than a list.
    all.extend(conditions(filter, values, "ifnull(run.completed_at, NULL)"));
    let all = all.join(" AND ");
    let mut sql = format!("SELECT {COLUMNS} WHERE {all} ORDER BY run.created_at DESC, run.id DESC");
    if let Some(limit) = filter.limit.filter(|_| is_exact(filter)) {
        sql.push_str(" LIMIT ?");
        values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    }
    sql
}

/// The conditions of a filter but for the statuses. Those on what is in the head find all runs that the filter selects,
/// and perhaps others.
fn conditions(filter: &RunFilter, values: &mut Vec<Value>, ended: &str) -> Vec<String> {
    let mut all = vec!["true".to_owned()];
    let mut and = |condition: &str, new: Vec<Value>| {
        all.push(condition.to_owned());
        values.extend(new);
    };
    if let Some(workflow) = &filter.workflow {
        and("run.workflow = ?", vec![workflow.as_str().to_owned().into()]);
    }
    for (bound, condition) in [
        (filter.created_from, "run.created_at >= ?".to_owned()),
        (filter.created_before, "run.created_at < ?".to_owned()),
        (filter.ended_from, format!("{ended} >= ?")),
        (filter.ended_before, format!("{ended} < ?")),
    ] {
        if let Some(bound) = bound {
            and(&condition, vec![nanoseconds(bound).into()]);
        }
    }
    for fragment in fragments(filter) {
        and("instr(run.head, ?) > 0", vec![fragment.into()]);
    }
    let reasons = reasons(filter);
    if !reasons.is_empty() {
        let any = vec!["instr(run.head, ?) > 0"; reasons.len()].join(" OR ");
        and(&format!("({any})"), reasons.into_iter().map(Value::from).collect());
    }
    if let Some(text) = text(filter) {
        // The head has the id of the workflow, and the values of labels.
        let places = "(instr(lower(run.id), ?) > 0 OR instr(lower(run.head), ?) > 0)";
        and(places, vec![text.clone().into(), text.into()]);
    }
    all
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

    fn is_selected(&self, filter: &RunFilter) -> bool {
        let run = RunId::new(&self.id);
        run.is_ok_and(|run| self.head().is_ok_and(|head| filter.matches(&run, &head)))
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
