//! A writer that appends to a live run all the time.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use workflow_core::store::RunStore as _;
use workflow_store::PostgresStore;

use super::milliseconds;
use crate::measure::Result;
use crate::sqlite_reads::{new_run, succeeded};

/// How long the writer waits after an append, so that it does not saturate the server.
const PAUSE: Duration = Duration::from_millis(2);

/// A thread that appends, until it is stopped.
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: JoinHandle<Result<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    times: Mutex<Vec<(Instant, Duration)>>,
    appended: Condvar,
}

/// How long appends took.
pub(super) struct Waits {
    pub(super) max: Duration,
    median: Duration,
    count: usize,
}

impl Waits {
    pub(super) fn longest(&self) -> String {
        format!("{} of {}", milliseconds(self.max), self.count)
    }

    pub(super) fn median(&self) -> String {
        milliseconds(self.median)
    }
}

impl Writer {
    pub(super) fn start(store: PostgresStore) -> Self {
        let shared = Arc::<Shared>::default();
        let told = Arc::clone(&shared);
        let thread = thread::spawn(move || append(&store, &told));
        Self { shared, thread }
    }

    /// Does something, and says how long the appends took that overlap with it.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, Waits)> {
        mem::take(&mut *self.shared.times.lock().unwrap_or_else(PoisonError::into_inner));
        let done = work()?;
        let ended = Instant::now();
        // The append that is under way began before the end.
        let mut times = self.shared.times.lock().unwrap_or_else(PoisonError::into_inner);
        while times.last().is_none_or(|(began, _)| *began <= ended) {
            if self.thread.is_finished() {
                return Err("the writer has ended".into());
            }
            let waited = self.shared.appended.wait_timeout(times, Duration::from_secs(1));
            times = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let mut times: Vec<_> = times.iter().map(|(_, time)| *time).collect();
        times.sort_unstable();
        let (median, count) = (times[times.len() / 2], times.len());
        let max = times[count - 1];
        Ok((done, Waits { max, median, count }))
    }

    pub(super) fn stop(self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the writer panicked")?
    }
}

fn append(store: &PostgresStore, shared: &Shared) -> Result<()> {
    let lease = block_on(store.create(new_run("live")?))?;
    for expected in 1.. {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let events = [succeeded(expected + 1)?].into();
        let began = Instant::now();
        block_on(store.append(&lease, expected, &events, None))?;
        let time = began.elapsed();
        shared.times.lock().unwrap_or_else(PoisonError::into_inner).push((began, time));
        shared.appended.notify_all();
        thread::sleep(PAUSE);
    }
    Ok(())
}
