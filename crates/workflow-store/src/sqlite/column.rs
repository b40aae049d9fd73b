//! How values are stored in the columns of the tables.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _};
use workflow_core::ids::RunId;

/// Converts bytes that are UTF-8 because they were written as JSON.
pub(super) fn text(bytes: &[u8]) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(ValueRef::Text(bytes))
}

/// The key of a run.
pub(super) fn key(connection: &Connection, run: &RunId) -> rusqlite::Result<Option<i64>> {
    let mut find = connection.prepare_cached("SELECT key FROM run WHERE id = ?1")?;
    find.query_row([run.as_str()], |row| row.get(0)).optional()
}

/// A time as it is stored. The limits of its range are centuries away.
pub(super) fn nanoseconds(time: jiff::Timestamp) -> i64 {
    let time = time.as_nanosecond();
    i64::try_from(time).unwrap_or(if time < 0 { i64::MIN } else { i64::MAX })
}

/// The time from which a run that can continue at any time continues.
pub(super) const AT_ONCE: i64 = i64::MIN;

/// The time of a stored number. Every `i64` is within the range.
pub(super) fn timestamp(nanoseconds: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(nanoseconds.into()).unwrap_or_default()
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
