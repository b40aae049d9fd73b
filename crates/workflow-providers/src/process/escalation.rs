//! Stops processes: asks, waits, kills, and checks again until none is left.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use super::family::{Family, Identity, Look, Process};
use super::groups::working_time;

/// How long a killed process may take to end. Only a process that is stuck in the kernel, or that belongs to
/// another user, takes longer.
const KILL_LIMIT: Duration = Duration::from_secs(10);

/// The longest grace period: short enough for every clock.
const GRACE_LIMIT: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How often processes are looked for: the first and the longest pause.
const PAUSES: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(100)];

pub(super) struct Escalation {
    family: Family,
    /// The signals to ask the group with, one after the other.
    signals: &'static [Signal],
    /// How many of them were sent.
    sent: u32,
    grace: Duration,
    /// In terms of [`working_time`].
    kill_at: Option<Duration>,
    asked: HashSet<Identity>,
    none_seen: bool,
    pause: Duration,
}

/// The program of a call: a child of this process, and the leader of its group.
#[derive(Clone, Copy)]
pub(super) struct Leader {
    pub(super) group: Pid,
    pub(super) exited: bool,
}

pub(super) enum Step {
    /// Check again after this time, or sooner.
    Wait(Duration),
    /// None is left.
    Gone,
    /// These are still alive.
    GaveUp(Vec<i32>),
}

impl Escalation {
    /// Stops the processes of `family`; after the request to stop they have `grace` to comply. The group
    /// receives each of `signals`, at equal intervals.
    pub(super) fn new(family: Family, signals: &'static [Signal], grace: Duration) -> Self {
        Self {
            family,
            signals,
            sent: 0,
            grace: grace.min(GRACE_LIMIT),
            kill_at: None,
            asked: HashSet::new(),
            none_seen: false,
            pause: PAUSES[0],
        }
    }

    /// Executes the next step. The grace period begins with the first step.
    ///
    /// While the leader lives, only its group is asked to stop: a program that manages processes in other
    /// groups knows best how to stop them.
    ///
    /// # Errors
    ///
    /// If the processes cannot be looked for and there is no group to fall back on.
    pub(super) fn step(&mut self, leader: Option<Leader>, at_once: bool) -> io::Result<Step> {
        let now = working_time();
        let Look { found, is_sure } = match self.family.look() {
            Err(error) if leader.is_some() => {
                tracing::debug!(%error, "cannot look for processes outside of the group");
                Look { found: Vec::new(), is_sure: true }
            }
            look => look?,
        };
        let leader_lives = leader.is_some_and(|leader| !leader.exited);
        if found.is_empty() && !leader_lives {
            if is_sure || std::mem::replace(&mut self.none_seen, true) {
                return Ok(Step::Gone);
            }
            return Ok(Step::Wait(PAUSES[0]));
        }
        self.none_seen = false;

        let kill_at = self.kill_at.get_or_insert(now + self.grace);
        if at_once {
            *kill_at = now.min(*kill_at);
        }
        let left = kill_at.saturating_sub(now);
        if left.is_zero() {
            if now.saturating_sub(*kill_at) > KILL_LIMIT {
                let leader = leader.filter(|leader| !leader.exited).map(|l| l.group.as_raw_pid());
                return Ok(Step::GaveUp(leader.into_iter().chain(found.iter().map(Process::id)).collect()));
            }
            signal_group(leader, Signal::KILL);
            for process in &found {
                process.signal(Signal::KILL);
            }
        } else if leader_lives {
            let between = self.grace / u32::try_from(self.signals.len()).unwrap_or(1).max(1);
            let waited = self.grace.saturating_sub(left);
            if let Some(signal) = self.signals.get(self.sent as usize)
                && waited >= between * self.sent
            {
                self.sent += 1;
                signal_group(leader, *signal);
                let asked = found.iter().filter(|process| leader.is_some_and(|l| process.is_in(l.group)));
                self.asked.extend(asked.map(|process| process.identity));
            }
        } else {
            for process in found {
                if self.asked.insert(process.identity) {
                    process.signal(Signal::TERM);
                }
            }
        }
        let pause = self.pause;
        self.pause = (pause * 2).min(PAUSES[1]);
        Ok(Step::Wait(if left.is_zero() { pause } else { pause.min(left) }))
    }
}

fn signal_group(leader: Option<Leader>, signal: Signal) {
    if let Some(leader) = leader {
        // It fails if none is left, which the next check shows.
        let _ = kill_process_group(leader.group, signal);
    }
}
