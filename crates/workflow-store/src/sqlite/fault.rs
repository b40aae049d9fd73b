//! Converts SQLite errors to store errors.

use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::ErrorCode;
use workflow_core::store::StoreError;

use crate::disk::fault;

/// Why an operation on the database failed.
pub(super) enum Fault {
    /// The store refused it. Earlier writes of the transaction are kept.
    Refused(StoreError),
    /// The database failed. The transaction must be rolled back.
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

/// The data stored at `place` cannot be read.
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
            failed(ErrorKind::StorageFull, "the disk is full: free some space, and try again")
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => failed(
            ErrorKind::TimedOut,
            "another process has locked the database for too long: look for one that hangs, and try again",
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => failed(
            ErrorKind::PermissionDenied,
            "the database or its folder is not writable: change its permissions",
        ),
        Some(ErrorCode::SystemIoFailure) => failed(
            ErrorKind::Other,
            "the system failed to read or write the database: check the disk, and limits of space and file size",
        ),
        Some(ErrorCode::CannotOpen) => {
            failed(ErrorKind::NotFound, "the database cannot be opened: check whether the file exists")
        }
        _ => fault(path, ErrorKind::Other, &error.to_string()),
    }
}

/// The error for a value that cannot be written as JSON.
pub(super) fn unwritable(path: &Path, error: serde_json::Error) -> StoreError {
    crate::disk::at(path)(io::Error::from(error))
}
