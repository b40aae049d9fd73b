//! The disk of the store, shared by all stores: at times it is full, or another program holds the lock.

use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use workflow_core::store::StoreError;
use workflow_exec::{Clock as _, Timer as _};

use super::journal::Journal;
use super::planted::Defect;
use crate::sim::Sim;

/// How long a write waits for the lock.
const BUSY: Duration = Duration::from_secs(3);

/// Why writes fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// They do not.
    Fine,
    /// The disk is full: nothing of a write is stored.
    Full,
    /// Another program holds the lock. Reads are not affected.
    Locked,
}

struct State {
    condition: Condition,
    until: Timestamp,
    was_full: bool,
}

/// The disk of a store. Clones are the same disk.
#[derive(Clone)]
pub struct Disk {
    sim: Sim,
    journal: Journal,
    /// Whether the store does not notice that the disk is full.
    is_ignored: bool,
    state: Arc<Mutex<State>>,
}

impl Disk {
    /// A disk without problems.
    pub fn new(sim: &Sim, journal: &Journal, defect: Option<Defect>) -> Self {
        let state = State { condition: Condition::Fine, until: Timestamp::MAX, was_full: false };
        let is_ignored = defect == Some(Defect::IgnoresAFullDisk);
        Self { sim: sim.clone(), journal: journal.clone(), is_ignored, state: Arc::new(Mutex::new(state)) }
    }

    /// Sets its condition, until that time.
    pub fn set(&self, condition: Condition, until: Timestamp) {
        let mut state = self.state.lock().unwrap();
        state.was_full |= condition == Condition::Full;
        (state.condition, state.until) = (condition, until);
    }

    /// Whether it was full before, or is.
    pub fn was_full(&self) -> bool {
        self.state.lock().unwrap().was_full
    }

    /// Its condition, and for how long.
    pub fn now(&self) -> (Condition, Duration) {
        let state = self.state.lock().unwrap();
        let left = Duration::try_from(state.until.duration_since(self.sim.now())).unwrap_or_default();
        if left.is_zero() { (Condition::Fine, left) } else { (state.condition, left) }
    }

    /// Ready when writes are possible.
    pub async fn is_fine(&self) {
        while let (Condition::Full | Condition::Locked, left) = self.now() {
            self.sim.sleep(left).await;
        }
    }

    /// Ready when a write can be made, or has failed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`]: nothing is written.
    pub async fn write(&self) -> Result<(), StoreError> {
        let kind = match self.now() {
            (Condition::Fine, _) => return Ok(()),
            (Condition::Full, _) if self.is_ignored => return Ok(()),
            (Condition::Full, _) => {
                self.journal.entries().counts.full += 1;
                ErrorKind::StorageFull
            }
            (Condition::Locked, left) => {
                self.journal.entries().counts.locked += 1;
                self.sim.sleep(left.min(BUSY)).await;
                if left <= BUSY {
                    return Ok(());
                }
                ErrorKind::TimedOut
            }
        };
        Err(StoreError::Io { place: "the disk".to_owned(), source: Arc::new(io::Error::from(kind)) })
    }
}
