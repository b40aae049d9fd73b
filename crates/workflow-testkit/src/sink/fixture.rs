//! The interface between a sink's tests and the suite.

use workflow_core::ids::RunId;
use workflow_core::sink::EventSink;

/// What a sink's tests provide to the suite.
pub trait Fixture {
    /// Opens a sink that queues about `capacity` events and entries, and its consumer, which is slow until it
    /// is told to [continue](Consumer::go_on).
    fn open(&self, capacity: usize) -> (Box<dyn EventSink>, Box<dyn Consumer>);
}

/// The receiver of a sink's events.
pub trait Consumer {
    /// Starts to consume.
    fn go_on(&mut self);

    /// Consumes everything that is left, in order. The sink was dropped before.
    fn rest(&mut self) -> Vec<Seen>;
}

/// What a consumer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// An event of a run, by its number.
    Event(RunId, u64),
    /// An output entry of a run, by its number.
    Output(RunId, u64),
    /// How much was dropped at this point.
    Missed {
        /// Events.
        events: u64,
        /// Output entries.
        output: u64,
    },
}
