//! What is done before a run that is to work in a worktree of its own.

use std::path::Path;

use workflow_exec::EngineError;

use crate::error::Error;
use crate::host::Host;
use crate::print;
use crate::text::count;

/// Says what such a run will not see, and removes worktrees that are no longer needed.
pub(super) async fn prepare(host: &Host, home: &Path) -> Result<(), Error> {
    let mut missing = host.worktrees.uncommitted().await.map_err(|e| Error::NoWorktree(e.to_string()))?;
    // What this program keeps is no work of the user's.
    if let Ok(home) = home.canonicalize() {
        missing.retain(|path| !path.starts_with(&home));
    }
    if !missing.is_empty() {
        let files = count(missing.len() as u64, "file");
        print::to_stderr(&format!("the run does not see what is not committed here ({files})"));
    }
    if let Err(error) = clean_up(host).await {
        print::to_stderr(&format!("worktrees that are no longer needed could not be removed: {error}"));
    }
    Ok(())
}

async fn clean_up(host: &Host) -> Result<(), Error> {
    let git = |error: workflow_core::provider::ProviderError| Error::NoWorktree(error.to_string());
    let mut over = Vec::new();
    for run in host.worktrees.runs().await.map_err(git)? {
        match host.engine.handle(&run).status().await {
            Ok(status) if status.is_terminal() => over.push(run),
            // One of another store, perhaps.
            Ok(_) | Err(EngineError::Store(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for run in host.worktrees.clean_up(over).await.map_err(git)? {
        print::to_stderr(&format!("removed the worktree of run {run}, which has ended; its branch stays"));
    }
    Ok(())
}
