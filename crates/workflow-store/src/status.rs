//! What a store has, for operators.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// What a store has: `SqliteOptions::status`, `PostgresOptions::status` and `FileStore::status`.
///
/// It is read without opening the store: nothing is created, migrated or claimed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StoreStatus {
    /// `file`, `sqlite` or `postgres`.
    pub kind: &'static str,
    /// The version of the tables; 0 where there are none yet. Absent for files, which have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The version that a process has to know to open the store. Later ones only added something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed_version: Option<u32>,
    /// The version that this release makes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newest_version: Option<u32>,
    /// How many runs there are of each status that there is.
    pub runs: BTreeMap<String, u64>,
    /// How many events all runs have.
    pub events: u64,
    /// How many bytes it takes on the disk.
    pub bytes: u64,
    /// When the oldest run was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest_run_at: Option<Timestamp>,
}

impl StoreStatus {
    /// Whether opening the store for writing migrates it.
    pub fn is_behind(&self) -> bool {
        self.version.zip(self.newest_version).is_some_and(|(version, newest)| version < newest)
    }
}
