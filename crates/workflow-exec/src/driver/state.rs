//! What the driver of a run holds, and why it ends.

use std::sync::Arc;
use std::time::Duration;

use foldhash::HashSet;
use futures::future::BoxFuture;
use tracing::Span;
use workflow_core::event::Event;
use workflow_core::ids::NodePath;
use workflow_core::machine::{Decision, Effect, State};
use workflow_core::plan::Plan;
use workflow_core::store::{ControlRecord, Lease, StoreError};

use crate::active::Entered;
use crate::call::Admission;
use crate::driver::output::RunIo;
use crate::driver::underway::Underway;
use crate::driver::watch::Watch;
use crate::shared::{Hold, Shared};
use workflow_core::runs::EngineError;

pub(super) struct Driver<'e> {
    pub(super) engine: &'e Shared,
    pub(super) entered: &'e Entered,
    pub(super) hold: &'e Hold,
    pub(super) lease: Lease,
    pub(super) plan: Arc<Plan>,
    pub(super) state: Box<State>,
    pub(super) io: Arc<RunIo>,
    pub(super) decision: Decision,
    /// The events of the decision that are being stored.
    pub(super) events: Arc<[Event]>,
    /// Effects of the decision, which are carried out once its events are stored; a call of a provider comes
    /// with what it needs to begin.
    pub(super) effects: Vec<(Effect, Option<Admission<'e>>)>,
    pub(super) underway: Underway<'e>,
    pub(super) watch: Watch<'e>,
    /// Nodes that wait for a slot, so that each is queued once.
    pub(super) waiting: HashSet<NodePath>,
    /// Controls that were read and that the machine has not decided on.
    pub(super) controls: Vec<ControlRecord>,
    pub(super) last_control: u64,
    /// How many runs that nodes have started are being looked at.
    pub(super) looks: u32,
    /// The attempts whose run such a look may be creating.
    pub(super) opening: Vec<(NodePath, u32)>,
    /// The number of the last output entry of former drivers.
    pub(super) last_output: u64,
    pub(super) flushing: Option<BoxFuture<'e, ()>>,
    /// A call has ended since the last append: its output is stored before its end is.
    pub(super) has_last_words: bool,
    pub(super) run_span: Span,
    pub(super) stage: Span,
    /// When the last decision was made, by the monotonic clock.
    pub(super) decided: Duration,
}

/// Why a driver stops.
pub(super) enum Ending {
    Failed(EngineError),
    /// Another driver has written to the log.
    Changed,
}

impl From<EngineError> for Ending {
    fn from(error: EngineError) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Ending {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}
