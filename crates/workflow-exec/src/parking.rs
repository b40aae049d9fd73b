//! Runs that wait for a time; only their ids are kept in memory.

use std::sync::{Mutex, MutexGuard, PoisonError};

use event_listener::Event;
use jiff::Timestamp;
use workflow_core::ids::RunId;

use crate::due::Due;

/// The runs that were driven in the background and wait for a time.
#[derive(Default)]
pub(crate) struct Parked {
    runs: Mutex<Waiting>,
    /// Notified when a run was added that may be the next one.
    pub(crate) added: Event,
}

#[derive(Default)]
pub(crate) struct Waiting {
    pub(crate) by_time: Due,
    /// Whether a task is watching for runs that become due.
    pub(crate) is_watched: bool,
}

impl Parked {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that can panic runs under this lock.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next run is due. None if no run waits; the watching task then ends.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let mut runs = self.lock();
        let next = runs.by_time.next();
        runs.is_watched = next.is_some();
        next
    }

    pub(crate) fn take_due(&self, now: Timestamp) -> Vec<RunId> {
        let mut runs = self.lock();
        std::iter::from_fn(|| runs.by_time.take(now)).collect()
    }
}
