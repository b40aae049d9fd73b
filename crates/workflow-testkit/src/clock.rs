//! A clock that a test controls.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;

use crate::store::runs::at;

/// A clock that only advances when it is told to. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use workflow_core::store::MemoryStore;
/// use workflow_testkit::ManualClock;
///
/// let clock = ManualClock::new();
/// let store = MemoryStore::with_leases(Duration::from_secs(30), clock.reader());
/// clock.advance(Duration::from_secs(31));
/// # let _ = store;
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Mutex<Timestamp>>);

impl ManualClock {
    /// A clock at a fixed moment.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(at(0))))
    }

    /// The current time.
    pub fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    /// Advances the time.
    pub fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.checked_add(by).unwrap_or(Timestamp::MAX);
    }

    /// A closure that reads the clock.
    pub fn reader(&self) -> impl Fn() -> Timestamp + Send + Sync + Clone + 'static {
        let clock = self.clone();
        move || clock.now()
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}
