//! Claims within a limit: of the runs with the same value of a label, only so many are held.

use std::cmp::Reverse;
use std::collections::HashMap;

use rusqlite::OptionalExtension as _;
use workflow_core::bundle::BundleHash;
use workflow_core::store::LabelLimit;

use super::column::AT_ONCE;
use super::writing::Writing;

/// The runs that no process holds, in the order in which they are claimed, without those beyond the limit. The runs of dead
/// holders have been freed.
///
/// An index of its own for each label makes this as fast as there are few values, however many runs wait: the statements look for
/// each value, and for as many runs of it as there is room.
pub(super) fn next(
    writing: &Writing,
    most: usize,
    now: i64,
    limit: &LabelLimit,
) -> rusqlite::Result<Vec<(i64, String)>> {
    let sql = Statements::of(limit);
    writing.connection.execute_batch(&sql.index)?;
    let mut held: HashMap<String, usize> = HashMap::new();
    {
        let mut holding = writing.statement(&sql.held)?;
        let values = holding.query_map([], |row| row.get::<_, Option<String>>(0))?;
        for value in values {
            if let Some(value) = value? {
                *held.entry(value).or_default() += 1;
            }
        }
    }
    let mut free = writing.statement(&sql.free)?;
    let mut runs = Vec::new();
    let mut add = |value: Option<&str>, room: usize| {
        let room = i64::try_from(room).unwrap_or(i64::MAX);
        let found = free.query_map((value, now, room), |row| {
            let (priority, wakes, created): (i64, i64, i64) = (row.get(2)?, row.get(3)?, row.get(4)?);
            let turn = (Reverse(priority), wakes == AT_ONCE, wakes, created);
            Ok((turn, row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
        })?;
        for run in found {
            runs.push(run?);
        }
        Ok::<_, rusqlite::Error>(())
    };
    add(None, most)?;
    let mut value = writing.statement(&sql.first)?.query_row([], |row| row.get(0)).optional()?;
    let mut following = writing.statement(&sql.following)?;
    while let Some(found) = value.take() {
        let found: String = found;
        let room = limit.most().saturating_sub(held.get(&found).copied().unwrap_or(0));
        if room > 0 {
            add(Some(&found), room.min(most))?;
        }
        value = following.query_row([&found], |row| row.get(0)).optional()?;
    }
    runs.sort_unstable();
    runs.truncate(most);
    Ok(runs.into_iter().map(|(_, key, id)| (key, id)).collect())
}

struct Statements {
    index: String,
    held: String,
    first: String,
    following: String,
    free: String,
}

impl Statements {
    fn of(limit: &LabelLimit) -> Self {
        // A label has only letters, digits, `-` and `_`. A head that is damaged has no labels.
        let value = format!(
            "CASE WHEN json_valid(head) THEN json_extract(head, '$.labels.\"{}\"') END",
            limit.label()
        );
        let name = format!("run_by_label_{}", &BundleHash::of(limit.label()).as_str()[..16]);
        let turn = format!("priority DESC, (wakes = {AT_ONCE}), wakes, created_at");
        let unclaimed = "holder IS NULL AND wakes IS NOT NULL";
        let from = format!("FROM run INDEXED BY {name} WHERE {unclaimed}");
        Self {
            index: format!("CREATE INDEX IF NOT EXISTS {name} ON run ({value}, {turn}) WHERE {unclaimed}"),
            held: format!("SELECT {value} FROM run WHERE holder IS NOT NULL"),
            first: format!("SELECT {value} {from} AND {value} IS NOT NULL ORDER BY {value} LIMIT 1"),
            following: format!("SELECT {value} {from} AND {value} > ?1 ORDER BY {value} LIMIT 1"),
            free: format!(
                "SELECT key, id, priority, wakes, created_at {from} AND {value} IS ?1 AND wakes <= ?2
                    ORDER BY {turn} LIMIT ?3"
            ),
        }
    }
}
