//! Signals of the system, as a stream.

use std::fs;
use std::thread;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use rustix::process::{Pid, Signal, getpid, kill_process, kill_process_group};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::error::Error;

/// Takes in the signals that ask this process to end, until the returned stream is dropped. From
/// then on they do what they do by default. Those that were ignored when the program started (`nohup`) stay ignored.
///
/// Until the process ends, Ctrl-Z stops the calls too, and they continue when this process does.
pub(crate) fn listen() -> Result<UnboundedReceiver<i32>, Error> {
    let wanted = not_ignored(&[SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP, SIGCONT]);
    let mut signals = Signals::new(wanted).map_err(Error::System)?;
    let (sender, receiver) = unbounded();
    let forward = move || {
        let mut stopped = Vec::new();
        for signal in &mut signals {
            if signal == SIGTSTP {
                stopped.extend(stop_calls());
                // This thread may run on for a moment.
                let _ = kill_process(getpid(), Signal::STOP);
            } else if signal == SIGCONT {
                for call in stopped.drain(..) {
                    let _ = kill_process_group(call, Signal::CONT);
                }
            } else if sender.unbounded_send(signal).is_err() {
                // It ends the process, so there is no error to speak of.
                let _ = emulate_default_handler(signal);
            }
        }
    };
    thread::Builder::new().name("signals".into()).spawn(forward).map_err(Error::System)?;
    Ok(receiver)
}

/// Those of the signals that this process does not ignore: all of them where the system does not tell, and always
/// SIGTERM, without which only SIGKILL would be left.
pub(crate) fn not_ignored(signals: &[i32]) -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let is_ignored = |signal: i32| signal != SIGTERM && mask & (1 << (signal - 1)) != 0;
    signals.iter().copied().filter(|signal| !is_ignored(*signal)).collect()
}

/// Stops the calls, and returns those that it stopped.
fn stop_calls() -> Vec<Pid> {
    let mut calls = calls();
    // One may have ended meanwhile.
    calls.retain(|call| kill_process_group(*call, Signal::STOP).is_ok());
    calls
}

/// The children of this process that lead a process group, as every call does: they are not in the terminal's
/// group, so that its Ctrl-Z does not reach them.
fn calls() -> Vec<Pid> {
    let own = getpid().as_raw_nonzero().get();
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let numbers = processes.flatten().filter_map(|process| process.file_name().to_str()?.parse::<i32>().ok());
    let is_call = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name of the program is in parentheses, and can hold anything.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
        let mut fields = fields.split(' ').skip(1).map(|field| field.parse::<i32>().ok());
        fields.next().flatten() == Some(own) && fields.next().flatten() == Some(*pid)
    };
    numbers.filter(is_call).filter_map(Pid::from_raw).collect()
}
