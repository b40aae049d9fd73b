//! Signals of the system, as a stream.

use std::fs;
use std::thread;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::error::Error;

/// Takes in the signals that ask this process to end, until the returned stream is dropped. From
/// then on they do what they do by default. Those that were ignored when the program started (`nohup`) stay ignored.
pub(crate) fn listen() -> Result<UnboundedReceiver<i32>, Error> {
    let wanted = not_ignored(&[SIGINT, SIGQUIT, SIGTERM, SIGHUP]);
    let mut signals = Signals::new(wanted).map_err(Error::System)?;
    let (sender, receiver) = unbounded();
    let forward = move || {
        for signal in &mut signals {
            if sender.unbounded_send(signal).is_err() {
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
