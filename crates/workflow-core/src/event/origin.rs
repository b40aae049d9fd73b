//! What the first event of a run has, and the one that makes it a fork.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::bundle::BundleHash;
use crate::data::Data;
use crate::definition::{Budget, OnFailure};
use crate::event::child::ParentRun;
use crate::ids::{RunId, StageId, WorkflowId};
use crate::priority::Priority;
use crate::slot::RunSlot;

/// Everything that a run was started with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunCreated {
    /// The run.
    pub run: RunId,
    /// The workflow.
    pub workflow: WorkflowId,
    /// The resolved definition, by its hash.
    pub bundle: BundleHash,
    /// The variables.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub vars: IndexMap<String, Data>,
    /// The labels: texts by names that lists of runs are filtered by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Replaces `on_failure` of every stage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Replaces `max_iters` of the loop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_iters: Option<u32>,
    /// Whether a person is asked before every stage.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interactive: bool,
    /// Whether the calls work in a workspace of the run's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub isolated: bool,
    /// The slot that it needs, if it shares one with other runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Arc<RunSlot>>,
    /// Which of the runs that no process drives is claimed first.
    #[serde(default, skip_serializing_if = "Priority::is_normal")]
    pub priority: Priority,
    /// The run that started it, if it is the run of a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Arc<ParentRun>>,
    /// What is left of the budgets of that run: it counts beside its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Box<Budget>>,
    /// Drawn once for the run: seeds its jitter, and distinguishes its processes from those of a run with the
    /// same id in another store.
    pub seed: u64,
    /// Who started the run, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<Actor>>,
    /// The signature of the engine that created the run, in hexadecimal, if the engine has a run key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Box<str>>,
}

/// Where a run was taken over from another one, and what was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunForked {
    /// The other run.
    pub from: RunId,
    /// The number of its last event that counts.
    pub event: u64,
    /// Variables with other values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub vars: IndexMap<String, Data>,
    /// Stages with other outputs.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub outputs: IndexMap<StageId, Data>,
    /// The seed of the other run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What the last call before that point reported about the run's own files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<Data>,
    /// Who forked the run, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Arc<Actor>>,
    /// As [`RunCreated::signature`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Box<str>>,
}
