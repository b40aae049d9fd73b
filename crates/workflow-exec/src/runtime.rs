//! What the engine needs of the world: time, timers, and — if the host wishes — a place to run.

use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
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
}

/// A timer that needs no runtime: one thread of the crate `futures-timer` keeps the time of all.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadTimer;

impl Timer for ThreadTimer {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }
}

/// Timer and spawner on the tokio runtime that is current when they are used.
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Tokio;

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
