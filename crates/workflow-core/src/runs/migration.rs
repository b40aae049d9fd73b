//! What a newer definition would change for a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bundle::BundleHash;
use crate::ids::RunId;

/// The changes that a newer definition would make to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    /// The run.
    pub run_id: RunId,
    /// The bundle that the run continues with now.
    pub from: BundleHash,
    /// The bundle of the newer definition.
    pub to: BundleHash,
    /// The differences, one line each; empty if there are none.
    pub diverges: Vec<String>,
    /// Why the run cannot be moved at the moment; empty if it can.
    pub obstacles: Vec<String>,
}
