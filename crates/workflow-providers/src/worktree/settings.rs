//! The settings of worktrees, and the names of the branches of runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::ids::RunId;

use super::pinned::Known;

/// The settings of worktrees.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) repository: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) keep_runs: usize,
    pub(super) keep_bytes: u64,
    pub(super) lock_timeout: Duration,
    pub(super) known: Arc<Known>,
}

/// The branch of a run.
pub(super) fn branch(run: &RunId) -> String {
    format!("workflow/{run}")
}
