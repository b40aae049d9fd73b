//! What worktrees are set up with, and how the branches of runs are called.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::ids::RunId;

use super::pinned::Known;

/// What worktrees are set up with.
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
