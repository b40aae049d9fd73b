//! Which calls must stop, and when: because the engine stops, or because the lease is no longer valid.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use workflow_core::stop::Stop;

use crate::active::{Inbox, Loss};
use crate::driver::underway::Underway;
use crate::leases;
use crate::shared::Shared;

/// How calls were told to stop, and when they will be told next.
pub(super) struct Watch<'e> {
    engine: &'e Shared,
    inbox: &'e Arc<Inbox>,
    /// How they were told to stop last.
    told: Stop,
    /// Whether they were stopped because another driver may have the run.
    pub(super) halted: bool,
    /// Whether a call was under way when they were told to stop.
    has_stopped: bool,
    /// When they will be told to stop, unless the lease is renewed before.
    pub(super) halts: Option<BoxFuture<'static, ()>>,
}

impl<'e> Watch<'e> {
    pub(super) fn new(engine: &'e Shared, inbox: &'e Arc<Inbox>) -> Self {
        Self { engine, inbox, told: Stop::None, halted: false, has_stopped: false, halts: None }
    }

    /// How calls are to stop, if they are.
    pub(super) fn stopping(&self) -> Stop {
        let halting = if self.halted { Stop::AtOnce } else { Stop::None };
        self.inbox.shutdown().max(halting)
    }

    /// Whether the driver makes no further call, and leaves the run when those under way have ended.
    pub(super) fn is_leaving(&self) -> bool {
        self.stopping() > Stop::None || self.inbox.is_draining()
    }

    /// Tells calls to stop that must stop and were not told yet.
    #[inline]
    pub(super) fn stop(&mut self, underway: &mut Underway<'e>) {
        self.halted |= self.inbox.is_lost_by(Loss::Unreachable);
        let how = self.stopping();
        if how > self.told {
            self.told = how;
            self.has_stopped |= underway.has_calls();
            underway.stop_all(how, self.grace(), &*self.engine.timer);
        }
    }

    /// The run is still this driver's, and its log is as the driver knows it. If no call had to be stopped, the driver
    /// continues, and makes the calls that it has recorded.
    pub(super) fn resume(&mut self) {
        if self.halted && !self.has_stopped {
            (self.halted, self.told) = (false, Stop::None);
        }
    }

    /// How long a call may take to stop before it is dropped: not longer than the lease is valid.
    pub(super) fn grace(&self) -> Duration {
        let grace = self.engine.stop_grace;
        match self.engine.store.lease_time().filter(|_| self.halted) {
            Some(lease_time) => grace.min(lease_time / leases::TO_STOP),
            None => grace,
        }
    }
}

/// Polls `work` while calls continue. `None` if `work` was dropped because the lease was lost and that
/// matters to it.
pub(super) fn meanwhile<'a, 'e, T>(
    underway: &'a mut Underway<'e>,
    watch: &'a mut Watch<'e>,
    needs_lease: bool,
    mut work: BoxFuture<'a, T>,
) -> impl Future<Output = Option<T>> + use<'a, 'e, T> {
    poll_fn(move |cx| {
        if let Poll::Ready(done) = work.poll_unpin(cx) {
            return Poll::Ready(Some(done));
        }
        watch.inbox.watch_loss(cx);
        if let Some(halts) = &mut watch.halts
            && halts.poll_unpin(cx).is_ready()
        {
            watch.halts = None;
            watch.halted = true;
        }
        watch.stop(underway);
        underway.poll(cx, usize::MAX);
        if needs_lease && watch.inbox.is_lost() { Poll::Ready(None) } else { Poll::Pending }
    })
}
