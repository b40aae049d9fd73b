//! The signals that this process receives, as a stream.

use std::fs;
use std::thread;

use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use rustix::process::{Signal, getpid, kill_process};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use workflow_providers::suspend_calls;

use crate::error::Error;

/// Receives the signals that ask this process to end, until the returned stream is dropped. From then on they have their
/// default effect. Those that were ignored when the program started (`nohup`) stay ignored.
///
/// Until the process ends, Ctrl-Z suspends the calls together with this process, and SIGCONT resumes both.
pub(crate) fn listen() -> Result<UnboundedReceiver<i32>, Error> {
    let mut wanted = not_ignored(&[SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP]);
    wanted.push(SIGCONT);
    let signals = Signals::new(wanted).map_err(Error::System)?;
    let (sender, receiver) = unbounded();
    let forward = move || forward(signals, &sender);
    thread::Builder::new().name("signals".into()).spawn(forward).map_err(Error::System)?;
    Ok(receiver)
}

fn forward(mut signals: Signals, sender: &UnboundedSender<i32>) {
    let mut suspended = None;
    loop {
        let arrived: Vec<_> = signals.wait().collect();
        // When SIGTSTP and SIGCONT arrive together their order is unknown: it is safer to keep running.
        let continues = arrived.contains(&SIGCONT);
        if continues {
            suspended = None;
        }
        for signal in arrived {
            match signal {
                SIGCONT => {}
                SIGTSTP if continues => {}
                SIGTSTP => {
                    suspended.get_or_insert_with(suspend_calls);
                    // Not what SIGTSTP does by default: nothing, where no shell of the session waits for this process. It
                    // may take a moment, in which this thread runs on.
                    let _ = kill_process(getpid(), Signal::STOP);
                }
                signal if sender.unbounded_send(signal).is_err() => {
                    // It ends the process, so there is no error to report.
                    let _ = emulate_default_handler(signal);
                }
                _ => {}
            }
        }
    }
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
