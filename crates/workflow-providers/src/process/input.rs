//! What a program that is spoken with reads from standard input.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The input of a program that reads while it runs. The handler of its output writes to it.
#[derive(Debug, Default)]
pub(crate) struct Input(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    pending: Vec<u8>,
    is_closed: bool,
    last_words: Vec<u8>,
}

impl Input {
    /// Adds bytes to send.
    pub(crate) fn say(&self, bytes: &[u8]) {
        self.lock().pending.extend_from_slice(bytes);
    }

    /// Ends the input after what was added so far.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
    }

    /// Sets the bytes that ask the program to stop, before any signal does.
    pub(crate) fn set_last_words(&self, bytes: Vec<u8>) {
        self.lock().last_words = bytes;
    }

    /// The bytes to send next, and whether they are the last ones.
    pub(super) fn take(&self) -> (Vec<u8>, bool) {
        let mut state = self.lock();
        (std::mem::take(&mut state.pending), state.is_closed)
    }

    /// Adds the bytes that ask the program to stop; false if there are none.
    pub(super) fn say_last_words(&self) -> bool {
        let mut state = self.lock();
        let words = std::mem::take(&mut state.last_words);
        state.pending.extend_from_slice(&words);
        !words.is_empty() && !state.is_closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
