//! The settings of worktrees, and the names of the branches of runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use workflow_core::definition::WorktreeSpec;
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

/// The branch of a run that has not begun, by what its workflow says.
pub(super) fn branch(run: &RunId, spec: Option<&WorktreeSpec>) -> String {
    let prefix = spec.and_then(|spec| spec.branch_prefix.as_deref()).unwrap_or(WorktreeSpec::BRANCH_PREFIX);
    format!("{prefix}{run}")
}

/// The refs of the base commits of a run.
pub(super) fn bases(run: &RunId) -> String {
    format!("refs/workflow/{run}/")
}

/// The ref of the base commit of a run, which also tells the name of its branch.
pub(super) fn base(run: &RunId, seed: u64, branch_of_run: &str) -> String {
    let base = format!("{}{seed:016x}", bases(run));
    if branch_of_run == branch(run, None) { base } else { format!("{base}{ON}{branch_of_run}") }
}

/// Whether a ref is that of the base commit of a run with that seed.
pub(super) fn is_base(name: &str, run: &RunId, seed: u64) -> bool {
    let base = format!("{}{seed:016x}", bases(run));
    name.strip_prefix(&base).is_some_and(|rest| rest.is_empty() || rest.starts_with(ON))
}

/// The branch of a run, by the ref of its base commit.
pub(super) fn branch_by(base: &str, run: &RunId) -> String {
    // The id of a run can have the separator in it.
    let named = base.strip_prefix(&bases(run)).and_then(|rest| rest.split_once(ON));
    named.map_or_else(|| branch(run, None), |(_, branch)| branch.to_owned())
}

/// What is between the seed of a run and its branch, in the ref of its base commit.
const ON: &str = "-on/";
