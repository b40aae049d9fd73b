//! The events of a simulation, as data.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use workflow_core::ids::RunId;
use workflow_core::store::Control;

use super::fork::ForkSetup;
use crate::reference::case::Case;

/// All inputs of a simulation: the same plot always results in the same logs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Plot {
    /// The seed for the order of simultaneous events, and for the fate of requests to the store.
    pub seed: u64,
    /// The percentage of the store's hints that are delayed and duplicated.
    #[serde(default)]
    pub late_hints: u64,
    /// The engines; each is a worker from the start.
    #[serde(default)]
    pub engines: Vec<EngineSetup>,
    /// The runs.
    #[serde(default)]
    pub runs: Vec<RunSetup>,
    /// The faults and requests, in any order.
    #[serde(default)]
    pub happenings: Vec<Happening>,
}

/// An engine in worker mode.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EngineSetup {
    /// How many runs it executes at a time.
    pub runs: usize,
    /// The limit of parallel calls per provider; 0: none.
    #[serde(default)]
    pub places: usize,
}

/// A run.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunSetup {
    /// Its number among the runs, which its id contains.
    pub number: u64,
    /// When it is created, in milliseconds since the world began.
    #[serde(default)]
    pub at: u64,
    /// The engine whose host creates it.
    #[serde(default)]
    pub engine: usize,
    /// Whether that host drives it at once.
    #[serde(default)]
    pub driven: bool,
    /// The key that it shares with other runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u64>,
    /// Its workflow, and the answers of its providers.
    pub case: Case,
}

/// A fault or request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Happening {
    /// When, in milliseconds since the world began.
    #[serde(default)]
    pub at: u64,
    /// The affected engine. An unknown engine is ignored.
    #[serde(default)]
    pub engine: usize,
    /// The kind.
    pub what: What,
}

/// A fault or request. Times are in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Its process dies; a new one starts after that time.
    Crash {
        /// The time.
        down: u64,
    },
    /// It shuts down regularly; after that time its process ends, and a new one starts.
    Shutdown {
        /// The time.
        down: u64,
    },
    /// Its process is suspended with its calls, while time passes.
    Freeze {
        /// The duration.
        lasts: u64,
    },
    /// Its requests to the store fail; some are executed all the same.
    Refused {
        /// The duration.
        lasts: u64,
    },
    /// Its requests to the store get no response until the end of the fault; some are executed then.
    Silence {
        /// The duration.
        lasts: u64,
    },
    /// Requests and responses of the store are delayed.
    Slow {
        /// The maximum delay.
        most: u64,
        /// The duration.
        lasts: u64,
    },
    /// A percentage of its requests to the store fails.
    Flaky {
        /// The percentage.
        percent: u64,
        /// The duration.
        lasts: u64,
    },
    /// Its clock is set.
    Clock {
        /// The difference.
        by: i64,
    },
    /// The disk of the store is full, for all engines.
    Full {
        /// The duration.
        lasts: u64,
    },
    /// Another program keeps all engines from writing to the store.
    Locked {
        /// The duration.
        lasts: u64,
    },
    /// The clock for the expiry of leases is set forward or back.
    StoreClock {
        /// The difference.
        by: i64,
    },
    /// Its host forks a run.
    Fork(ForkSetup),
    /// Its host sends a control request.
    Control {
        /// The number of the run.
        run: u64,
        /// The request.
        control: Control,
    },
}

impl RunSetup {
    /// Its id.
    ///
    /// # Panics
    ///
    /// Never: a number is a valid id.
    pub fn id(&self) -> RunId {
        RunId::new(format!("r{}", self.number)).unwrap()
    }
}

impl Plot {
    /// Whether no process is ever suspended, and no lease expires early: then a call has ended before another
    /// engine may repeat it.
    pub fn leases_are_kept(&self) -> bool {
        !self.happenings.iter().any(|it| matches!(it.what, What::Freeze { .. } | What::StoreClock { .. }))
    }

    /// Whether no process dies, is suspended or cut off from the store: then the end of every call is
    /// recorded.
    pub fn is_calm(&self) -> bool {
        self.happenings.iter().all(|it| {
            matches!(it.what, What::Slow { .. } | What::Clock { .. } | What::Fork(_) | What::Control { .. })
        })
    }

    /// Whether there is only one process, which is suspended at times so that its leases expire: no other
    /// process can have claimed its runs.
    pub fn is_only_suspended(&self) -> bool {
        self.engines.len() == 1
            && self.happenings.iter().all(|it| {
                matches!(
                    it.what,
                    What::Freeze { .. }
                        | What::Clock { .. }
                        | What::StoreClock { .. }
                        | What::Fork(_)
                        | What::Control { .. }
                )
            })
    }

    /// Whether the only fault is that the store is not writable at times.
    pub fn is_only_unwritable(&self) -> bool {
        self.happenings.iter().all(|it| {
            matches!(it.what, What::Full { .. } | What::Locked { .. } | What::Fork(_) | What::Control { .. })
        })
    }

    /// Whether all clocks show the same time.
    pub fn clocks_agree(&self) -> bool {
        !self.happenings.iter().any(|it| matches!(it.what, What::Clock { .. }))
    }

    /// Whether every engine executes runs, each run and each fork has its own number, and all workflows are
    /// resolved and can be run.
    pub fn is_sound(&self) -> bool {
        let forks = self.happenings.iter().filter_map(|happening| match &happening.what {
            What::Fork(fork) => Some(fork.number),
            _ => None,
        });
        self.engines.iter().all(|engine| engine.runs > 0)
            && are_unique(self.runs.iter().map(|run| run.number))
            && are_unique(forks)
            && self.runs.iter().all(|run| run.case.is_sound())
    }
}

fn are_unique(mut numbers: impl Iterator<Item = u64>) -> bool {
    let mut seen = BTreeSet::new();
    numbers.all(|number| seen.insert(number))
}

impl fmt::Display for Plot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, {} of 100 hints come late and twice", self.seed, self.late_hints)?;
        for (number, engine) in self.engines.iter().enumerate() {
            writeln!(f, "engine {number}: {engine:?}")?;
        }
        let mut happenings = self.happenings.clone();
        happenings.sort_by_key(|happening| happening.at);
        for Happening { at, engine, what } in &happenings {
            writeln!(f, "at {at} ms, engine {engine}: {what:?}")?;
        }
        for run in &self.runs {
            let driven = if run.driven { " and driven" } else { "" };
            writeln!(f, "at {} ms, engine {}: run r{} is created{driven}", run.at, run.engine, run.number)?;
            for line in run.case.to_string().lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
