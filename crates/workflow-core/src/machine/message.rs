//! The inputs and the outputs of the machine.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::data::Data;
use crate::event::Event;
use crate::failure::Failure;
use crate::ids::{NodePath, RunId};
use crate::provider::{ProviderError, Reply};
use crate::status::RunStatus;
use crate::stop::Stop;
use crate::store::ControlRecord;
use crate::usage::{Spent, Usage};

/// An input of the machine.
#[derive(Debug)]
pub enum Input {
    /// A driver has acquired the run. The calls that a former driver left have been stopped.
    TakenUp {
        /// The controls that were requested while no process drove the run.
        controls: Vec<ControlRecord>,
        /// When a call of the former driver last showed activity, other than by an event.
        heard: Option<Timestamp>,
    },
    /// The node has a slot at its provider.
    Granted {
        /// The node.
        path: NodePath,
        /// The provider.
        provider: Arc<str>,
    },
    /// No slot is free at the node's provider; `Granted` follows when there is one.
    Queued {
        /// The node.
        path: NodePath,
        /// The provider.
        provider: Arc<str>,
    },
    /// The node cannot be started at all.
    Refused {
        /// The node.
        path: NodePath,
        /// Why.
        failure: Failure,
    },
    /// A timer is due.
    Due {
        /// The node.
        path: NodePath,
    },
    /// A call has ended, and so have its processes.
    Finished {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// How. In a box: it is large, and passed on several times.
        result: Box<Result<Reply, ProviderError>>,
        /// How long after it was decided on, by the monotonic clock, if known.
        took: Option<Duration>,
    },
    /// The driver stopped a call because it is itself about to stop.
    Interrupted {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
    },
    /// The call is lost, because the process that made it has died, while others of the run continue; what it left has
    /// been [reclaimed](crate::provider::Provider::reclaim). It counts as interrupted, as after `TakenUp`, and its node
    /// is called again, or a person is asked, as the node says. A call that has ended is ignored.
    Lost {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// When the call last showed activity, if that is known: so long it has run.
        heard: Option<Timestamp>,
    },
    /// The outputs of a `foreach` node's items, as `Collect` asked for them.
    Collected {
        /// The node.
        path: NodePath,
        /// An array of them, in the order of the items.
        result: Result<Data, Failure>,
    },
    /// A call has reported how much it has used so far.
    Used {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// All that this attempt has used.
        usage: Usage,
    },
    /// A provider's session has become known.
    Session {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// The session.
        session: Arc<str>,
    },
    /// The run that a node started exists, and has not ended.
    ChildSeen {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
    },
    /// The run that a node started has ended.
    ChildEnded {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// How. In a box, because it is large and rare.
        outcome: Box<ChildOutcome>,
    },
    /// A person or the host has sent a control request.
    Control(ControlRecord),
}

/// How a run ended that a node started.
///
/// Its JSON is a wire form, as that of a [`Reply`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChildOutcome {
    /// The run.
    pub run: RunId,
    /// Its status; `None` where there is no such run.
    pub status: Option<RunStatus>,
    /// What it used, with the runs that it started itself.
    pub spent: Spent,
    /// Its output, or why the node fails.
    pub result: Result<Data, Failure>,
}

/// What the driver must do, as the machine decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Get a slot for the node at its provider; answer with `Granted`, or with `Queued` first. A node that is
    /// waiting already need not be queued twice.
    Acquire {
        /// The node.
        path: NodePath,
        /// The provider.
        provider: Arc<str>,
    },
    /// Call the node's provider; answer with `Finished`.
    Call {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// The provider.
        provider: Arc<str>,
    },
    /// Stop the call of the node; its `Finished` still follows.
    Stop {
        /// The node.
        path: NodePath,
        /// How.
        how: Stop,
    },
    /// Answer with `Due` at that time.
    Timer {
        /// The node.
        path: NodePath,
        /// When.
        at: Timestamp,
    },
    /// Read the outputs of a `foreach` node's items from the log; answer with `Collected`.
    Collect {
        /// The node.
        path: NodePath,
        /// For each item, in their order, the number of the event that it ended with. That of an item that
        /// was skipped has no output.
        ended: Vec<u64>,
    },
    /// Look at the run that a node [started](super::child): answer with `ChildSeen` or `ChildEnded`. If it does not exist yet,
    /// create it.
    Child {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// Whether it is to be cancelled or killed; then it is not created.
        how: Stop,
    },
    /// Stop what is still running of a call that a former driver left, before `TakenUp`. Only
    /// [`pending`](super::pending) returns this effect.
    Reclaim {
        /// The node.
        path: NodePath,
        /// The attempt.
        attempt: u32,
        /// The provider.
        provider: Arc<str>,
    },
}

/// What follows from one or several inputs: store the events, then carry out the effects.
#[derive(Debug, Default)]
pub struct Decision {
    /// What happened.
    pub events: Vec<Event>,
    /// What to do once the events are stored.
    pub effects: Vec<Effect>,
    /// Whether the run's head has changed.
    pub head_changed: bool,
}

impl Decision {
    /// Nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Empties it for the next use.
    pub fn clear(&mut self) {
        self.events.clear();
        self.effects.clear();
        self.head_changed = false;
    }
}
