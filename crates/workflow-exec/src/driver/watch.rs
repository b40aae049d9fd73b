//! Which calls have to stop, and when: for the engine, or for a lease that is not good any more.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use workflow_core::stop::Stop;

use crate::active::{Inbox, Loss};
use crate::driver::underway::Underway;
use crate::leases;
use crate::shared::Shared;

/// How calls were told to stop, and when they will be.
pub(super) struct Watch<'e> {
    engine: &'e Shared,
    inbox: &'e Arc<Inbox>,
    /// How they were told to stop last.
    told: Stop,
    /// Whether they were stopped because nobody knows whether others drive the run.
    pub(super) halted: bool,
    /// When they will be, unless the lease is good until then.
    pub(super) halts: Option<BoxFuture<'static, ()>>,
}

impl<'e> Watch<'e> {
    pub(super) fn new(engine: &'e Shared, inbox: &'e Arc<Inbox>) -> Self {
        Self { engine, inbox, told: Stop::None, halted: false, halts: None }
    }

    /// How calls are to stop, if they are.
    pub(super) fn stopping(&self) -> Stop {
        let halting = if self.halted { Stop::AtOnce } else { Stop::None };
        self.inbox.shutdown().max(halting)
    }

    /// Tells calls to stop that have to and were not told.
    pub(super) fn stop(&mut self, underway: &mut Underway<'e>) {
        self.halted |= self.inbox.is_lost_by(Loss::Unreachable);
        let how = self.stopping();
        if how > self.told {
            self.told = how;
            underway.stop_all(how, self.grace(), &*self.engine.timer);
        }
    }

    /// How long a call may take to stop before it is dropped: not longer than the lease is good.
    pub(super) fn grace(&self) -> Duration {
        let grace = self.engine.stop_grace;
        match self.engine.store.lease_time().filter(|_| self.halted) {
            Some(lease_time) => grace.min(lease_time / leases::TO_STOP),
            None => grace,
        }
    }
}

/// Carries out `work` while calls go on. `None` when it was dropped because the lease was lost, where that matters.
pub(super) async fn meanwhile<'e, T>(
    underway: &mut Underway<'e>,
    watch: &mut Watch<'e>,
    needs_lease: bool,
    mut work: BoxFuture<'_, T>,
) -> Option<T> {
    poll_fn(|cx| {
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
    .await
}
