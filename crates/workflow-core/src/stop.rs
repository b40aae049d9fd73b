//! How a call is told to stop: gracefully, then at once.

use std::fmt;
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

/// Whether something was asked to stop: the part that the sending and the receiving sides share.
#[derive(Debug, Default)]
pub struct StopState {
    level: AtomicU8,
    changed: Event,
}

/// The sending side: held by the driver of a run.
#[derive(Debug, Clone, Default)]
pub struct StopSource(Arc<StopState>);

/// The receiving side: handed to a provider with each call.
#[derive(Clone)]
pub struct StopSignal(Arc<dyn AsRef<StopState> + Send + Sync>);

impl StopState {
    /// Asks to stop. An earlier, more urgent request is kept.
    pub fn stop(&self, how: Stop) {
        self.level.fetch_max(how as u8, Ordering::SeqCst);
        self.changed.notify(usize::MAX);
    }

    /// What has been asked for so far.
    pub fn now(&self) -> Stop {
        match self.level.load(Ordering::SeqCst) {
            0 => Stop::None,
            1 => Stop::Gracefully,
            _ => Stop::AtOnce,
        }
    }
}

impl AsRef<StopState> for StopState {
    fn as_ref(&self) -> &StopState {
        self
    }
}

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
        self.0.stop(how);
    }
}

impl StopSignal {
    /// A receiver of a state that is a part of `whole`, and needs no memory of its own.
    pub fn of(whole: Arc<impl AsRef<StopState> + Send + Sync + 'static>) -> Self {
        Self(whole)
    }

    fn state(&self) -> &StopState {
        (*self.0).as_ref()
    }

    /// What has been asked for so far.
    pub fn now(&self) -> Stop {
        self.state().now()
    }

    /// Waits until at least `how` is asked for. Dropping the future has no effect.
    pub async fn wait(&self, how: Stop) {
        while self.now() < how {
            let changed = self.state().changed.listen();
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
        let changed = self.state().changed.listen();
        if self.now() < how {
            changed.wait_timeout(timeout);
        }
        self.now()
    }
}

impl fmt::Debug for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopSignal").field(&self.now()).finish()
    }
}
