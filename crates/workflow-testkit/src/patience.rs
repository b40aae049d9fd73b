//! How long a case waits for a condition. Only a failing case waits that long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static MILLISECONDS: AtomicU64 = AtomicU64::new(60_000);

pub(crate) fn patience() -> Duration {
    Duration::from_millis(MILLISECONDS.load(Ordering::Relaxed))
}

/// For the tests of the kit, in which cases must fail.
pub fn set_patience(most: Duration) {
    MILLISECONDS.store(u64::try_from(most.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
}
