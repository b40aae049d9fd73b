//! Why an operation of a store failed.

use std::sync::Arc;

use crate::ids::RunId;

/// Why an operation of a store failed.
///
/// ```
/// use workflow_core::store::StoreError;
///
/// let held = StoreError::Held { run: "r1".parse()?, holder: "worker 7".to_owned() };
/// assert!(held.is_held() && held.is_retryable());
/// assert_eq!(held.to_string(), "run `r1` is driven elsewhere (worker 7)");
/// # Ok::<(), workflow_core::ids::InvalidId>(())
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The run or bundle does not exist.
    #[error("{0} was not found")]
    NotFound(String),
    /// A run with that id exists already.
    #[error("a run with the id `{0}` exists already")]
    Exists(RunId),
    /// Another living holder drives the run.
    #[error("run `{run}` is driven elsewhere ({holder})")]
    Held {
        /// The run.
        run: RunId,
        /// The current holder, described for a person.
        holder: String,
    },
    /// The lease is no longer valid: another driver has claimed the run.
    #[error("run `{0}` has been taken over by another driver")]
    Fenced(RunId),
    /// Another run has the slot of the run: it can only be cancelled.
    #[error("run `{run}` waits for its slot, which run `{behind}` has")]
    Queued {
        /// The run.
        run: RunId,
        /// The run that has the slot.
        behind: RunId,
    },
    /// The run was not created, because another one has its slot and it does not wait.
    #[error("run `{holder}` is in progress with the same key (`{key}`)")]
    Busy {
        /// The key of both.
        key: String,
        /// The run that has the slot.
        holder: RunId,
    },
    /// The leases of this store were not renewed in time: none of them is valid any more.
    #[error("the leases of this process were not renewed in time and have expired")]
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

impl StoreError {
    /// Whether the run or the bundle does not exist.
    ///
    /// ```
    /// use workflow_core::store::{MemoryStore, RunStore};
    ///
    /// let missing = futures::executor::block_on(MemoryStore::new().get(&"r1".parse()?)).unwrap_err();
    /// assert!(missing.is_not_found() && !missing.is_retryable());
    /// # Ok::<(), workflow_core::ids::InvalidId>(())
    /// ```
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_))
    }

    /// Whether another process or engine drives the run at the moment.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// Whether the store holds something else than the caller expected: a run of the same id, or other events.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Exists(_) | Self::Conflict { .. })
    }

    /// Whether the caller's lease of the run is no longer good.
    pub fn is_lease_lost(&self) -> bool {
        matches!(self, Self::Fenced(_) | Self::Expired)
    }

    /// Whether the same call may succeed later without anything being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Held { .. } | Self::Queued { .. } | Self::Busy { .. } | Self::Io { .. })
    }

    /// Whether the change may have been stored although the operation failed.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Io { .. })
    }
}
