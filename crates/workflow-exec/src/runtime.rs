//! What the engine needs from its environment: a clock, a timer and, if the host wishes, a spawner.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// The time since some fixed moment, by a clock that is never set. Durations are measured by it: how long
    /// attempts take, what a budget of time has left, how long a call was silent. `None`, unless overridden:
    /// they are measured by [`now`](Clock::now), which counts as stopped while it is set back.
    fn monotonic(&self) -> Option<Duration> {
        None
    }
}

/// Waits.
pub trait Timer: Send + Sync {
    /// A future that is ready after `duration`. Dropping it ends the wait.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Runs futures in the background. Optional: without one, the host drives runs itself.
pub trait Spawn: Send + Sync {
    /// Runs `future` to its end.
    fn spawn(&self, future: BoxFuture<'static, ()>);
}

/// The clock of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Option<Duration> {
        Some(started().0.elapsed())
    }
}

/// One moment by both clocks of the system.
fn started() -> (Instant, Timestamp) {
    static STARTED: OnceLock<(Instant, Timestamp)> = OnceLock::new();
    *STARTED.get_or_init(|| (Instant::now(), Timestamp::now()))
}

/// A timer that needs no runtime: one thread of the crate `futures-timer` keeps the time of all.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadTimer;

impl Timer for ThreadTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }
}

/// Timer, spawner and clock on the tokio runtime that is current when they are used.
///
/// As a clock it shows the time of the system, and the runtime's where that is
/// [paused](https://docs.rs/tokio/latest/tokio/time/fn.pause.html): so a test of a run that waits for an hour
/// does not take an hour. Paused time advances by itself whenever no future is left to be polled, also while
/// a thread is working: such tests need a store without threads, such as the memory store.
///
/// ```
/// # use std::time::Duration;
/// # use workflow_exec::{Clock, Engine, Tokio};
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// // In a test with `#[tokio::test(start_paused = true)]`.
/// let engine = Engine::builder().clock(Tokio).timer(Tokio).spawner(Tokio).build()?;
/// let before = Tokio.now();
/// tokio::time::sleep(Duration::from_secs(3600)).await;
/// assert_eq!(Tokio.now().duration_since(before).as_secs(), 3600);
/// # let _ = engine;
/// # Ok::<(), workflow_exec::BuildError>(())
/// # }).unwrap();
/// ```
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokio;

#[cfg(feature = "tokio")]
impl Clock for Tokio {
    fn now(&self) -> Timestamp {
        let (before, real) = (tokio::time::Instant::now().into_std(), Instant::now());
        if before <= real && real <= tokio::time::Instant::now().into_std() {
            return Timestamp::now();
        }
        // The runtime's time is paused, or was paused once.
        let (start, at) = started();
        let shown = match before.checked_duration_since(start) {
            Some(since) => at.checked_add(since),
            None => at.checked_sub(start.duration_since(before)),
        };
        shown.unwrap_or(at)
    }

    fn monotonic(&self) -> Option<Duration> {
        Some(tokio::time::Instant::now().into_std().saturating_duration_since(started().0))
    }
}

#[cfg(feature = "tokio")]
impl Timer for Tokio {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[cfg(feature = "tokio")]
impl Spawn for Tokio {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        drop(tokio::spawn(future));
    }
}
