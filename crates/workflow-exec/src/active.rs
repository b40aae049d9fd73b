//! The runs that this engine drives at the moment, and how they are woken.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use event_listener::{Event, EventListener};
use foldhash::HashMap;
use futures::channel::oneshot;
use futures::task::AtomicWaker;
use indexmap::IndexMap;
use workflow_core::ids::{NodePath, RunId};
use workflow_core::stop::Stop;
use workflow_core::store::Lease;
use workflow_core::usage::Usage;

use workflow_core::runs::EngineError;

/// A provider session that a call asks to have recorded.
pub(crate) struct SessionNote {
    pub path: NodePath,
    pub attempt: u32,
    pub session: Arc<str>,
    pub done: oneshot::Sender<()>,
}

/// The usage that a call has reported so far.
pub(crate) struct UsageNote {
    pub path: NodePath,
    pub attempt: u32,
    pub usage: Usage,
}

/// Why the lease of a run that is driven here may no longer be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The store says so: others may have claimed the run.
    Expired = 1,
    /// It expires before the store can be asked, so running calls must stop.
    Unreachable = 2,
}

/// The current lease of a run, and the driver that uses it.
#[derive(Default)]
struct Claim {
    /// Whether a driver is responsible for the lease.
    is_driven: bool,
    /// A lease of the run that this engine received although its driver still assumed that it had one.
    other: Option<Lease>,
}

/// What reaches the driver of a run from outside its own future.
#[derive(Default)]
pub(crate) struct Inbox {
    waker: AtomicWaker,
    news: AtomicBool,
    controls: AtomicBool,
    /// Whether there are session notes or usage notes, readable without their locks: mostly there are none.
    notes: AtomicBool,
    stop: AtomicU8,
    /// Whether the driver is to leave the run when the calls that are under way have ended.
    drains: AtomicBool,
    /// Why the lease may no longer be valid: a bit for each [`Loss`].
    lost: AtomicU8,
    lost_waker: AtomicWaker,
    claim: Mutex<Claim>,
    sessions: Mutex<Vec<SessionNote>>,
    /// The newest usage report of each call.
    usages: Mutex<Vec<UsageNote>>,
    /// Notified after events or output were stored, and when the run is no longer driven.
    pub changed: Changes,
}

/// An [`Event`] that mostly has no listener: to notify none is cheap.
#[derive(Default)]
pub(crate) struct Changes {
    event: Event,
    /// Whether there has ever been a listener.
    is_heard: AtomicBool,
}

impl Changes {
    /// A listener for what changes from now on.
    pub(crate) fn listen(&self) -> EventListener {
        self.is_heard.store(true, Ordering::SeqCst);
        self.event.listen()
    }

    pub(crate) fn notify(&self) {
        // Either this sees that there is a listener, or the listener sees what has changed.
        fence(Ordering::SeqCst);
        if self.is_heard.load(Ordering::Relaxed) {
            self.event.notify(usize::MAX);
        }
    }
}

impl Inbox {
    /// Wakes the driver, if it is waiting.
    pub(crate) fn wake(&self) {
        self.news.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Tells the driver that there may be new controls in the store.
    pub(crate) fn look_for_controls(&self) {
        self.controls.store(true, Ordering::Release);
        self.wake();
    }

    /// Tells the driver to stop its calls and leave the run to be resumed later.
    pub(crate) fn shut_down(&self, how: Stop) {
        self.stop.fetch_max(how as u8, Ordering::AcqRel);
        self.lost_waker.wake();
        self.wake();
    }

    /// Tells the driver to start no call any more, and to leave the run to be resumed later when those under way have ended.
    fn drain(&self) {
        self.drains.store(true, Ordering::Release);
        self.wake();
    }

    /// Whether the driver starts no call any more.
    pub(crate) fn is_draining(&self) -> bool {
        self.drains.load(Ordering::Acquire)
    }

    /// Whether the lease may no longer be valid.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire) != 0
    }

    /// Whether the lease may no longer be valid for this reason.
    pub(crate) fn is_lost_by(&self, loss: Loss) -> bool {
        self.lost.load(Ordering::Acquire) & loss as u8 != 0
    }

    /// Tells the driver that the lease may no longer be valid.
    pub(crate) fn lose(&self, loss: Loss) {
        self.lost.fetch_or(loss as u8, Ordering::AcqRel);
        self.lost_waker.wake();
        self.wake();
    }

    /// Clears the loss once the driver has handled it: later reports concern its next lease.
    pub(crate) fn forget_loss(&self) {
        self.lost.store(0, Ordering::Release);
    }

    /// Registers the driver to be woken when the lease is lost or when it must stop. Used by its driver
    /// alone.
    pub(crate) fn watch_loss(&self, cx: &Context<'_>) {
        self.lost_waker.register(cx.waker());
    }

    /// Hands a lease of the run to its driver, which has lost its own and may not know it. Returns the lease
    /// if no driver is left.
    fn offer(&self, mut lease: Lease) -> Option<Lease> {
        let mut claim = lock(&self.claim);
        if !claim.is_driven {
            return Some(lease);
        }
        // An earlier offer that the driver has not seen was lost already: this lease takes over its
        // predecessor.
        if let Some(unseen) = claim.other.take().filter(|unseen| unseen.epoch == lease.previous) {
            lease.previous = unseen.previous;
        }
        claim.other = Some(lease);
        drop(claim);
        self.lose(Loss::Expired);
        None
    }

    /// A lease that was [offered](Self::offer).
    pub(crate) fn offered(&self) -> Option<Lease> {
        lock(&self.claim).other.clone()
    }

    /// The lease; reading it marks it as seen by the driver.
    pub(crate) fn take_offered(&self) -> Option<Lease> {
        lock(&self.claim).other.take()
    }

    /// The lease, if it is the one that is looked for.
    pub(crate) fn take_offered_if(&self, is_it: impl Fn(&Lease) -> bool) -> Option<Lease> {
        lock(&self.claim).other.take_if(|lease| is_it(lease))
    }

    pub(crate) fn is_driven(&self) -> bool {
        lock(&self.claim).is_driven
    }

    /// Marks that no driver is responsible for the lease any more. Returns a lease that was offered and not
    /// taken.
    pub(crate) fn end_driving(&self) -> Option<Lease> {
        let mut claim = lock(&self.claim);
        claim.is_driven = false;
        claim.other.take()
    }

    pub(crate) fn note_session(&self, note: SessionNote) {
        lock(&self.sessions).push(note);
        self.notes.store(true, Ordering::Release);
        self.wake();
    }

    pub(crate) fn note_usage(&self, note: UsageNote) {
        let mut usages = lock(&self.usages);
        match usages.iter_mut().find(|known| known.path == note.path) {
            Some(known) => *known = note,
            None => usages.push(note),
        }
        drop(usages);
        self.notes.store(true, Ordering::Release);
        self.wake();
    }

    /// Takes what calls have reported since the last time.
    #[inline]
    pub(crate) fn take_notes(&self) -> (Vec<SessionNote>, Vec<UsageNote>) {
        if !self.notes.load(Ordering::Acquire) {
            return (Vec::new(), Vec::new());
        }
        // A note that is added from here on sets it again.
        self.notes.store(false, Ordering::SeqCst);
        (std::mem::take(&mut *lock(&self.sessions)), std::mem::take(&mut *lock(&self.usages)))
    }

    /// Ready when something may have happened since the last time.
    pub(crate) fn poll_news(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.news.swap(false, Ordering::AcqRel) {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        if self.news.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn take_controls(&self) -> bool {
        self.controls.load(Ordering::Acquire) && self.controls.swap(false, Ordering::AcqRel)
    }

    pub(crate) fn shutdown(&self) -> Stop {
        stop_of(&self.stop)
    }
}

/// At most this many errors of drivers are kept.
const MOST_FAILED: usize = 1_000;

/// The inboxes of all runs that are driven here.
#[derive(Default)]
pub(crate) struct Active {
    runs: Mutex<HashMap<RunId, Arc<Inbox>>>,
    /// The errors that ended the drivers of runs, until the runs are driven here again; of many the newest.
    failed: Mutex<IndexMap<RunId, EngineError>>,
    stop: AtomicU8,
    /// Notified when a run is no longer driven.
    pub idle: Event,
    /// Notified when the store reports a change, and when the engine shuts down.
    pub hint: Event,
    /// Notified when the status of a run that is driven here has changed, and when it is no longer driven.
    pub changed: Changes,
}

impl Active {
    /// Registers the run of a lease for as long as the returned value lives. If the run already has a driver
    /// here, the lease is offered to that driver. It may be older than the driver's own, because the store
    /// can answer late.
    pub(crate) fn enter(self: &Arc<Self>, lease: Lease) -> Option<(Entered, Lease)> {
        let inbox = Arc::new(Inbox::default());
        lock(&inbox.claim).is_driven = true;
        inbox.stop.store(self.stop.load(Ordering::Acquire), Ordering::Release);
        let mut runs = lock(&self.runs);
        let lease = match runs.get(&lease.run) {
            Some(driven) => driven.offer(lease)?,
            None => lease,
        };
        runs.insert(lease.run.clone(), inbox.clone());
        drop(runs);
        lock(&self.failed).shift_remove(&lease.run);
        // The engine may have shut down before the run was registered.
        inbox.stop.fetch_max(self.stop.load(Ordering::Acquire), Ordering::AcqRel);
        Some((Entered { active: self.clone(), run: lease.run.clone(), inbox }, lease))
    }

    pub(crate) fn get(&self, run: &RunId) -> Option<Arc<Inbox>> {
        lock(&self.runs).get(run).cloned()
    }

    /// Records what ended the driver of a run. Called while the run is still registered, so that a caller
    /// that waits for the driver finds the error.
    pub(crate) fn driver_failed(&self, run: &RunId, error: EngineError) {
        let mut failed = lock(&self.failed);
        if failed.len() >= MOST_FAILED {
            failed.shift_remove_index(0);
        }
        failed.insert(run.clone(), error);
    }

    /// What ended the last driver of a run that is not driven here any more.
    pub(crate) fn failure(&self, run: &RunId) -> Option<EngineError> {
        lock(&self.failed).get(run).cloned()
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.runs).is_empty()
    }

    /// Passes on that there may be controls, for one run or for any.
    pub(crate) fn look_for_controls(&self, run: Option<&RunId>) {
        match run {
            Some(run) => {
                if let Some(inbox) = self.get(run) {
                    inbox.look_for_controls();
                }
            }
            None => lock(&self.runs).values().for_each(|inbox| inbox.look_for_controls()),
        }
    }

    pub(crate) fn shut_down(&self, how: Stop) {
        self.stop.fetch_max(how as u8, Ordering::AcqRel);
        lock(&self.runs).values().for_each(|inbox| inbox.shut_down(how));
        self.hint.notify(usize::MAX);
    }

    /// Lets the calls of the runs that are driven here end. For everything else the engine shuts down.
    pub(crate) fn drain(&self) {
        lock(&self.runs).values().for_each(|inbox| inbox.drain());
        self.stop.fetch_max(Stop::Gracefully as u8, Ordering::AcqRel);
        // Those that were registered meanwhile.
        lock(&self.runs).values().for_each(|inbox| inbox.drain());
        self.hint.notify(usize::MAX);
    }

    /// Whether the engine shuts down.
    pub(crate) fn stopping(&self) -> Stop {
        stop_of(&self.stop)
    }

    /// Ready when the engine shuts down.
    pub(crate) async fn stopped(&self) {
        self.stopped_since(Stop::None).await;
    }

    /// Ready when the engine is to stop in another way than `now`.
    pub(crate) async fn stopped_since(&self, now: Stop) {
        loop {
            let hint = self.hint.listen();
            if self.stopping() > now {
                return;
            }
            hint.await;
        }
    }

    /// The leases of all runs that are driven here have expired, or are about to.
    pub(crate) fn lose_leases(&self, loss: Loss) {
        lock(&self.runs).values().for_each(|inbox| inbox.lose(loss));
    }
}

fn stop_of(stop: &AtomicU8) -> Stop {
    match stop.load(Ordering::Acquire) {
        0 => Stop::None,
        1 => Stop::Gracefully,
        _ => Stop::AtOnce,
    }
}

/// A run is registered as driven here until this is dropped.
pub(crate) struct Entered {
    active: Arc<Active>,
    run: RunId,
    pub inbox: Arc<Inbox>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let mut runs = lock(&self.active.runs);
        // Another driver may have claimed the run since the lease was released.
        if runs.get(&self.run).is_some_and(|inbox| Arc::ptr_eq(inbox, &self.inbox)) {
            runs.remove(&self.run);
        }
        drop(runs);
        self.inbox.changed.notify();
        self.active.idle.notify(usize::MAX);
        self.active.changed.notify();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
