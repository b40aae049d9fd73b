//! The store in memory, with or without a defect, as a fixture of the suite.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use workflow_core::ids::RunId;
use workflow_core::store::{Lease, MemoryStore, RunStore};
use workflow_testkit::ManualClock;
use workflow_testkit::store::{Damage, Fixture};

use crate::defective::Defective;
use crate::defects::Defect;

/// The lease time.
pub(crate) const LEASE_TIME: Duration = Duration::from_secs(30);

pub(crate) struct Memory {
    data: MemoryStore,
    shared: Arc<Shared>,
    defect: Defect,
}

/// State shared by all processes: what a defect needs.
pub(crate) struct Shared {
    pub(crate) clock: ManualClock,
    pub(crate) damaged: Mutex<HashMap<RunId, (u64, Damage)>>,
    /// The newest lease of each run, with the process it was given to.
    pub(crate) leases: Mutex<HashMap<RunId, (MemoryStore, Lease)>>,
    pub(crate) processes: Mutex<Vec<MemoryStore>>,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self::with(Defect::None)
    }

    pub(crate) fn with(defect: Defect) -> Self {
        let clock = ManualClock::new();
        let time = match defect {
            Defect::NeverExpires => LEASE_TIME * 1_000,
            Defect::ExpiresEarly => LEASE_TIME / 2,
            _ => LEASE_TIME,
        };
        let data = MemoryStore::with_leases(time, clock.reader());
        let shared = Shared {
            clock,
            damaged: Mutex::default(),
            leases: Mutex::default(),
            processes: Mutex::default(),
        };
        Self { data, shared: Arc::new(shared), defect }
    }
}

impl Fixture for Memory {
    fn open(&self) -> Box<dyn RunStore> {
        let process = self.data.another_process();
        let mut processes = self.shared.processes.lock().unwrap();
        processes.push(process.clone());
        Box::new(Defective::new(process, self.defect, processes.len(), Arc::clone(&self.shared)))
    }

    fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    fn damage(&self, run: &RunId, event: u64, damage: Damage) {
        self.shared.damaged.lock().unwrap().insert(run.clone(), (event, damage));
    }
}
