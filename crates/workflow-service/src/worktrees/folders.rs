//! Listing and removing worktrees.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::ids::RunId;
use workflow_core::runs::EngineError;
use workflow_core::status::RunStatus;
use workflow_core::store::StoreError;

use super::worktrees;
use crate::caller::{Caller, Scope, Target};
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Lists the worktrees of runs, the least recently used first.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListWorktrees {}

/// The worktrees of runs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorktreeList {
    /// The worktrees, the least recently used first.
    pub worktrees: Vec<WorktreeInfo>,
}

/// A worktree of a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorktreeInfo {
    /// The run.
    pub run_id: RunId,
    /// The folder.
    pub path: String,
    /// The branch of the run.
    pub branch: String,
    /// When a call last worked in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub used_at: Option<Timestamp>,
    /// The status of the run; absent if the run was deleted, or is in another store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<RunStatus>,
}

impl Operation for ListWorktrees {
    const NAME: &'static str = "workflow:worktrees:list";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Lists the worktrees of runs, the least recently used first.";
    type Response = WorktreeList;

    async fn run(self, host: &Host, _: &Caller) -> Result<WorktreeList, ServiceError> {
        let folders = worktrees(host)?.list().await?;
        let mut worktrees = Vec::with_capacity(folders.len());
        for folder in folders {
            worktrees.push(WorktreeInfo {
                status: status(host, &folder.run_id).await?,
                run_id: folder.run_id,
                path: folder.path.display().to_string(),
                branch: folder.branch,
                used_at: folder.used_at,
            });
        }
        Ok(WorktreeList { worktrees })
    }
}

/// The status of a run, if the store has the run.
async fn status(host: &Host, run: &RunId) -> Result<Option<RunStatus>, ServiceError> {
    match host.runs().get(run).await {
        Ok(record) => Ok(Some(record.head.status)),
        Err(EngineError::Store(StoreError::NotFound(_))) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Removes the worktree of a run that has ended. Its branch stays, so only files that git ignores are lost.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoveWorktree {
    /// The run.
    pub run_id: RunId,
}

/// A worktree that was removed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RemovedWorktree {
    /// The branch of the run, which stays.
    pub branch: String,
}

impl Operation for RemoveWorktree {
    const NAME: &'static str = "workflow:worktrees:remove";
    const SCOPE: Scope = Scope::Admin;
    const ABOUT: &'static str = "Removes the worktree of a run that has ended; its branch stays.";
    type Response = RemovedWorktree;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<RemovedWorktree, ServiceError> {
        let run = &self.run_id;
        let worktrees = worktrees(host)?;
        let Some(folder) = worktrees.list().await?.into_iter().find(|folder| folder.run_id == *run) else {
            return Err(ServiceError::not_found(format!("there is no worktree of run `{run}`")));
        };
        // A run that is not in this store can be one of another store, under way.
        let problem = match status(host, run).await? {
            Some(status) if status.is_terminal() => None,
            Some(status) => Some(format!("the run has not ended ({status}): cancel it first")),
            None => Some("the run is not in this store".to_owned()),
        };
        if let Some(problem) = problem {
            let message = format!("the worktree of run `{run}` is kept: {problem}");
            return Err(ServiceError::new(Code::Refused, message));
        }
        if worktrees.remove(run).await? {
            return Ok(RemovedWorktree { branch: folder.branch });
        }
        let message = format!(
            "the worktree of run `{run}` is kept: it has uncommitted changes or files that git was told to ignore changes of, a \
             call of the run is in progress, or its git configuration is not the one that was recorded when it was created. \
             Look at {}",
            folder.path.display()
        );
        Err(ServiceError::new(Code::Refused, message))
    }
}
