//! How many requests a caller may send.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// How many callers are remembered.
const MOST_CALLERS: usize = 10_000;

/// For each caller a bucket of permits, which is filled again as time passes.
pub(super) struct Rate {
    per_second: f64,
    burst: f64,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, burst: per_second * 2.0, buckets: Mutex::default() }
    }

    /// Takes a permit, if the caller has one left.
    pub(super) fn take(&self, caller: &str) -> bool {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_CALLERS {
            buckets.retain(|_, (_, last)| now.duration_since(*last).as_secs() < 10);
        }
        let (left, last) = buckets.entry(caller.to_owned()).or_insert((self.burst, now));
        *left = (*left + now.duration_since(*last).as_secs_f64() * self.per_second).min(self.burst);
        *last = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}
