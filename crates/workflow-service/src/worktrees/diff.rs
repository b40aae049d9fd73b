//! What a run changed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::ids::RunId;

use super::{check_isolated, not_worked, worktrees};
use crate::caller::{Caller, Scope, Target};
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;
use crate::run_worktrees::RunChanges;

/// How long a diff is at most.
const LONGEST: usize = 4 << 20;
/// How long a patch is at most.
const LONGEST_PATCH: usize = 8 << 20;

/// Reads what a run that works in a worktree of its own has committed there.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiffRun {
    /// The run.
    pub run_id: RunId,
    /// Whether only the commits and the files are wanted, without the diff itself.
    #[serde(default)]
    pub stat: bool,
}

impl Operation for DiffRun {
    const NAME: &'static str = "workflow:runs:diff";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Reads what a run has committed in its worktree: the commits, the files, the diff.";
    type Response = RunChanges;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<RunChanges, ServiceError> {
        let worktrees = worktrees(host)?;
        check_isolated(host, &self.run_id).await?;
        let Some(mut changes) = worktrees.changes(&self.run_id, !self.stat).await? else {
            return Err(not_worked(&self.run_id));
        };
        if let Some(diff) = changes.diff.as_mut().filter(|diff| diff.len() > LONGEST) {
            let end =
                diff.as_bytes()[..LONGEST].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            diff.truncate(end);
            changes.truncated = true;
        }
        Ok(changes)
    }
}

/// Reads what a run has committed as a patch that `git apply` takes, also for files that are not text.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorktreesPatch {
    /// The run.
    pub run_id: RunId,
}

/// A patch.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct WorktreePatch {
    /// The patch; empty if the run has changed nothing.
    pub patch: String,
}

impl Operation for WorktreesPatch {
    const NAME: &'static str = "workflow:worktrees:patch";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Reads what a run has committed in its worktree as a patch that `git apply` takes.";
    type Response = WorktreePatch;

    fn target(&self) -> Target<'_> {
        Target::Run(&self.run_id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorktreePatch, ServiceError> {
        let worktrees = worktrees(host)?;
        check_isolated(host, &self.run_id).await?;
        let patch = worktrees.patch(&self.run_id).await?.ok_or_else(|| not_worked(&self.run_id))?;
        if patch.len() > LONGEST_PATCH {
            let message = format!(
                "the patch of run `{}` has {} bytes: use its branch with git",
                self.run_id,
                patch.len()
            );
            return Err(ServiceError::new(Code::TooLarge, message));
        }
        Ok(WorktreePatch { patch })
    }
}
