//! Slots: of the runs with the same key, one is in progress.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The slot that a run needs: of all runs of a store with the same key, one has it, and the others wait for it in the order in
/// which they were created.
///
/// A run has its slot from its creation, or from when it becomes the first of those that wait, until the event that ends it is
/// stored, or it is deleted. The death of a driver does not free it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunSlot {
    /// The key.
    pub key: String,
    /// What happens where another run has the slot.
    #[serde(default)]
    pub mode: SlotMode,
}

/// What happens to a new run while another one has its slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotMode {
    /// It waits.
    #[default]
    Queue,
    /// The other run is asked to cancel, and the new one waits until it has ended.
    Cancel,
    /// It is not created: [`StoreError::Busy`](super::StoreError::Busy).
    Reject,
}
