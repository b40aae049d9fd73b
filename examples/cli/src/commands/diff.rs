//! `diff`: what a run changed in its worktree.

use workflow_service::Code;
use workflow_service::worktrees::DiffRun;

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;

/// Shows what a run changed, as far as it is committed.
pub(crate) async fn diff(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let changes = host.ask(DiffRun { run_id: run, stat: false }).await.map_err(|error| match error {
        Error::Service(error) if error.code == Code::NotFound => Error::NoWorktree(error.message),
        error => error,
    })?;
    if json {
        print::json(&changes)?;
    } else {
        print::document(changes.diff.as_deref().unwrap_or_default())?;
        if changes.truncated {
            print::to_stderr(&format!(
                "the diff is too long: `git diff {}..{}` shows all of it",
                changes.base, changes.branch
            ));
        }
    }
    Ok(Exit::DONE)
}
