//! What a database has, and its migration on request.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use workflow_core::store::StoreError;

use super::column::{timestamp, unsigned};
use super::fault::explain;
use super::{SqliteOptions, SqliteStore, connect};
use crate::status::StoreStatus;

impl SqliteStore {
    /// What the database at `path` has. Reads the whole index of events; blocks until that is done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if there is no database, or it cannot be read; [`StoreError::Corrupt`] as for
    /// [`open`](Self::open).
    pub fn status(path: impl AsRef<Path>) -> Result<StoreStatus, StoreError> {
        let (place, connection) = connect::open_read_only(path.as_ref(), &SqliteOptions::new().read_only())?;
        let versions = connect::versions(&connection, &place)?;
        let read = || -> rusqlite::Result<(BTreeMap<String, u64>, Option<i64>, i64)> {
            let mut counted = connection.prepare("SELECT status, count(*) FROM run GROUP BY status")?;
            let runs = counted.query_map([], |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
            let runs = runs.collect::<rusqlite::Result<_>>()?;
            let oldest = connection.query_row("SELECT min(created_at) FROM run", [], |row| row.get(0))?;
            let sql =
                "SELECT coalesce(sum(last), 0) FROM (SELECT max(number) AS last FROM event GROUP BY run)";
            Ok((runs, oldest, connection.query_row(sql, [], |row| row.get(0))?))
        };
        let (runs, oldest, events) = read().map_err(|error| explain(&place.path, &error))?;
        let bytes = place.all().filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum();
        Ok(StoreStatus {
            kind: "sqlite",
            version: Some(versions.format),
            needed_version: Some(versions.needed),
            newest_version: Some(versions.newest),
            runs,
            events: unsigned(events),
            bytes,
            oldest_run_at: oldest.map(timestamp),
        })
    }

    /// Brings the database at `path` up to date, as opening it does. Of several processes one does it, and the others wait. Blocks
    /// until that is done.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open) and [`status`](Self::status).
    pub fn migrate(path: impl AsRef<Path>) -> Result<(), StoreError> {
        // It is not created.
        Self::status(&path)?;
        Self::open(path).map(drop)
    }
}
