//! What runs changed in worktrees of their own, and these worktrees.

mod diff;
mod folders;
#[cfg(all(feature = "worktree", unix))]
mod git;

pub use crate::run_worktrees::{FileChange, RunChanges, RunCommit, RunWorktrees, WorktreeFolder};
pub use diff::{DiffRun, WorktreePatch, WorktreesPatch};
pub use folders::{ListWorktrees, RemoveWorktree, RemovedWorktree, WorktreeInfo, WorktreeList};

use workflow_core::event::EventBody;
use workflow_core::ids::RunId;

use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::log::no_events;

fn worktrees(host: &Host) -> Result<&dyn RunWorktrees, ServiceError> {
    host.worktrees().ok_or_else(|| {
        let message = "this host has no worktrees of runs: its service was built without them";
        ServiceError::new(Code::NotSupported, message)
    })
}

/// Fails for a run that does not exist, or that has no worktree.
async fn check_isolated(host: &Host, run: &RunId) -> Result<(), ServiceError> {
    let first = host.runs().events(run, 0, 1).await?;
    match first.first().map(|event| &event.body) {
        Some(EventBody::RunCreated(created)) if created.isolated => Ok(()),
        Some(_) => Err(ServiceError::not_found(format!(
            "run `{run}` has no worktree: only a run whose workflow has a `worktree`, or that is started with `isolated` \
             (`workflow run --worktree`), has one"
        ))),
        None => Err(no_events(host, run).await),
    }
}

fn not_worked(run: &RunId) -> ServiceError {
    ServiceError::not_found(format!("run `{run}` has not worked in this repository yet"))
}
