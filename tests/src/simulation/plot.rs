//! What happens to engines, as data.

use std::fmt;

use serde::{Deserialize, Serialize};
use workflow_core::ids::RunId;
use workflow_core::store::Control;

use super::fork::ForkSetup;
use crate::reference::case::Case;

/// All that a simulation depends on: the same plot is played to the same logs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Plot {
    /// What the order of what happens at once is drawn from, and the fate of what is on its way to the store.
    pub seed: u64,
    /// Of a hundred hints of the store, as many come late and twice.
    #[serde(default)]
    pub late_hints: u64,
    /// The engines; each works from the beginning.
    #[serde(default)]
    pub engines: Vec<EngineSetup>,
    /// The runs.
    #[serde(default)]
    pub runs: Vec<RunSetup>,
    /// What happens, in no order.
    #[serde(default)]
    pub happenings: Vec<Happening>,
}

/// An engine in worker mode.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EngineSetup {
    /// How many runs it takes on at a time.
    pub runs: usize,
    /// How many calls it makes at a time at each provider; 0: any number.
    #[serde(default)]
    pub places: usize,
}

/// A run.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunSetup {
    /// Its number among the runs, which its id is made of.
    pub number: u64,
    /// When it is created, in milliseconds since the world began.
    #[serde(default)]
    pub at: u64,
    /// Whose host creates it.
    #[serde(default)]
    pub engine: usize,
    /// Whether that host drives it at once.
    #[serde(default)]
    pub driven: bool,
    /// Its workflow, and what its providers answer.
    pub case: Case,
}

/// Something that happens.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Happening {
    /// When, in milliseconds since the world began.
    #[serde(default)]
    pub at: u64,
    /// To which engine. To one that is not there nothing happens.
    #[serde(default)]
    pub engine: usize,
    /// What.
    pub what: What,
}

/// What happens to an engine. Times are in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Its process dies; after that time there is a new one.
    Crash {
        /// The time.
        down: u64,
    },
    /// It shuts down in order; after that time its process ends, and there is a new one.
    Shutdown {
        /// The time.
        down: u64,
    },
    /// Its process stands still, and its calls with it, while time goes on.
    Freeze {
        /// For so long.
        lasts: u64,
    },
    /// What it asks of the store fails; some of it is done all the same.
    Refused {
        /// For so long.
        lasts: u64,
    },
    /// What it asks of the store has no answer until it is over; some of it is done then.
    Silence {
        /// For so long.
        lasts: u64,
    },
    /// The way to the store takes time, and the way back.
    Slow {
        /// At most so much.
        most: u64,
        /// For so long.
        lasts: u64,
    },
    /// Of a hundred things that it asks of the store, as many fail.
    Flaky {
        /// So many.
        percent: u64,
        /// For so long.
        lasts: u64,
    },
    /// Its clock is set.
    Clock {
        /// By so much.
        by: i64,
    },
    /// The disk of the store is full, for all engines.
    Full {
        /// For so long.
        lasts: u64,
    },
    /// Somebody else keeps all engines from writing to the store.
    Locked {
        /// For so long.
        lasts: u64,
    },
    /// The clock that leases run out by is set forward, or back.
    StoreClock {
        /// By so much.
        by: i64,
    },
    /// Its host makes a run of another one.
    Fork(ForkSetup),
    /// Its host asks something of a run.
    Control {
        /// The number of the run.
        run: u64,
        /// What.
        control: Control,
    },
}

impl RunSetup {
    /// Its id.
    ///
    /// # Panics
    ///
    /// Never: a number makes an id.
    pub fn id(&self) -> RunId {
        RunId::new(format!("r{}", self.number)).unwrap()
    }
}

impl Plot {
    /// Whether no process ever stands still, and no lease ends early: then a call has ended before another
    /// engine may begin one in its place.
    pub fn leases_are_kept(&self) -> bool {
        !self.happenings.iter().any(|it| matches!(it.what, What::Freeze { .. } | What::StoreClock { .. }))
    }

    /// Whether no process dies, stands still or is cut off from the store: then every call comes to an end that is
    /// recorded.
    pub fn is_calm(&self) -> bool {
        self.happenings.iter().all(|it| {
            matches!(it.what, What::Slow { .. } | What::Clock { .. } | What::Fork(_) | What::Control { .. })
        })
    }

    /// Whether there is one process, which stands still at times, and whose leases run out: nobody else can have taken
    /// its runs.
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

    /// Whether nothing goes wrong but that the store cannot be written to at times.
    pub fn is_only_unwritable(&self) -> bool {
        self.happenings.iter().all(|it| {
            matches!(it.what, What::Full { .. } | What::Locked { .. } | What::Fork(_) | What::Control { .. })
        })
    }

    /// Whether all clocks show the same time.
    pub fn clocks_agree(&self) -> bool {
        !self.happenings.iter().any(|it| matches!(it.what, What::Clock { .. }))
    }

    /// Whether every engine takes runs on, and all workflows are what resolving makes of them and can be run.
    pub fn is_sound(&self) -> bool {
        self.engines.iter().all(|engine| engine.runs > 0) && self.runs.iter().all(|run| run.case.is_sound())
    }
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
