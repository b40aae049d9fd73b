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

impl RunSlot {
    /// The most bytes that a key can have.
    pub const LONGEST_KEY: usize = 256;

    /// Whether a run can be started with a key, or what is wrong with it.
    ///
    /// # Errors
    ///
    /// What is wrong: it is empty, too long, or has control characters.
    pub fn check_key(key: &str) -> Result<(), String> {
        if key.trim().is_empty() {
            return Err("is empty: it says what the runs share".to_owned());
        }
        if key.len() > Self::LONGEST_KEY {
            return Err(format!("has {} bytes; at most {} are possible", key.len(), Self::LONGEST_KEY));
        }
        if key.chars().any(char::is_control) {
            return Err("has control characters, as line ends".to_owned());
        }
        Ok(())
    }
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
    /// It is not created: [`StoreError::Busy`](crate::store::StoreError::Busy).
    Reject,
}
