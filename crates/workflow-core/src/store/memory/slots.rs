//! Which run holds the slot of each concurrency key, and which runs wait for it.

use std::collections::VecDeque;

use foldhash::HashMap;

use crate::ids::RunId;
use crate::store::{RunSlot, SlotMode, StoreError};

/// The runs of each key, in the order of their creation: the first has the slot.
#[derive(Default)]
pub(super) struct Slots(HashMap<String, VecDeque<RunId>>);

impl Slots {
    /// Adds a new run. Returns the run that has the slot, if the new one has to wait.
    pub(super) fn add(&mut self, slot: &RunSlot, run: &RunId) -> Result<Option<RunId>, StoreError> {
        let runs = self.0.entry(slot.key.clone()).or_default();
        let first = runs.front().cloned();
        if let (Some(holder), SlotMode::Reject) = (&first, slot.mode) {
            return Err(StoreError::Busy { key: slot.key.clone(), holder: holder.clone() });
        }
        runs.push_back(run.clone());
        Ok(first)
    }

    /// The run that has the slot, if `run` waits for it.
    pub(super) fn behind(&self, slot: &RunSlot, run: &RunId) -> Option<RunId> {
        let runs = self.0.get(&slot.key)?;
        if runs.contains(run) { runs.front().filter(|first| *first != run).cloned() } else { None }
    }

    /// Removes a run. Returns the run that has the slot now, if it had none before.
    pub(super) fn remove(&mut self, slot: &RunSlot, run: &RunId) -> Option<RunId> {
        let runs = self.0.get_mut(&slot.key)?;
        let at = runs.iter().position(|other| other == run)?;
        runs.remove(at);
        let next = runs.front().filter(|_| at == 0).cloned();
        if runs.is_empty() {
            self.0.remove(&slot.key);
        }
        next
    }
}
