//! The preparation of a run that works in a worktree of its own.

use std::path::Path;

use workflow_core::provider::ProviderError;
use workflow_exec::EngineError;

use crate::error::Error;
use crate::host::Host;
use crate::print;
use crate::text::count;

/// Checks the commit that such a run begins with, warns of files that it does not see, and removes worktrees that are no
/// longer needed.
pub(super) async fn prepare(host: &Host, home: &Path, base: Option<&str>) -> Result<(), Error> {
    let git = |error: ProviderError| Error::NoWorktree(error.to_string());
    let mut missing = host.worktrees.uncommitted().await.map_err(git)?;
    host.worktrees.check_base(base).await.map_err(git)?;
    // The files of the home are not the user's work.
    if let Ok(home) = home.canonicalize() {
        missing.retain(|path| !path.starts_with(&home));
    }
    if !missing.is_empty() {
        let files = count(missing.len() as u64, "file");
        print::to_stderr(&format!(
            "warning: the run does not see uncommitted changes ({files}): it starts from {}",
            base.map_or_else(|| "the last commit".to_owned(), |base| format!("`{base}`"))
        ));
    }
    if let Err(error) = clean_up(host).await {
        print::to_stderr(&format!("worktrees that are no longer needed could not be removed: {error}"));
    }
    Ok(())
}

async fn clean_up(host: &Host) -> Result<(), Error> {
    let git = |error: ProviderError| Error::NoWorktree(error.to_string());
    let mut over = Vec::new();
    for run in host.worktrees.runs().await.map_err(git)? {
        match host.engine.handle(&run).status().await {
            Ok(status) if status.is_terminal() => over.push(run),
            // The run may be in another store.
            Ok(_) | Err(EngineError::Store(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    for run in host.worktrees.clean_up(over).await.map_err(git)? {
        print::to_stderr(&format!("removed the worktree of run {run}, which has ended; its branch stays"));
    }
    Ok(())
}
