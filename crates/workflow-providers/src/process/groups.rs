//! The process groups of the calls of this process, which a host suspends and resumes together with itself.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Read-locked while a program is being started, and write-locked while the calls are suspended.
static STARTING: RwLock<()> = RwLock::new(());
static GROUPS: Mutex<Groups> =
    Mutex::new(Groups { running: Vec::new(), suspended_at: None, suspended_for: Duration::ZERO });

struct Groups {
    running: Vec<Pid>,
    /// The [`working_time`] at which the calls were suspended; `None` if they are not.
    suspended_at: Option<Duration>,
    /// How long they were suspended before.
    suspended_for: Duration,
}

impl Groups {
    fn get() -> MutexGuard<'static, Self> {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, signal: Signal) {
        for group in &self.running {
            // It fails if no process is left in the group.
            let _ = kill_process_group(*group, signal);
        }
    }
}

/// Suspends the calls that run programs in this process as long as it exists.
#[derive(Debug)]
#[must_use = "dropping it resumes the calls"]
pub struct SuspendedCalls {
    /// No program is started meanwhile.
    _none_starts: RwLockWriteGuard<'static, ()>,
}

/// Suspends the process groups of all calls that run programs in this process (`SIGSTOP`). Calls that are
/// made meanwhile begin when the returned value is dropped, which resumes the others (`SIGCONT`).
///
/// For a host that is about to be suspended itself, for example by Ctrl-Z: the programs are in process groups
/// of their own, which the terminal does not reach. A process that has left the group of its call is not
/// suspended. If the host is killed meanwhile, the system sends `SIGHUP` and `SIGCONT` to the groups, as to
/// all stopped groups that are orphaned.
///
/// The idle time-outs and grace periods of calls do not advance meanwhile; for the time limits of the engine,
/// let its clock return [`working_time`].
pub fn suspend_calls() -> SuspendedCalls {
    let none_starts = STARTING.write().unwrap_or_else(PoisonError::into_inner);
    let mut groups = Groups::get();
    groups.signal(Signal::STOP);
    groups.suspended_at = Some(began().elapsed().saturating_sub(groups.suspended_for));
    SuspendedCalls { _none_starts: none_starts }
}

impl Drop for SuspendedCalls {
    fn drop(&mut self) {
        let mut groups = Groups::get();
        if let Some(at) = groups.suspended_at.take() {
            groups.suspended_for = began().elapsed().saturating_sub(at);
        }
        groups.signal(Signal::CONT);
    }
}

/// The monotonic time since a fixed moment, without the time in which calls were [suspended](suspend_calls).
/// A host whose calls can be suspended returns it from its clock's `monotonic`.
pub fn working_time() -> Duration {
    // Read under the lock: a thread may be suspended between any two steps.
    let groups = Groups::get();
    groups.suspended_at.unwrap_or_else(|| began().elapsed().saturating_sub(groups.suspended_for))
}

fn began() -> Instant {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    *BEGAN.get_or_init(Instant::now)
}

/// Held while a program is started and its group is added.
pub(super) fn starting() -> RwLockReadGuard<'static, ()> {
    STARTING.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn add(group: Pid) {
    Groups::get().running.push(group);
}

/// Must be called before the leader of the group is reaped: after that the number may refer to another group.
pub(super) fn remove(group: Pid) {
    Groups::get().running.retain(|running| *running != group);
}
