//! The state of an engine's heartbeat: which task renews the leases, which renewal was the last, and when
//! calls must stop unless another one succeeds.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;

/// When calls must stop unless the leases are renewed before.
pub(crate) type Deadline = BoxFuture<'static, ()>;

/// Which renewal is the last one, and whether one is under way.
#[derive(Default)]
pub(crate) struct Heartbeat {
    pub(crate) renewals: AtomicU64,
    renewing: AtomicBool,
    /// How many drivers and workers keep the heartbeat running.
    pub(crate) beats: AtomicUsize,
    /// Leases were given up, and the store has not confirmed their state yet.
    pub(crate) unsettled: AtomicBool,
    /// How often the store is being asked for runs.
    pub(crate) claiming: AtomicUsize,
    /// The deadline of the last renewal; while a renewal is under way, the renewing task holds it.
    pub(crate) deadline: Mutex<Option<Deadline>>,
}

/// The task that holds this renews the leases, and has the deadline; dropping it lets another task renew.
pub(crate) struct Renewing<'h> {
    heartbeat: &'h Heartbeat,
    pub(crate) deadline: Option<Deadline>,
}

impl Drop for Renewing<'_> {
    fn drop(&mut self) {
        let deadline = self.deadline.take();
        let mut last = self.heartbeat.deadline();
        if last.is_none() {
            *last = deadline;
        }
        drop(last);
        self.heartbeat.renewing.store(false, Ordering::Release);
    }
}

/// Keeps a counter one higher until it is dropped.
pub(crate) struct Counted<'h>(&'h AtomicUsize);

impl<'h> Counted<'h> {
    pub(crate) fn in_(count: &'h AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Heartbeat {
    pub(crate) fn begin(&self) -> Option<Renewing<'_>> {
        let is_free = !self.renewing.swap(true, Ordering::AcqRel);
        is_free.then(|| Renewing { heartbeat: self, deadline: self.deadline().take() })
    }

    pub(crate) fn deadline(&self) -> std::sync::MutexGuard<'_, Option<Deadline>> {
        // Nothing that can panic runs under this lock.
        self.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The store has confirmed the state of the leases; those that exist are valid until `deadline`.
    pub(crate) fn settled(&self, deadline: Deadline) {
        *self.deadline() = Some(deadline);
        self.unsettled.store(false, Ordering::Release);
        self.renewals.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether a claim of runs is under way, which may return any of them.
    pub(crate) fn is_claiming(&self) -> bool {
        self.claiming.load(Ordering::Acquire) > 0
    }
}
