//! State that the future of a call, its supervising thread and its waiting thread share.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Child;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::io::ioctl_fionbio;
use rustix::process::{Pid, Signal, kill_process_group};
use workflow_core::stop::Stop;

use super::groups;

/// Wakes the supervising thread, and says why.
///
/// Both ends of the pipe live as long as the last possible writer: a late wake-up must not kill a host that
/// does not ignore `SIGPIPE`.
pub(crate) struct Control {
    asked: AtomicU8,
    exited: AtomicBool,
    silent: AtomicBool,
    group: Mutex<Option<Pid>>,
    woken: PipeReader,
    wake: PipeWriter,
}

impl Control {
    pub(super) fn new() -> io::Result<Self> {
        let (woken, wake) = io::pipe()?;
        ioctl_fionbio(&woken, true)?;
        ioctl_fionbio(&wake, true)?;
        Ok(Self {
            asked: AtomicU8::new(0),
            exited: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            group: Mutex::new(None),
            woken,
            wake,
        })
    }

    /// Requests the end of the call.
    pub(super) fn stop(&self, how: Stop) {
        self.asked.fetch_max(how as u8, Ordering::SeqCst);
        self.wake();
    }

    /// The strongest request so far.
    pub(crate) fn asked(&self) -> Stop {
        match self.asked.load(Ordering::SeqCst) {
            0 => Stop::None,
            1 => Stop::Gracefully,
            _ => Stop::AtOnce,
        }
    }

    /// Called when the future is dropped. It kills the group itself, because the host may be about to exit
    /// and leave the supervising thread no time; that thread does the rest if it can.
    pub(super) fn abandon(&self) {
        self.stop(Stop::AtOnce);
        self.with_group(|group| {
            let _ = kill_process_group(group, Signal::KILL);
        });
    }

    /// Starts a program, which leads a group of its own, and tracks the group; `None` where the call has to end at once.
    /// A call may run several programs, one after the other.
    ///
    /// [`abandon`](Self::abandon) waits for a start in progress: the host may exit right after it, and only the group says
    /// what is to be killed.
    pub(super) fn start(&self, spawn: impl FnOnce() -> io::Result<Child>) -> io::Result<Option<Child>> {
        let mut current = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        if self.asked() == Stop::AtOnce {
            return Ok(None);
        }
        let child = spawn()?;
        self.exited.store(false, Ordering::SeqCst);
        self.silent.store(false, Ordering::SeqCst);
        track(&mut current, Some(Pid::from_child(&child)));
        Ok(Some(child))
    }

    /// Forgets the process group of the call, before its leader is reaped: after that the number may refer to another
    /// group.
    pub(super) fn forget_group(&self) {
        track(&mut self.group.lock().unwrap_or_else(PoisonError::into_inner), None);
    }

    fn with_group(&self, act: impl FnOnce(Pid)) {
        let group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        group.map(act);
    }

    /// Records that the program has exited.
    pub(super) fn set_exited(&self) {
        self.exited.store(true, Ordering::SeqCst);
        self.wake();
    }

    pub(super) fn has_exited(&self) -> bool {
        self.exited.load(Ordering::SeqCst)
    }

    /// Records that the program printed nothing for too long, and is being stopped for that.
    pub(super) fn set_silent(&self) {
        self.silent.store(true, Ordering::SeqCst);
    }

    /// Whether the program is being stopped because it printed nothing, so that its output is a reaction to
    /// that.
    #[cfg(feature = "agent")]
    pub(crate) fn was_silent(&self) -> bool {
        self.silent.load(Ordering::SeqCst)
    }

    fn wake(&self) {
        // A full pipe wakes the thread too.
        let _ = (&self.wake).write(&[0]);
    }

    /// Becomes readable with each wake-up.
    pub(super) fn wake_ups(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }

    /// Discards the wake-ups so far.
    pub(super) fn clear_wake_ups(&self) {
        while (&self.woken).read(&mut [0; 64]).is_ok_and(|n| n > 0) {}
    }
}

fn track(current: &mut Option<Pid>, group: Option<Pid>) {
    std::mem::replace(current, group).into_iter().for_each(groups::remove);
    group.into_iter().for_each(groups::add);
}
