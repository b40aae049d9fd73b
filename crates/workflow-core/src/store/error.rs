//! Why a store did not do what it was asked to.

use std::sync::Arc;

use crate::ids::RunId;

/// Why a store did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such run or bundle.
    #[error("{0} was not found")]
    NotFound(String),
    /// There is a run of that id already.
    #[error("a run with the id `{0}` exists already")]
    Exists(RunId),
    /// Another living holder drives the run.
    #[error("run `{run}` is driven elsewhere ({holder})")]
    Held {
        /// The run.
        run: RunId,
        /// Who drives it, for a person.
        holder: String,
    },
    /// The lease is not good any more: someone else has taken the run over.
    #[error("run `{0}` has been taken over by another driver")]
    Fenced(RunId),
    /// The leases of this store were not renewed in time: none of them is good any more.
    #[error("the right to drive runs was not renewed in time and has run out")]
    Expired,
    /// The run's last event is not the one that was expected.
    #[error("run `{run}` has {actual} events where {expected} were expected")]
    Conflict {
        /// The run.
        run: RunId,
        /// The number that the caller expected the last event to have.
        expected: u64,
        /// The number that it has.
        actual: u64,
    },
    /// What is stored cannot be read.
    #[error("{place}: {message}")]
    Corrupt {
        /// Where: a file and line, or a run and event.
        place: String,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The medium failed. Whether the change was stored is not known.
    #[error("{place}: {source}")]
    Io {
        /// Where.
        place: String,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The store has been closed or has given up after an earlier error.
    #[error("the store is closed: {0}")]
    Closed(String),
}
