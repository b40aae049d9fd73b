//! Repetitions of the thing and of its floor in turn, and what they say together.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Whatever goes wrong ends the program.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How much to measure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Seconds, to show that everything works; the figures say little.
    pub quick: bool,
}

impl Effort {
    /// How often everything is repeated.
    pub(crate) fn repetitions(self) -> usize {
        if self.quick { 3 } else { 15 }
    }

    /// `full`, or a part of it that takes no time.
    pub(crate) fn amount(self, full: usize) -> usize {
        if self.quick { (full / 20).max(1) } else { full }
    }
}

/// What repetitions took, per unit of work, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    pub min: f64,
    pub median: f64,
}

/// Calls `once` so many times, and once before to warm up. Each call measures several things, one
/// right after the other, so that what disturbs the machine disturbs them all.
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
    /// Of times that so many units of work took each.
    pub(crate) fn of(times: impl Iterator<Item = Duration>, units: usize) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let mut times: Vec<_> = times.map(|time| time.as_secs_f64() * 1e9 / units as f64).collect();
        times.sort_by(f64::total_cmp);
        let at = |place: usize| times.get(place).copied().unwrap_or(f64::NAN);
        Self { min: at(0), median: at(times.len() / 2) }
    }
}

/// How long `work` takes, and what comes of it: for what waits for disks and other processes.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// How long this thread is busy with `work`, and what comes of it: for what waits for nothing. On a
/// machine that has nothing else to do it is the time that passes; on others it is still what the
/// work costs.
pub(crate) fn busy<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = thread_time();
    let result = work();
    (result, thread_time().saturating_sub(start))
}

/// The same for all threads of this process together: for what is done by threads of a store.
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
