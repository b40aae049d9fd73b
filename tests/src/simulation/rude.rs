//! An event sink that panics after a while.

use std::panic::resume_unwind;
use std::sync::Mutex;

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::sink::EventSink;

use super::journal::Journal;
use crate::reference::chance::Chance;

/// A sink of a process; see the [module](self).
pub struct Rude {
    journal: Journal,
    chance: Mutex<Chance>,
    is_off: Mutex<bool>,
}

impl Rude {
    /// A sink that panics at a random event, drawn from `seed`.
    pub fn new(journal: &Journal, seed: u64) -> Self {
        let chance = Mutex::new(Chance::of(seed, "sink"));
        Self { journal: journal.clone(), chance, is_off: Mutex::default() }
    }
}

impl EventSink for Rude {
    fn events(&self, run: &RunId, _: &[Event]) {
        if *self.is_off.lock().unwrap() {
            self.journal.entries().violated(format!("a sink that panicked was shown an event of run {run}"));
        }
        if self.chance.lock().unwrap().percent(3) {
            *self.is_off.lock().unwrap() = true;
            self.journal.entries().counts.sinks += 1;
            resume_unwind(Box::new("no more"));
        }
    }
}
