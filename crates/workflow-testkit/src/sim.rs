//! A simulation: time advances only when nothing else can happen, and an executor polls one future at a time,
//! in an order drawn from a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use workflow_exec::{Clock, Spawn, Timer};

use crate::ManualClock;
use crate::chance::Chance;

/// A simulated world. Clones are the same world; it is the clock, timer and spawner of the engines in it.
///
/// ```
/// use std::time::Duration;
/// use workflow_core::store::MemoryStore;
/// use workflow_exec::{Clock, Engine, Timer};
/// use workflow_testkit::sim::Sim;
///
/// let sim = Sim::seeded(7);
/// let clock = sim.clone();
/// let store = MemoryStore::with_leases(Duration::from_secs(30), move || clock.now());
/// // Two processes, one store, and time that passes as fast as nothing happens.
/// let engines = [store.another_process(), store.another_process()].map(|store| {
///     Engine::builder().store(store).clock(sim.clone()).timer(sim.clone()).spawner(sim.clone()).build().unwrap()
/// });
/// let before = sim.now();
/// sim.block_on(sim.sleep(Duration::from_secs(3600)));
/// assert_eq!(sim.now().duration_since(before).as_secs(), 3600);
/// # let _ = engines;
/// ```
#[derive(Clone)]
pub struct Sim(Arc<Mutex<World>>);

struct World {
    now: Timestamp,
    start: Timestamp,
    time_limit: Duration,
    poll_limit: u64,
    sleeps: BTreeMap<(Timestamp, u64, u64), Arc<Alarm>>,
    tasks: Vec<Option<Task>>,
    chance: Option<Chance>,
    last: u64,
}

struct Task {
    future: BoxFuture<'static, ()>,
    flag: Arc<Flag>,
}

/// Whether a future was woken.
struct Flag(AtomicBool);

#[derive(Default)]
struct Alarm {
    rung: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Flag {
    fn up() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }
}

/// Which future is polled next.
#[derive(Clone, Copy)]
enum Turn {
    Main,
    Task(usize),
}

impl Default for Sim {
    fn default() -> Self {
        Self::new()
    }
}

impl Sim {
    /// Creates a world that polls ready futures in order.
    pub fn new() -> Self {
        Self::with_chance(None)
    }

    /// Creates a world in which `seed` decides the order of ready futures.
    pub fn seeded(seed: u64) -> Self {
        Self::with_chance(Some(Chance::new(seed)))
    }

    fn with_chance(chance: Option<Chance>) -> Self {
        let now = Timestamp::from_second(1_767_323_045).unwrap();
        Self(Arc::new(Mutex::new(World {
            now,
            start: now,
            time_limit: Duration::from_secs(24 * 60 * 60),
            poll_limit: 1_000_000,
            sleeps: BTreeMap::new(),
            tasks: Vec::new(),
            chance,
            last: 0,
        })))
    }

    /// Makes [`block_on`](Sim::block_on) panic once `time` has passed since the world began: by default a
    /// day.
    #[must_use]
    pub fn with_time_limit(self, time: Duration) -> Self {
        self.world().time_limit = time;
        self
    }

    /// Makes [`block_on`](Sim::block_on) panic after this many polls without any time passing: by default a
    /// million. This finds futures that wake themselves or each other forever.
    #[must_use]
    pub fn with_poll_limit(self, polls: u64) -> Self {
        self.world().poll_limit = polls;
        self
    }

    fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.0)
    }

    /// A future that is ready after this many milliseconds.
    pub fn sleep_ms(&self, ms: u64) -> BoxFuture<'static, ()> {
        self.sleep(Duration::from_millis(ms))
    }

    /// Drops every future that was spawned, as the death of a process does.
    pub fn drop_tasks(&self) {
        let tasks = std::mem::take(&mut self.world().tasks);
        drop(tasks);
    }

    /// Runs `future`, and the futures that are spawned meanwhile, until it is ready.
    ///
    /// # Panics
    ///
    /// If the world is stuck: nothing can happen any more and `future` is not ready, or it is not ready
    /// within the [time limit](Sim::with_time_limit) or the [poll limit](Sim::with_poll_limit). The message
    /// lists the timers that are set. A panic fails its test; destructors that run meanwhile do not panic
    /// again.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut main = pin!(future);
        let flag = Flag::up();
        let waker = Waker::from(flag.clone());
        let mut polls = 0;
        loop {
            let mut turns = self.ready_tasks();
            if flag.0.load(Ordering::SeqCst) {
                turns.insert(0, Turn::Main);
            }
            let Some(turn) = self.draw(&turns) else {
                match self.ring_next() {
                    Ok(Duration::ZERO) => {}
                    Ok(_) => polls = 0,
                    Err(reason) => self.stuck(&reason),
                }
                continue;
            };
            polls += 1;
            let limit = self.world().poll_limit;
            if polls > limit {
                self.stuck(&format!("{limit} polls and no time has passed"));
            }
            match turn {
                Turn::Task(number) => self.poll_task(number),
                Turn::Main => {
                    flag.0.store(false, Ordering::SeqCst);
                    if let Poll::Ready(output) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                        return output;
                    }
                }
            }
        }
    }

    fn ready_tasks(&self) -> Vec<Turn> {
        let world = self.world();
        let tasks = world.tasks.iter().enumerate();
        tasks
            .filter(|(_, task)| task.as_ref().is_some_and(|task| task.flag.0.load(Ordering::SeqCst)))
            .map(|(number, _)| Turn::Task(number))
            .collect()
    }

    fn draw(&self, turns: &[Turn]) -> Option<Turn> {
        let most = turns.len().checked_sub(1)?;
        let number = self.world().draw(most as u64);
        Some(turns[usize::try_from(number).unwrap()])
    }

    fn poll_task(&self, number: usize) {
        let Some(mut task) = self.world().tasks[number].take() else { return };
        task.flag.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(task.flag.clone());
        // Polled without the lock: it may spawn, sleep and read the clock.
        if task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            self.world().tasks[number] = Some(task);
        }
    }

    /// Advances to the next timer, and returns by how much; or why that is impossible.
    fn ring_next(&self) -> Result<Duration, String> {
        let mut world = self.world();
        let (key, alarm) =
            world.sleeps.pop_first().ok_or("nothing is ready, and no timer is set".to_owned())?;
        let before = world.now;
        world.now = before.max(key.0);
        let (now, limit) = (world.now, world.time_limit);
        let late = now.duration_since(world.start).unsigned_abs() > limit;
        drop(world);
        if late {
            return Err(format!("the future is not ready after {limit:?}"));
        }
        alarm.rung.store(true, Ordering::SeqCst);
        let waker = lock(&alarm.waker).take();
        waker.iter().for_each(Waker::wake_by_ref);
        Ok(now.duration_since(before).unsigned_abs())
    }

    /// Fails the test. Nothing is locked meanwhile: destructors that run during unwinding use the world.
    fn stuck(&self, reason: &str) -> ! {
        let world = self.world();
        let tasks = world.tasks.iter().flatten().count();
        let timers: Vec<_> = world.sleeps.keys().take(5).map(|(at, ..)| at.to_string()).collect();
        let (now, more) = (world.now, world.sleeps.len() - timers.len());
        drop(world);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let timers = if timers.is_empty() { "none".to_owned() } else { timers.join(", ") };
        panic!("stuck at {now}: {reason}; tasks: {tasks}; timers: {timers}{more}");
    }
}

/// Locks a poisoned mutex too: a failing test reports its own message, and no destructor panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A number from 0 to `most`; 0 in a world without a seed.
    fn draw(&mut self, most: u64) -> u64 {
        self.chance.as_mut().map_or(0, |chance| chance.draw(most))
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = self.world();
        f.debug_struct("Sim")
            .field("now", &world.now)
            .field("sleeps", &world.sleeps.len())
            .finish_non_exhaustive()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.now()
    }
}

impl Clock for Sim {
    fn now(&self) -> Timestamp {
        self.world().now
    }

    fn monotonic(&self) -> Option<Duration> {
        Duration::try_from(self.world().now.duration_since(Timestamp::UNIX_EPOCH)).ok()
    }
}

impl Timer for Sim {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let mut world = self.world();
        let at = world.now.checked_add(duration).unwrap_or(Timestamp::MAX);
        world.last += 1;
        // If two timers have the same instant, a random number decides which one is first.
        let key = (at, world.draw(1_000), world.last);
        let alarm = Arc::new(Alarm::default());
        world.sleeps.insert(key, alarm.clone());
        Box::pin(Sleep { sim: self.clone(), key, alarm })
    }
}

impl Spawn for Sim {
    fn spawn(&self, future: BoxFuture<'static, ()>) {
        self.world().tasks.push(Some(Task { future, flag: Flag::up() }));
    }
}

struct Sleep {
    sim: Sim,
    key: (Timestamp, u64, u64),
    alarm: Arc<Alarm>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.alarm.rung.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        *lock(&self.alarm.waker) = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let alarm = self.sim.world().sleeps.remove(&self.key);
        // Without the lock: dropping the waker may drop other futures of the world.
        drop(alarm);
    }
}
