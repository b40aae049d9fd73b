//! One notice of changes for all clients that wait for the same, and one read of the store after it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt as _, Shared};

/// Completes when there may be a change. All clients share one until it has completed.
pub(crate) type Notice = Shared<BoxFuture<'static, ()>>;

/// The number of the last read when a notice was requested: what a later read did not find is announced by the notice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known(u64);

impl Known {
    /// Whether a read began after the notice was requested, so that the store need not be asked again.
    pub(crate) fn is_before(self, read: u64) -> bool {
        self.0 < read
    }
}

/// The current notice, and how many reads have begun.
#[derive(Default)]
pub(crate) struct Notices {
    reads: AtomicU64,
    current: Mutex<Option<(Notice, Known)>>,
}

impl Notices {
    /// The current notice, or a new one if it has completed.
    pub(crate) fn current(&self, request: impl FnOnce() -> BoxFuture<'static, ()>) -> (Notice, Known) {
        // Nothing that can panic runs under the lock but the engine's registration of a listener.
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((notice, known)) = &*current
            && notice.peek().is_none()
        {
            return (notice.clone(), *known);
        }
        let known = Known(self.reads.load(Ordering::Acquire));
        let notice = request().shared();
        *current = Some((notice.clone(), known));
        (notice, known)
    }

    /// The number of a read that begins now.
    pub(crate) fn begin_read(&self) -> u64 {
        self.reads.fetch_add(1, Ordering::AcqRel) + 1
    }
}
