//! Alternating repetitions of a measurement and of its floor, and their statistics.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Any error ends the program.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Takes seconds and shows that everything works; the figures are not meaningful.
    pub quick: bool,
}

impl Effort {
    /// The number of repetitions.
    pub(crate) fn repetitions(self) -> usize {
        if self.quick { 3 } else { 15 }
    }

    /// `full`, or a part of it in quick mode.
    pub(crate) fn amount(self, full: usize) -> usize {
        if self.quick { (full / 20).max(1) } else { full }
    }
}

/// The times of the repetitions, per unit of work, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub min: f64,
    pub median: f64,
}

/// Calls `once` this many times, after one call to warm up. Each call measures several things, one right
/// after the other, so that a disturbance of the machine affects them all.
pub(crate) fn repeat<const N: usize>(
    times: usize,
    units: usize,
    mut once: impl FnMut() -> Result<[Duration; N]>,
) -> Result<[Times; N]> {
    once()?;
    let rounds = (0..times).map(|_| once()).collect::<Result<Vec<_>>>()?;
    Ok(std::array::from_fn(|thing| Times::of(rounds.iter().map(|round| round[thing]), units)))
}

impl Times {
    /// From the total times of `units` units of work.
    pub(crate) fn of(times: impl Iterator<Item = Duration>, units: usize) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let mut times: Vec<_> = times.map(|time| time.as_secs_f64() * 1e9 / units as f64).collect();
        times.sort_by(f64::total_cmp);
        let at = |place: usize| times.get(place).copied().unwrap_or(f64::NAN);
        Self { min: at(0), median: at(times.len() / 2) }
    }
}

/// The elapsed time of `work`, and its result: for work that waits for disks and other processes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// The processor time of this thread for `work`, and its result: for work that does not wait. On an idle
/// machine it equals the elapsed time; on a busy one it is still the cost of the work.
pub(crate) fn busy<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = thread_time();
    let result = work();
    (result, thread_time().saturating_sub(start))
}

/// The same for all threads of this process together: for work that threads of a store do.
pub(crate) fn all_busy<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = time_of(ClockId::ProcessCPUTime);
    let result = work();
    (result, time_of(ClockId::ProcessCPUTime).saturating_sub(start))
}

fn thread_time() -> Duration {
    time_of(ClockId::ThreadCPUTime)
}

fn time_of(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.try_into().unwrap_or(0), time.tv_nsec.try_into().unwrap_or(0))
}
