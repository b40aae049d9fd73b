//! Which processes belong to a call, found in `/proc`.
//!
//! A process belongs when it carries the call's marker in its environment, is in the program's
//! process group, descends from one that belongs, or did at an earlier look. What escapes: a
//! process that has thrown away its environment, left the group *and* lost its parent before
//! anyone looked.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, geteuid, getpid, kill_process, pidfd_open, pidfd_send_signal,
};

use super::Marker;

/// The kernel allows no longer environment.
const ENVIRONMENT_LIMIT: u64 = 8 * 1024 * 1024;

/// A process, told from a later one of the same number by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pid: Pid,
    /// In clock ticks since the machine started.
    started: u64,
}

/// A line of the process table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Process {
    pub(super) identity: Identity,
    parent: i32,
    group: i32,
    lives: bool,
}

impl Process {
    pub(super) fn id(&self) -> i32 {
        self.identity.pid.as_raw_pid()
    }

    pub(super) fn is_in(&self, group: Pid) -> bool {
        self.group == group.as_raw_pid()
    }

    /// Sends `signal` to this process, never to another that has come to its number.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = self.identity.pid;
        let is_same = || Self::read(pid).is_some_and(|now| now.identity == self.identity);
        let sent = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) if is_same() => pidfd_send_signal(fd, signal),
            // Kernels before 5.3, and sandboxes that filter it.
            Err(Errno::NOSYS | Errno::PERM) if is_same() => kill_process(pid, signal),
            _ => Ok(()),
        };
        if let Err(error) = sent
            && error != Errno::SRCH
        {
            tracing::debug!(pid = self.id(), ?signal, %error, "a signal could not be sent");
        }
    }

    fn read(pid: Pid) -> Option<Self> {
        // The fields that matter come first, and one read gives all of them.
        let mut stat = [0; 1024];
        let mut file = File::open(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        let length = file.read(&mut stat).ok()?;
        let stat = &stat[..length];
        // The name comes second, in parentheses, and can hold anything, parentheses included.
        let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
        let fields = str::from_utf8(&stat[after_name..]).ok()?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let threads: i64 = fields.nth(14)?.parse().ok()?;
        let started = fields.nth(1)?.parse().ok()?;
        // A process whose first thread has ended shows as a zombie while others go on.
        let lives = !matches!(state, "Z" | "X" | "x") || threads > 1;
        Some(Self { identity: Identity { pid, started }, parent, group, lives })
    }

    /// The environment that the process was started with; empty when it is in the middle of
    /// `exec` or has just ended. That of other users' processes is none of our business.
    fn environment(&self) -> Option<Vec<u8>> {
        let mut environment = Vec::new();
        let directory = format!("/proc/{}", self.id());
        if fs::metadata(&directory).is_ok_and(|process| process.uid() != geteuid().as_raw()) {
            return None;
        }
        if let Ok(file) = File::open(directory + "/environ")
            && file.take(ENVIRONMENT_LIMIT).read_to_end(&mut environment).is_err()
        {
            environment.clear();
        }
        Some(environment)
    }
}

/// What a look at the process table shows.
pub(super) struct Look {
    /// The living processes that belong, without the leader.
    pub(super) found: Vec<Process>,
    /// Whether another could have escaped this look: one that was being born, or changing its
    /// program, at that moment.
    pub(super) is_sure: bool,
}

pub(super) struct Family {
    marker: Marker,
    /// The program, where it is a child of this process: waited for elsewhere, never listed here.
    leader: Option<Process>,
    known: HashSet<Identity>,
}

impl Family {
    /// The processes of the call whose program is `child`, not yet reaped.
    pub(super) fn of_child(child: Pid, marker: Marker) -> Self {
        Self { marker, leader: Process::read(child), known: HashSet::new() }
    }

    /// The processes with this marker, and their descendants.
    pub(super) fn of_marker(marker: Marker) -> Self {
        Self { marker, leader: None, known: HashSet::new() }
    }

    /// Looks for the processes that belong.
    ///
    /// # Errors
    ///
    /// When there is no `/proc` to look at.
    pub(super) fn look(&mut self) -> io::Result<Look> {
        let (mut others, mut is_sure) = self.candidates()?;
        let mut found = Vec::new();
        let mut ids: HashSet<i32> = self.leader.iter().map(Process::id).collect();
        others.retain(|process| {
            let belongs = self.known.contains(&process.identity)
                || process.environment().is_some_and(|environment| {
                    is_sure &= !environment.is_empty();
                    environment.split(|byte| *byte == 0).any(|entry| self.marker.matches(entry))
                });
            if belongs {
                ids.insert(process.id());
                found.push(*process);
            }
            !belongs
        });
        // Relatives, until there are no more: children can have lower numbers than their parents.
        loop {
            let before = found.len();
            others.retain(|process| {
                let belongs = ids.contains(&process.parent) || ids.contains(&process.group);
                if belongs {
                    ids.insert(process.id());
                    found.push(*process);
                }
                !belongs
            });
            if found.len() == before {
                break;
            }
        }
        self.known = found.iter().map(|process| process.identity).collect();
        Ok(Look { found, is_sure })
    }

    /// All living processes that can belong: none that started before the leader did, and not
    /// this process, which may itself run inside a call. And whether those are all: one that has
    /// ended since the table was listed may have had a child that was not listed yet.
    fn candidates(&self) -> io::Result<(Vec<Process>, bool)> {
        let (mut candidates, mut are_all) = (Vec::new(), true);
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let pid = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            let Some(pid) = pid.filter(|pid| *pid != getpid()) else { continue };
            let Some(process) = Process::read(pid) else {
                are_all = false;
                continue;
            };
            let can_belong = self.leader.is_none_or(|leader| {
                leader.identity.pid != pid && leader.identity.started <= process.identity.started
            });
            if can_belong && process.lives {
                candidates.push(process);
            } else if can_belong {
                are_all = false;
            }
        }
        Ok((candidates, are_all))
    }
}
