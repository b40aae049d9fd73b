//! Runs that nodes start: what the log of the parent says of them, and what links both.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::Data;
use crate::ids::{NodePath, RunId, WorkflowId};
use crate::status::RunStatus;
use crate::usage::Spent;

/// The run that another one was started by, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParentRun {
    /// The run.
    pub run: RunId,
    /// The node of it.
    pub path: NodePath,
    /// The attempt at the node.
    pub attempt: u32,
}

/// A node started a run of another workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChildStarted {
    /// The node.
    pub path: NodePath,
    /// The attempt, counted from 1: each has a run of its own.
    pub attempt: u32,
    /// The run, which is created once this is stored. Its id follows from the run of the node, the path and the attempt.
    pub run: RunId,
    /// Its workflow.
    pub workflow: WorkflowId,
    /// The variables that it is given.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub vars: IndexMap<String, Data>,
}

/// The run that a node started has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChildEnded {
    /// The node.
    pub path: NodePath,
    /// The attempt.
    pub attempt: u32,
    /// The run.
    pub run: RunId,
    /// How it ended; absent where there is no such run: it was deleted, or was not created because it was not wanted any
    /// more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
    /// What it used, with the runs that it started itself. It counts for the run of the node.
    #[serde(default, with = "spent")]
    #[schemars(with = "spent::Written")]
    pub spent: Spent,
}

/// What a run used, with names as other events have them.
mod spent {
    use schemars::JsonSchema;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::usage::Spent;

    /// What several calls used together.
    #[derive(Default, Serialize, Deserialize, JsonSchema)]
    #[serde(default)]
    pub(super) struct Written {
        /// How many attempts there were.
        attempts: u64,
        /// US dollars, as far as they are known.
        #[serde(skip_serializing_if = "Option::is_none")]
        cost_usd: Option<f64>,
        /// The attempts whose cost is not known.
        #[serde(skip_serializing_if = "is_zero")]
        unpriced: u64,
        /// Tokens, as far as they are known.
        #[serde(skip_serializing_if = "Option::is_none")]
        tokens: Option<u64>,
        /// The attempts whose tokens are not known.
        #[serde(skip_serializing_if = "is_zero")]
        uncounted: u64,
        /// How long the attempts took together, in milliseconds.
        #[serde(skip_serializing_if = "is_zero")]
        time_ms: u64,
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    fn is_zero(number: &u64) -> bool {
        *number == 0
    }

    pub(super) fn serialize<S: Serializer>(spent: &Spent, serializer: S) -> Result<S::Ok, S::Error> {
        let Spent { attempts, cost_usd, unpriced, tokens, uncounted, time_ms } = *spent;
        Written { attempts, cost_usd, unpriced, tokens, uncounted, time_ms }.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Spent, D::Error> {
        let Written { attempts, cost_usd, unpriced, tokens, uncounted, time_ms } =
            Written::deserialize(deserializer)?;
        Ok(Spent { attempts, cost_usd, unpriced, tokens, uncounted, time_ms })
    }
}

/// The id of the run that a node starts: the same whenever it is asked for, and another one for each attempt. It is a UUID
/// (RFC 9562, version 8) that begins with the time of the parent, so that it sorts beside that one.
pub(crate) fn child_id(
    parent: &RunId,
    seed: u64,
    created_ms: i64,
    path: &NodePath,
    attempt: u32,
) -> Option<RunId> {
    let hash = Sha256::digest(format!("{parent}\n{seed}\n{path}\n{attempt}").as_bytes());
    let mut bytes = [0; 16];
    bytes[..6].copy_from_slice(created_ms.to_be_bytes().get(2..)?);
    bytes[6..].copy_from_slice(hash.get(..10)?);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(char::from_digit(u32::from(byte >> 4), 16)?);
        text.push(char::from_digit(u32::from(byte & 0x0f), 16)?);
    }
    RunId::new(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_at_each_node_of_each_run_has_an_id_of_its_own() {
        let id = |run: &str, seed, path: &str, attempt| {
            let (run, path) = (RunId::new(run).unwrap(), path.parse().unwrap());
            child_id(&run, seed, 1_700_000_000_123, &path, attempt).unwrap()
        };
        let first = id("r", 7, "1/s[0]/each[3]", 1);
        assert_eq!(first, id("r", 7, "1/s[0]/each[3]", 1));
        assert!(first.as_str().starts_with("018bcfe5-687b-8"), "{first}");
        assert_eq!(first.as_str().len(), 36);
        for other in [
            id("q", 7, "1/s[0]/each[3]", 1),
            id("r", 8, "1/s[0]/each[3]", 1),
            id("r", 7, "2/s[0]/each[3]", 1),
            id("r", 7, "1/s[1]/each[3]", 1),
            id("r", 7, "1/s[0]/each[4]", 1),
            id("r", 7, "1/s[0]/fix[3]/each", 1),
            id("r", 7, "1/s[0]/each[3]", 2),
        ] {
            assert_ne!(first, other);
        }
    }
}
