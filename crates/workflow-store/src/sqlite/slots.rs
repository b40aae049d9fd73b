//! Slots: of the runs with the same key, one is in progress.

use rusqlite::OptionalExtension as _;
use rusqlite::types::Type;
use workflow_core::ids::{InvalidId, RunId};
use workflow_core::store::{Control, RunHead, RunSlot, SlotMode, StoreError};

use super::column::nanoseconds;
use super::controls;
use super::fault::Outcome;
use super::writing::Writing;

/// The run that has the slot of this name.
fn holder(writing: &Writing, name: &str) -> rusqlite::Result<Option<RunId>> {
    let sql = "SELECT run.id FROM slot JOIN run ON run.key = slot.run WHERE name = ?1 AND held = 1";
    let id: Option<String> = writing.statement(sql)?.query_row([name], |row| row.get(0)).optional()?;
    let broken = |error: InvalidId| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error.into());
    id.map(|id| RunId::new(id).map_err(broken)).transpose()
}

/// The run that a new run has to wait for, if there is one. Nothing is written.
pub(super) fn behind(writing: &Writing, slot: &RunSlot) -> Outcome<Option<RunId>> {
    match holder(writing, &slot.key)? {
        Some(holder) if slot.mode == SlotMode::Reject => {
            Err(StoreError::Busy { key: slot.key.clone(), holder }.into())
        }
        found => Ok(found),
    }
}

/// Adds a new run, which waits if it is behind another one. That one is asked to cancel if the new run replaces it.
pub(super) fn add(writing: &mut Writing, run: i64, slot: &RunSlot, behind: Option<&RunId>) -> Outcome<()> {
    let sql = "INSERT INTO slot (run, name, ticket, held)
        SELECT ?1, ?2, coalesce(max(ticket), 0) + 1, ?3 FROM slot WHERE name = ?2";
    writing.execute(sql, (run, &slot.key, i64::from(behind.is_none())))?;
    if let Some(other) = behind.filter(|_| slot.mode == SlotMode::Cancel) {
        controls::request(writing, other, &Control::Cancel.into())?;
    }
    Ok(())
}

/// The run that has the slot for which this one waits.
pub(super) fn behind_of(writing: &Writing, run: i64) -> rusqlite::Result<Option<RunId>> {
    let sql = "SELECT name FROM slot WHERE run = ?1 AND held = 0";
    let name: Option<String> = writing.statement(sql)?.query_row([run], |row| row.get(0)).optional()?;
    name.map_or(Ok(None), |name| holder(writing, &name))
}

/// Removes a run that has ended or is deleted. The first of those that wait has the slot then.
pub(super) fn free(writing: &mut Writing, run: i64) -> rusqlite::Result<()> {
    let sql = "DELETE FROM slot WHERE run = ?1 RETURNING name, held";
    let row = writing.statement(sql)?.query_row([run], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((name, 1)): Option<(String, i64)> = row else { return Ok(()) };
    let sql =
        "UPDATE slot SET held = 1 WHERE run = (SELECT run FROM slot WHERE name = ?1 ORDER BY ticket LIMIT 1)
        RETURNING run, (SELECT head FROM run WHERE key = slot.run)";
    let next = writing.statement(sql)?.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((next, head)): Option<(i64, String)> = next else { return Ok(()) };
    // One whose head cannot be read cannot be driven.
    let head: Option<RunHead> = serde_json::from_str(&head).ok();
    let wakes = head.and_then(|head| head.goes_on_from()).map(nanoseconds);
    writing.execute("UPDATE run SET wakes = ?2 WHERE key = ?1", (next, wakes))?;
    // This store may have the lease of the run, in order to cancel it.
    writing.look_again();
    writing.after.claimable = true;
    writing.signal()?;
    Ok(())
}
