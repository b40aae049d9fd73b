//! The conformance suite of [`RunStore`].

#[doc(hidden)]
pub mod cases;
mod register;
pub mod runs;
pub mod wrapping;

use std::fmt;
use std::time::Duration;

use workflow_core::ids::RunId;
use workflow_core::store::RunStore;

/// What a store's tests give to the suite: one body of data, that lasts as long as the fixture.
///
/// Every case gets a fixture of its own, with nothing in it.
pub trait Fixture {
    /// Opens the store as a process does that starts now: each call makes another holder of leases.
    ///
    /// Several are open at the same time only where the capability `processes` is declared.
    fn open(&self) -> Box<dyn RunStore>;

    /// Lets time go by for leases: moves the clock that the store was given, or moves back what it has
    /// written down. Needed where [`RunStore::lease_time`] is not `None`. Never sleeps.
    fn advance(&self, by: Duration) {
        panic!("leases of this store run out, and its fixture cannot let {by:?} go by");
    }

    /// Damages what is stored of an event. Needed for the capability `damage`. No store is open then.
    fn damage(&self, run: &RunId, event: u64, damage: Damage) {
        panic!("the fixture declares `damage` and does not do it: {damage:?} of event {event} of {run}");
    }
}

/// What is to be done to a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// It becomes something that is no event.
    Garbage,
    /// Its type becomes [`Damage::UNKNOWN_EVENT`].
    UnknownEvent,
}

impl Damage {
    /// A type of event that no version has.
    pub const UNKNOWN_EVENT: &str = "attempt_dreamt";
}

/// What a store can do besides what every store does; see [`store_suite`](crate::store_suite).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// What is stored is there when the store is opened again.
    Durable,
    /// Several processes can have it open at the same time.
    Processes,
    /// Leases run out by a clock.
    Leases,
    /// Watchers are told of runs that can be claimed.
    Hints,
    /// What is stored can be damaged, for a test.
    Damage,
}

/// A case of the suite.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// What it shows.
    pub name: &'static str,
    /// What the store has to be able to do.
    pub needs: Option<Capability>,
    /// Shows it, or panics.
    pub run: fn(&dyn Fixture),
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

pub use register::cases;
