//! A process of the simulated world: it dies, or is suspended, with everything that runs in it.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use jiff::{SignedDuration, Timestamp};
use workflow_exec::{Clock, Spawn, Timer};

use crate::sim::Sim;

/// A future of a process, until it is ready or the process dies.
type Slot = Arc<Mutex<Option<BoxFuture<'static, ()>>>>;

/// A process: clock, timer and spawner of the engine in it. Clones are the same process.
#[derive(Clone)]
pub struct Process(Arc<Inner>);

struct Inner {
    sim: Sim,
    number: u64,
    /// The error of its machine's clock, in milliseconds.
    off: Arc<AtomicI64>,
    dead: AtomicBool,
    frozen: AtomicBool,
    /// To be woken when it resumes.
    wakers: Mutex<Vec<Waker>>,
    slots: Mutex<Vec<Slot>>,
}

impl Process {
    /// A new process, on a machine whose clock is `off`.
    pub fn new(sim: &Sim, number: u64, off: &Arc<AtomicI64>) -> Self {
        Self(Arc::new(Inner {
            sim: sim.clone(),
            number,
            off: off.clone(),
            dead: AtomicBool::new(false),
            frozen: AtomicBool::new(false),
            wakers: Mutex::default(),
            slots: Mutex::default(),
        }))
    }

    /// Its unique number.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// Whether it has died.
    pub fn is_dead(&self) -> bool {
        self.0.dead.load(Ordering::SeqCst)
    }

    /// Kills it, without notice to its futures.
    pub fn kill(&self) {
        self.0.dead.store(true, Ordering::SeqCst);
        let slots = std::mem::take(&mut *self.0.slots.lock().unwrap());
        for slot in slots {
            let future = slot.lock().unwrap().take();
            drop(future);
        }
        self.freeze(false);
    }

    /// Suspends or resumes it.
    pub fn freeze(&self, frozen: bool) {
        self.0.frozen.store(frozen, Ordering::SeqCst);
        if !frozen {
            let wakers = std::mem::take(&mut *self.0.wakers.lock().unwrap());
            wakers.into_iter().for_each(Waker::wake);
        }
    }

    /// Runs a future of the process.
    pub fn go(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn(future.boxed());
    }
}

impl Clock for Process {
    fn now(&self) -> Timestamp {
        self.0.sim.now() + SignedDuration::from_millis(self.0.off.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Option<Duration> {
        self.0.sim.monotonic()
    }
}

impl Timer for Process {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.0.sim.sleep(duration)
    }
}

impl Spawn for Process {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        if self.is_dead() {
            return;
        }
        let slot: Slot = Arc::new(Mutex::new(Some(future)));
        let mut slots = self.0.slots.lock().unwrap();
        // A locked future is being polled.
        slots.retain(|slot| !slot.try_lock().is_ok_and(|future| future.is_none()));
        slots.push(slot.clone());
        drop(slots);
        let process = self.clone();
        self.0.sim.spawn(Box::pin(poll_fn(move |cx| {
            if process.0.frozen.load(Ordering::SeqCst) {
                process.0.wakers.lock().unwrap().push(cx.waker().clone());
                return Poll::Pending;
            }
            let mut slot = slot.lock().unwrap();
            let Some(future) = slot.as_mut() else { return Poll::Ready(()) };
            if future.poll_unpin(cx).is_pending() {
                return Poll::Pending;
            }
            *slot = None;
            Poll::Ready(())
        })));
    }
}
