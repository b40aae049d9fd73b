//! What a call is given.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::Skill;
use crate::data::Data;
use crate::definition::WorktreeSpec;
use crate::ids::{NodePath, RunId};
use crate::usage::Usage;

/// Which call it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallId {
    /// The run.
    pub run: RunId,
    /// Tells this run from one of the same id in another store.
    pub seed: u64,
    /// The node.
    pub path: NodePath,
    /// The attempt, counted from 1.
    pub attempt: u32,
}

impl CallId {
    /// The same for every attempt at the same node of the same iteration: for services that
    /// recognise a request that was sent twice.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.run, self.path)
    }
}

/// What a provider is asked to do. All `${…}` are resolved.
///
/// ```
/// use workflow_core::provider::{CallRequest, Reply};
///
/// /// What a closure that is a provider does with a request.
/// fn shout(request: CallRequest) -> Reply {
///     let mark = request.options["mark"].as_str().unwrap_or("!");
///     Reply::text(request.prompt.to_uppercase() + mark)
/// }
/// ```
#[derive(Clone)]
pub struct CallRequest {
    /// Which call it is.
    pub id: CallId,
    /// The prompt, with the inputs and the previous lane's output after it. May be empty.
    pub prompt: String,
    /// The options under `with`: an object, or null.
    pub options: Value,
    /// Environment variables to add.
    pub env: IndexMap<String, String>,
    /// Where to work, as the definition says it.
    pub cwd: Option<String>,
    /// The session to continue.
    pub session: Option<String>,
    /// What the calls in that session have used so far, as far as it is recorded. Agents that tell what a
    /// session has used all in all are asked for the difference.
    pub session_usage: Option<Usage>,
    /// The JSON Schema that the output has to follow. The engine checks the output in any case; a provider
    /// that can hold an agent to a schema does.
    pub output_schema: Option<Arc<Value>>,
    /// Skills to hand to the agent, by name.
    pub skills: Vec<(Arc<str>, Arc<Skill>)>,
    /// In which files to work.
    pub workspace: Workspace,
}

impl fmt::Debug for CallRequest {
    /// Shows only which call it is: prompt, options and environment may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallRequest").field("id", &self.id).finish_non_exhaustive()
    }
}

/// In which files a call works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Workspace {
    /// In those that the provider works in by default: for a command, its work root.
    #[default]
    Shared,
    /// In files of the run's own, which a wrapper around the provider has to create first. A provider that
    /// receives this itself, and would change the shared files, refuses the call.
    Isolated,
    /// The same, where it is known how its files begin: in a run that was forked as those of the other run were there, and
    /// otherwise as the workflow says.
    IsolatedFrom(Arc<Origin>),
    /// In this directory, in place of the provider's own work root.
    At(PathBuf),
}

/// How the files of a run begin, for providers that keep files of each run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// The run that it was forked from, and its seed; then the run that that one was forked from.
    pub runs: Vec<(RunId, u64)>,
    /// What the last call that was taken over and that changed files reported about them: the member
    /// `worktree` of its details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<Data>,
    /// What the workflow says about worktrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spec: Option<WorktreeSpec>,
}
