//! Control requests.

use rusqlite::Connection;
use rusqlite::types::Type;
use workflow_core::ids::RunId;
use workflow_core::store::order::run_not_found;
use workflow_core::store::{ControlRecord, ControlRequest};

use super::column::key;
use super::column::{signed, unsigned};
use super::fault::Outcome;
use super::writing::{Held, Writing};

/// Stores a control request, and returns its number.
pub(super) fn request(writing: &mut Writing, run: &RunId, request: &ControlRequest) -> Outcome<u64> {
    let key = key(&writing.connection, run)?.ok_or_else(|| run_not_found(run))?;
    let text = serde_json::to_string(request)
        .map_err(|error| super::fault::unwritable(&writing.place.path, error))?;
    let sql = "INSERT INTO control (run, number, control)
        SELECT ?1, coalesce(max(number), 0) + 1, ?2 FROM control WHERE run = ?1 RETURNING number";
    let number: i64 = writing.statement(sql)?.query_row((key, text), |row| row.get(0))?;
    writing.signal()?;
    writing.after.asked.push(run.clone());
    if let Some(held) = writing.holding(run) {
        writing.keep(run, Held { asked: unsigned(number), ..held });
    }
    Ok(unsigned(number))
}

/// The control requests of a run with numbers above `after`.
pub(super) fn controls(
    connection: &Connection,
    run: i64,
    after: u64,
) -> rusqlite::Result<Vec<ControlRecord>> {
    let sql = "SELECT number, control FROM control WHERE run = ?1 AND number > ?2 ORDER BY number";
    let mut controls = connection.prepare_cached(sql)?;
    let rows = controls.query_map((run, signed(after)), |row| {
        let request = serde_json::from_str::<ControlRequest>(row.get_ref(1)?.as_str()?)
            .map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, error.into()))?;
        Ok(ControlRecord::new(unsigned(row.get(0)?), request))
    })?;
    rows.collect()
}
