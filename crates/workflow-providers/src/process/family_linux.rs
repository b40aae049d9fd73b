//! Finds the processes of a call in `/proc`.
//!
//! A process belongs to a call if its environment contains the call's marker, it is in the program's process
//! group, it is a descendant of one that belongs, or it did belong at an earlier scan. Not found: a process
//! that has cleared its environment, left the group *and* lost its parent before a scan.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, geteuid, getpid, kill_process, pidfd_open, pidfd_send_signal,
};

use super::Marker;

/// The kernel's limit for the size of an environment.
const ENVIRONMENT_LIMIT: u64 = 8 * 1024 * 1024;

/// Identifies a process by its start time too, so that a later process with the same number differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pid: Pid,
    /// In clock ticks since the machine started.
    started: u64,
}

/// An entry of the process table.
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

    /// Sends `signal` to this process, never to another one that has reused its number.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = self.identity.pid;
        let is_same = || Self::read(pid).is_some_and(|now| now.identity == self.identity);
        let sent = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) if is_same() => pidfd_send_signal(fd, signal),
            // Kernels before 5.3, and sandboxes that filter the call.
            Err(Errno::NOSYS | Errno::PERM) if is_same() => kill_process(pid, signal),
            _ => Ok(()),
        };
        if let Err(error) = sent
            && error != Errno::SRCH
        {
            tracing::debug!(pid = self.id(), ?signal, %error, "cannot send a signal");
        }
    }

    fn read(pid: Pid) -> Option<Self> {
        // The fields that matter come first, and one read returns all of them.
        let mut stat = [0; 1024];
        let mut file = File::open(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
        let length = file.read(&mut stat).ok()?;
        let stat = &stat[..length];
        // The second field is the name in parentheses, which can contain anything, including parentheses.
        let after_name = stat.iter().rposition(|byte| *byte == b')')? + 1;
        let fields = str::from_utf8(&stat[after_name..]).ok()?;
        let mut fields = fields.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let threads: i64 = fields.nth(14)?.parse().ok()?;
        let started = fields.nth(1)?.parse().ok()?;
        // A process whose first thread has ended is shown as a zombie while other threads continue.
        let lives = !matches!(state, "Z" | "X" | "x") || threads > 1;
        Some(Self { identity: Identity { pid, started }, parent, group, lives })
    }

    /// The environment that the process was started with; empty if it is in the middle of `exec` or has just
    /// ended. `None` for processes of other users.
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

/// The result of a scan of the process table.
pub(super) struct Look {
    /// The living processes that belong, without the leader.
    pub(super) found: Vec<Process>,
    /// Whether the scan is complete: none could have been missed because it was just created or in the middle
    /// of `exec`.
    pub(super) is_sure: bool,
}

pub(super) struct Family {
    marker: Marker,
    /// The program, if it is a child of this process: it is waited for elsewhere, never listed here.
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

    /// Scans for the processes that belong.
    ///
    /// # Errors
    ///
    /// If `/proc` cannot be read.
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
        // Adds descendants until there are no more: children can have lower numbers than their parents.
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

    /// All living processes that can belong: those that started after the leader, without this process, which
    /// may itself run inside a call. And whether that is complete: a process that has ended since the table
    /// was listed may have had a child that was not listed yet.
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
