//! How a call is told to stop: gracefully, then at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use event_listener::Event;

/// How urgently a call is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Keep running.
    None,
    /// End soon: ask running processes to stop, and give them their grace period.
    Gracefully,
    /// End now.
    AtOnce,
}

#[derive(Debug, Default)]
struct Signal {
    level: AtomicU8,
    changed: Event,
}

/// The sending side: held by the driver of a run.
#[derive(Debug, Clone, Default)]
pub struct StopSource(Arc<Signal>);

/// The receiving side: handed to a provider with each call.
#[derive(Debug, Clone)]
pub struct StopSignal(Arc<Signal>);

impl StopSource {
    /// A source without a request to stop.
    pub fn new() -> Self {
        Self::default()
    }

    /// A receiver of this source.
    pub fn signal(&self) -> StopSignal {
        StopSignal(self.0.clone())
    }

    /// Asks for the call to end. An earlier, more urgent request is kept.
    pub fn stop(&self, how: Stop) {
        self.0.level.fetch_max(how as u8, Ordering::SeqCst);
        self.0.changed.notify(usize::MAX);
    }
}

impl StopSignal {
    /// What has been asked for so far.
    pub fn now(&self) -> Stop {
        match self.0.level.load(Ordering::SeqCst) {
            0 => Stop::None,
            1 => Stop::Gracefully,
            _ => Stop::AtOnce,
        }
    }

    /// Waits until at least `how` is asked for. Dropping the future has no effect.
    pub async fn wait(&self, how: Stop) {
        while self.now() < how {
            let changed = self.0.changed.listen();
            if self.now() >= how {
                return;
            }
            changed.await;
        }
    }

    /// Blocks the calling thread until at least `how` is asked for, or until `timeout` is over; returns what
    /// has been asked for. For providers that work on a thread of their own.
    pub fn wait_blocking(&self, how: Stop, timeout: std::time::Duration) -> Stop {
        use event_listener::Listener as _;
        let changed = self.0.changed.listen();
        if self.now() < how {
            changed.wait_timeout(timeout);
        }
        self.now()
    }
}
