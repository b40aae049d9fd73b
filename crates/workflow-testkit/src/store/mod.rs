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

/// What a store's tests provide to the suite: one set of data that lives as long as the fixture.
///
/// Every case gets a fixture of its own, with no data in it.
pub trait Fixture {
    /// Opens the store like a process that starts now: each call creates another holder of leases.
    ///
    /// Several are open at the same time only if the capability `processes` is declared.
    fn open(&self) -> Box<dyn RunStore>;

    /// Advances the time of leases: moves the clock that the store was given, or moves the stored times back.
    /// Needed if [`RunStore::lease_time`] is not `None`. Never sleeps.
    fn advance(&self, by: Duration) {
        panic!("leases of this store expire, but its fixture does not implement `advance` ({by:?})");
    }

    /// Damages a stored event. Needed for the capability `damage`. No store is open then.
    fn damage(&self, run: &RunId, event: u64, damage: Damage) {
        panic!(
            "the fixture declares `damage` but does not implement it: {damage:?} of event {event} of {run}"
        );
    }
}

/// How to damage a stored event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Replaces it with something that is not an event.
    Garbage,
    /// Changes its type to [`Damage::UNKNOWN_EVENT`].
    UnknownEvent,
}

impl Damage {
    /// A type of event that no version has.
    pub const UNKNOWN_EVENT: &str = "attempt_dreamt";
}

/// The optional capabilities of a store; see [`store_suite`](crate::store_suite).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Its data is durable.
    Durable,
    /// Several processes can have it open at the same time.
    Processes,
    /// Leases expire by a clock.
    Leases,
    /// Watchers are notified of runs that can be claimed.
    Hints,
    /// A test can damage its data.
    Damage,
    /// Runs with the same key wait for each other.
    Slots,
}

/// A case of the suite.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// The behaviour that it checks.
    pub name: &'static str,
    /// The capability that it needs.
    pub needs: Option<Capability>,
    /// Runs the case; panics if it fails.
    pub run: fn(&dyn Fixture),
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("needs", &self.needs).finish_non_exhaustive()
    }
}

pub use register::cases;
