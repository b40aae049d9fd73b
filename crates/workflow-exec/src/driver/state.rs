//! What the driver of a run holds, and why it ends.

use std::sync::Arc;
use std::time::Duration;

use foldhash::HashSet;
use futures::future::BoxFuture;
use tracing::Span;
use workflow_core::ids::NodePath;
use workflow_core::machine::{Decision, Effect, State};
use workflow_core::plan::Plan;
use workflow_core::store::{ControlRecord, Lease, StoreError};

use crate::active::Entered;
use crate::driver::call::Admission;
use crate::driver::output::RunIo;
use crate::driver::underway::Underway;
use crate::driver::watch::Watch;
use crate::error::EngineError;
use crate::shared::{Hold, Shared};

pub(super) struct Driver<'e> {
    pub(super) engine: &'e Shared,
    pub(super) entered: &'e Entered,
    pub(super) hold: &'e Hold,
    pub(super) lease: Lease,
    pub(super) plan: Arc<Plan>,
    pub(super) state: Box<State>,
    pub(super) io: Arc<RunIo>,
    pub(super) decision: Decision,
    /// Effects of the decision that are carried out once its events are stored; those that call a
    /// provider with what the call begins with.
    pub(super) effects: Vec<(Effect, Option<Admission<'e>>)>,
    pub(super) underway: Underway<'e>,
    pub(super) watch: Watch<'e>,
    /// Nodes that wait for a place, so that each waits once.
    pub(super) waiting: HashSet<NodePath>,
    /// Controls that were read and have not been decided on.
    pub(super) controls: Vec<ControlRecord>,
    pub(super) last_control: u64,
    /// The number of the last output entry of former drivers.
    pub(super) last_output: u64,
    pub(super) flushing: Option<BoxFuture<'e, ()>>,
    /// A call has ended since the last append: its output is stored before its end is.
    pub(super) has_last_words: bool,
    pub(super) run_span: Span,
    pub(super) stage: Span,
    /// When the last decision was made, by the clock that is not set.
    pub(super) decided: Duration,
}

/// Why a driver does not go on.
pub(super) enum Ending {
    Failed(EngineError),
    /// Others have written to the log.
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
