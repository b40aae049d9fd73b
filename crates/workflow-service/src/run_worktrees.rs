//! The worktrees of runs, as a host offers them.

use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use workflow_core::ids::RunId;
use workflow_core::provider::async_trait;

use crate::error::ServiceError;

/// The worktrees of runs. With the feature `worktree`, `Worktrees` of `workflow-providers` implements it.
///
/// No method may block the thread that polls it.
#[async_trait]
pub trait RunWorktrees: Send + Sync {
    /// The worktrees, the least recently used first.
    async fn list(&self) -> Result<Vec<WorktreeFolder>, ServiceError>;

    /// What a run has committed, `with_diff` or without; `None` if it has not worked in a worktree yet.
    async fn changes(&self, run: &RunId, with_diff: bool) -> Result<Option<RunChanges>, ServiceError>;

    /// The same as a patch for `git apply`.
    async fn patch(&self, run: &RunId) -> Result<Option<String>, ServiceError>;

    /// Checks that there is the commit that new runs begin with: that of the branch, tag or id `base`, or the one that the
    /// checkout is at. By default it is taken to be there.
    async fn check_base(&self, _base: Option<&str>) -> Result<(), ServiceError> {
        Ok(())
    }

    /// Removes the worktree of a run that has ended, unless something in it would be lost. Whether it was removed.
    async fn remove(&self, run: &RunId) -> Result<bool, ServiceError>;
}

/// A worktree of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorktreeFolder {
    /// The run.
    pub run_id: RunId,
    /// The folder.
    pub path: PathBuf,
    /// The branch of the run.
    pub branch: String,
    /// When a call last worked in it, where that is known.
    pub used_at: Option<Timestamp>,
}

/// What a run has committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunChanges {
    /// The commit that the run started from.
    pub base: String,
    /// The branch of the run.
    pub branch: String,
    /// The commits since then, the oldest first.
    pub commits: Vec<RunCommit>,
    /// The files that differ from the base.
    pub files: Vec<FileChange>,
    /// The diff in git's format; absent when it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// Whether the diff has more than 4 MiB and was cut: the branch has all of it.
    pub truncated: bool,
}

/// A commit of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunCommit {
    /// Its id.
    pub id: String,
    /// The node that it belongs to, and whether that failed or was stopped.
    pub subject: String,
}

/// A file that differs. One that was renamed is two: one that is gone, and one that is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileChange {
    /// The path within the repository.
    pub path: String,
    /// How many lines were added; absent for a file that is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    /// How many lines were removed; absent for a file that is not text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
}
