//! Signals of the system, as a stream.

use std::thread;

use futures::channel::mpsc::{UnboundedReceiver, unbounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::error::Error;

/// Takes in the signals that ask this process to end, until the returned stream is dropped. From
/// then on they do what they do by default.
pub(crate) fn listen() -> Result<UnboundedReceiver<i32>, Error> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(Error::System)?;
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
