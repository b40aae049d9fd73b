//! What a driver asks of its engine about a run that a node of its own has started, and what it is told.

use std::sync::Arc;

use workflow_core::actor::Actor;
use workflow_core::event::RunCreated;
use workflow_core::machine::{Child, ChildOutcome};
use workflow_core::stop::Stop;

/// What a driver wants of a run that a node of its own has started.
pub(crate) struct Look {
    /// The run.
    pub child: Child,
    /// How the run of the node was created.
    pub parent: Arc<RunCreated>,
    /// Who started it, or wants it to be stopped.
    pub by: Option<Arc<Actor>>,
    /// Whether the run is to be cancelled or killed.
    pub how: Stop,
    /// Whether an earlier look of this driver, which has not returned, may be creating the run.
    pub is_opening: bool,
    /// Whether the run may be driven here. A driver that stops begins nothing.
    pub drives: bool,
}

/// What a driver is told of such a run.
pub(crate) enum Seen {
    /// It exists, and has not ended.
    UnderWay,
    /// It has ended, or there is none.
    Ended(Box<ChildOutcome>),
    /// There is none yet, and an earlier look may be creating it.
    Opening,
    /// Nothing is known, because the engine shuts down.
    Nothing,
}
