//! The program as the first process of a container: it reaps processes that lost their parent.
//!
//! The system reparents orphans to process 1, which has to wait for them. Waiting for any child would also consume the
//! exit codes of the calls, which the providers wait for, so the program itself runs as a child.

use std::env;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::thread;

use rustix::process::{Pid, Signal, WaitOptions, getpgrp, getpid, kill_process, wait};
use rustix::termios::{tcgetpgrp, tcsetpgrp};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGUSR1, SIGUSR2, SIGWINCH};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::{print, signals};

/// Whether this process is process 1, which gets all orphans.
pub(crate) fn is_needed() -> bool {
    getpid().is_init()
}

/// Runs the program with the same arguments as a child, passes signals on to it, and ends as it does.
pub(crate) fn run() -> Exit {
    supervise().unwrap_or_else(|error| {
        print::to_stderr(&format!("error: cannot run as process 1: {error}"));
        Exit::UNAVAILABLE
    })
}

fn supervise() -> io::Result<Exit> {
    // Before the child starts, so that no signal is lost.
    let all = [SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT, SIGUSR1, SIGUSR2, SIGWINCH];
    let mut signals = Signals::new(signals::not_ignored(&all))?;
    let mut program = Command::new(env::current_exe()?);
    // In a group of its own, so that a Ctrl-C of the terminal reaches it once.
    let child = Pid::from_child(&program.args(env::args_os().skip(1)).process_group(0).spawn()?);
    if tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp()) {
        // Without it the terminal's signals reach this process alone, which passes them on.
        let _ = tcsetpgrp(io::stdin(), child);
    }
    let pass_on = move || {
        for signal in signals.forever().filter_map(Signal::from_named_raw) {
            // It may have ended.
            let _ = kill_process(child, signal);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(pass_on)?;
    loop {
        match wait(WaitOptions::UNTRACED) {
            // No shell could continue process 1.
            Ok(Some((stopped, status))) if stopped == child && status.stopped() => {
                let _ = kill_process(child, Signal::CONT);
            }
            Ok(Some((ended, status))) if ended == child => {
                let code = status.exit_status().map(Exit::code);
                return Ok(code.unwrap_or_else(|| Exit::signal(status.terminating_signal().unwrap_or(0))));
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
