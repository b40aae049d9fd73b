//! The signals that were sent to a run.

use std::collections::HashSet;

use crate::data::Data;
use crate::store::Signal;

/// The signals that were sent to a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::machine) struct Signals {
    /// Those that no node has taken, in the order in which they were sent.
    waiting: Vec<(Box<str>, Data)>,
    /// The ids of all.
    ids: HashSet<Box<str>>,
}

impl Signals {
    /// Whether a signal with that id was received.
    pub(in crate::machine) fn knows(&self, id: &str) -> bool {
        self.ids.contains(id)
    }

    /// Receives a signal; one whose id is known has no effect.
    pub(in crate::machine) fn receive(&mut self, signal: &Signal) {
        if signal.id.as_ref().is_none_or(|id| self.ids.insert(id.clone())) {
            self.waiting.push((signal.name.clone(), signal.data.clone()));
        }
    }

    /// The data of the oldest signal of that name.
    pub(in crate::machine) fn first(&self, name: &str) -> Option<&Data> {
        self.waiting.iter().find(|(sent, _)| **sent == *name).map(|(_, data)| data)
    }

    /// Takes the oldest signal of that name.
    pub(in crate::machine) fn take(&mut self, name: &str) -> Option<Data> {
        let place = self.waiting.iter().position(|(sent, _)| **sent == *name)?;
        Some(self.waiting.remove(place).1)
    }
}
