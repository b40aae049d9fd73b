//! What a sink's tests give to the suite.

use workflow_core::ids::RunId;
use workflow_core::sink::EventSink;

/// What a sink's tests give to the suite.
pub trait Fixture {
    /// A sink that lets about `capacity` events and entries wait, and what consumes them: slow until it is told
    /// to [go on](Consumer::go_on).
    fn open(&self, capacity: usize) -> (Box<dyn EventSink>, Box<dyn Consumer>);
}

/// Where a sink hands events to.
pub trait Consumer {
    /// Begins to take what comes.
    fn go_on(&mut self);

    /// Takes all there is, in order. The sink is gone.
    fn rest(&mut self) -> Vec<Seen>;
}

/// What a consumer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An event of a run, by its number.
    Event(RunId, u64),
    /// An output entry of a run, by its number.
    Output(RunId, u64),
    /// That so much was left out here.
    Missed {
        /// Events.
        events: u64,
        /// Output entries.
        output: u64,
    },
}
