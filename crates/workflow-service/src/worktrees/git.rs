//! The git worktrees of `workflow-providers`.

use jiff::Timestamp;
use workflow_core::failure::FailureClass;
use workflow_core::ids::RunId;
use workflow_core::provider::{ProviderError, async_trait};
use workflow_providers::Worktrees;

use crate::code::Code;
use crate::error::ServiceError;
use crate::run_worktrees::{FileChange, RunChanges, RunCommit, RunWorktrees, WorktreeFolder};

#[async_trait]
impl RunWorktrees for Worktrees {
    async fn list(&self) -> Result<Vec<WorktreeFolder>, ServiceError> {
        let folders = Worktrees::list(self).await.map_err(unavailable)?.into_iter();
        let folder = |worktree: workflow_providers::Worktree| WorktreeFolder {
            run_id: worktree.run,
            path: worktree.path,
            branch: worktree.branch,
            used_at: worktree.used.and_then(|used| Timestamp::try_from(used).ok()),
        };
        Ok(folders.map(folder).collect())
    }

    async fn changes(&self, run: &RunId, with_diff: bool) -> Result<Option<RunChanges>, ServiceError> {
        let changes = Worktrees::changes(self, run, with_diff).await.map_err(unavailable)?;
        let commit =
            |commit: workflow_providers::Commit| RunCommit { id: commit.id, subject: commit.subject };
        let file = |file: workflow_providers::FileChange| FileChange {
            path: file.path,
            added: file.added,
            removed: file.removed,
        };
        Ok(changes.map(|changes| RunChanges {
            base: changes.base,
            branch: changes.branch,
            commits: changes.commits.into_iter().map(commit).collect(),
            files: changes.stat.into_iter().map(file).collect(),
            diff: changes.diff,
            truncated: false,
        }))
    }

    async fn patch(&self, run: &RunId) -> Result<Option<String>, ServiceError> {
        Worktrees::patch(self, run).await.map_err(unavailable)
    }

    async fn check_base(&self, base: Option<&str>) -> Result<(), ServiceError> {
        Worktrees::check_base(self, base).await.map_err(unavailable)
    }

    async fn remove(&self, run: &RunId) -> Result<bool, ServiceError> {
        Worktrees::remove(self, run).await.map_err(unavailable)
    }
}

fn unavailable(error: ProviderError) -> ServiceError {
    let code = match error.failure.class {
        FailureClass::Cancelled => Code::Cancelled,
        _ => Code::Unavailable,
    };
    ServiceError::new(code, error.failure.message)
}
