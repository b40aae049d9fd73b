//! The engine's clock: it never goes back, whatever happens to the machine's clock.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::runtime::Clock;

/// A difference between two clocks up to this can result from reading them one after the other.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

/// For so long after the host's clock was read, only the monotonic clock is read: reading the host's clock
/// takes longer than much of what happens between two readings.
const FRESH: Duration = Duration::from_millis(1);

/// A clock of the host, made steady.
///
/// A clock that is set back is followed from where it was: what is shown is ahead then, until the clock is set forward
/// again or the process ends. A clock that is set forward, or a machine that has slept, is followed at once.
pub(crate) struct Steady {
    clock: Box<dyn Clock>,
    shown: Mutex<Option<Shown>>,
}

/// What was shown when the host's clock was last read.
#[derive(Clone, Copy)]
struct Shown {
    at: Timestamp,
    /// By the monotonic clock.
    elapsed: Duration,
    /// How far it is ahead of the host's clock.
    ahead: SignedDuration,
}

impl Steady {
    pub(crate) fn new(clock: impl Clock + 'static) -> Self {
        Self { clock: Box::new(clock), shown: Mutex::default() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.both().0
    }

    /// The time now, and what [`elapsed`](Self::elapsed) is then.
    pub(crate) fn both(&self) -> (Timestamp, Duration) {
        // Nothing of the host's is called under the lock.
        let monotonic = self.clock.monotonic();
        match monotonic.and_then(|elapsed| Some((self.soon_after(elapsed)?, elapsed))) {
            Some(shown) => shown,
            None => self.read(monotonic),
        }
    }

    /// The time since some moment before, by a clock that is not set.
    pub(crate) fn elapsed(&self) -> Duration {
        match self.clock.monotonic() {
            Some(elapsed) => elapsed,
            None => self.read(None).1,
        }
    }

    /// The same by the host's monotonic clock alone.
    pub(crate) fn monotonic(&self) -> Option<Duration> {
        self.clock.monotonic()
    }

    /// Reads the host's clock. Not inlined: it is rarely read, see [`FRESH`].
    #[inline(never)]
    fn read(&self, monotonic: Option<Duration>) -> (Timestamp, Duration) {
        let clock = self.clock.now();
        let mut shown = self.shown();
        let next = if let Some(last) = *shown {
            last.next(clock, monotonic)
        } else {
            Shown { at: clock, elapsed: monotonic.unwrap_or_default(), ahead: SignedDuration::ZERO }
        };
        *shown = Some(next);
        (next.at, next.elapsed)
    }

    /// The time when the monotonic clock shows `elapsed`, soon after the host's clock was read.
    fn soon_after(&self, elapsed: Duration) -> Option<Timestamp> {
        let last = (*self.shown())?;
        let passed = elapsed.checked_sub(last.elapsed).filter(|passed| *passed < FRESH)?;
        // Less than a second; at its turn the clock is read.
        let nanos = last.at.subsec_nanosecond().checked_add_unsigned(passed.subsec_nanos())?;
        Timestamp::new(last.at.as_second(), nanos).ok()
    }

    fn shown(&self) -> MutexGuard<'_, Option<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn next(self, clock: Timestamp, monotonic: Option<Duration>) -> Self {
        let Some(elapsed) = monotonic else {
            let at = clock.max(self.at);
            let passed = Duration::try_from(at.duration_since(self.at)).unwrap_or_default();
            return Self { at, elapsed: self.elapsed.saturating_add(passed), ..self };
        };
        let passed = elapsed.saturating_sub(self.elapsed);
        let steady = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let shown = clock.duration_since(self.at).saturating_add(self.ahead);
        let set_by = shown.saturating_sub(steady);
        let mut ahead = self.ahead;
        if set_by < -TOLERANCE {
            ahead = ahead.saturating_sub(set_by);
        } else if set_by > TOLERANCE {
            ahead = ahead.saturating_sub(set_by).max(SignedDuration::ZERO);
        }
        // As much as may have been shown since.
        let most = SignedDuration::try_from(passed.min(FRESH)).unwrap_or(SignedDuration::ZERO);
        Self { at: plus(clock, ahead).max(plus(self.at, most)), elapsed: elapsed.max(self.elapsed), ahead }
    }
}

fn plus(at: Timestamp, time: SignedDuration) -> Timestamp {
    // The usual case.
    if time.is_zero() {
        return at;
    }
    at.checked_add(time).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A clock, and the monotonic one beside it, in seconds.
    #[derive(Clone)]
    struct Hands(Arc<Mutex<(i64, Option<u64>)>>);

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.lock().unwrap().0).unwrap()
        }

        fn monotonic(&self) -> Option<Duration> {
            self.0.lock().unwrap().1.map(Duration::from_secs)
        }
    }

    fn shown(readings: &[(i64, Option<u64>)]) -> Vec<(i64, u64)> {
        let hands = Hands(Arc::new(Mutex::new(readings[0])));
        let steady = Steady::new(hands.clone());
        let show = |reading: &(i64, Option<u64>)| {
            *hands.0.lock().unwrap() = *reading;
            (steady.now().as_second(), steady.elapsed().as_secs())
        };
        readings.iter().map(show).collect()
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed_from_where_it_was() {
        let readings = [(9_000, Some(0)), (9_010, Some(10)), (5_420, Some(20)), (5_430, Some(30))];
        assert_eq!(shown(&readings), [(9_000, 0), (9_010, 10), (9_020, 20), (9_030, 30)]);
    }

    #[test]
    fn a_clock_that_is_set_right_again_shows_the_time() {
        let readings = [(9_000, Some(0)), (5_410, Some(10)), (9_020, Some(20)), (9_500, Some(30))];
        assert_eq!(shown(&readings), [(9_000, 0), (9_010, 10), (9_020, 20), (9_500, 30)]);
    }

    #[test]
    fn a_machine_that_has_slept_shows_the_time_and_counts_what_it_was_awake() {
        let readings = [(9_000, Some(0)), (95_400, Some(2)), (95_402, Some(4))];
        assert_eq!(shown(&readings), [(9_000, 0), (95_400, 2), (95_402, 4)]);
    }

    #[test]
    fn soon_after_a_reading_the_monotonic_clock_tells_the_time() {
        let hands = Hands(Arc::new(Mutex::new((9_000, Some(5)))));
        let steady = Steady::new(hands.clone());
        assert_eq!(steady.now().as_second(), 9_000);
        // Set in between, which is seen once the reading is no longer fresh.
        *hands.0.lock().unwrap() = (9_500, Some(5));
        assert_eq!(steady.now().as_second(), 9_000);
        *hands.0.lock().unwrap() = (9_501, Some(6));
        assert_eq!(steady.now().as_second(), 9_501);
    }

    #[test]
    fn without_a_monotonic_clock_time_stands_still_until_it_is_reached_again() {
        let readings = [(9_000, None), (9_010, None), (9_005, None), (9_011, None)];
        assert_eq!(shown(&readings), [(9_000, 0), (9_010, 10), (9_010, 10), (9_011, 11)]);
    }
}
