//! What SQLite says, as a store's errors.

use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::ErrorCode;
use workflow_core::store::StoreError;

use crate::disk::fault;

/// Why something asked of the database was not done.
pub(super) enum Fault {
    /// By the rules of stores. What was written before it stays.
    Refused(StoreError),
    /// The database failed. Nothing of the transaction may stay.
    Failed(rusqlite::Error),
}

pub(super) type Outcome<T> = Result<T, Fault>;

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// What is stored at `place` cannot be read.
pub(super) fn corrupt(place: String, message: &str) -> StoreError {
    StoreError::Corrupt {
        place,
        message: format!("{message}. The database was changed or damaged: restore it, or delete the run"),
    }
}

/// The error of the database at `path`: where, what, and what to do.
pub(super) fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let damaged = |message: &str| StoreError::Corrupt {
        place: path.display().to_string(),
        message: format!("{message} ({error})"),
    };
    let failed = |kind, message: &str| fault(path, kind, &format!("{message} ({error})"));
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => damaged(
            "the database is damaged: restore it from a backup, or save what can be read with `sqlite3 \
             FILE .recover`",
        ),
        Some(ErrorCode::NotADatabase) => {
            damaged("this is not a database of workflow runs: name another file, or move this one away")
        }
        Some(ErrorCode::DiskFull) => {
            failed(ErrorKind::StorageFull, "there is no room on the disk: make some, and try again")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => failed(
            ErrorKind::TimedOut,
            "another process has kept the database locked for too long: look for one that hangs, and try again",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => failed(
            ErrorKind::PermissionDenied,
            "the database, or the folder that it is in, cannot be written: change its permissions",
        ),
        Some(ErrorCode::SystemIoFailure) => failed(
            ErrorKind::Other,
            "the system failed to read or write the database: look at the disk, and at limits of space and size",
        ),
        Some(ErrorCode::CannotOpen) => {
            failed(ErrorKind::NotFound, "the database cannot be opened: look whether it is there")
        }
        _ => fault(path, ErrorKind::Other, &error.to_string()),
    }
}

/// What cannot be written as JSON.
pub(super) fn unwritable(path: &Path, error: serde_json::Error) -> StoreError {
    crate::disk::at(path)(io::Error::from(error))
}
