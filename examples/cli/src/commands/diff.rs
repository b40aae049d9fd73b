//! `diff`: what a run changed in its worktree.

use workflow_service::runs::GetRunPlan;

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;

/// Shows what a run changed, as far as it is committed.
pub(crate) async fn diff(place: &Place, json: bool, run: &RunRef) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let run = &run;
    if !host.ask(GetRunPlan { run_id: run.clone() }).await?.isolated {
        let message = format!("run `{run}` has no worktree: `workflow run --worktree` starts one that has");
        return Err(Error::NoWorktree(message));
    }
    let changes = host.worktrees.changes(run).await.map_err(|error| Error::NoWorktree(error.to_string()))?;
    let Some(changes) = changes else {
        return Err(Error::NoWorktree(format!("run `{run}` has not worked in this repository yet")));
    };
    if json {
        print::json(&changes)?;
    } else {
        print::lines(changes.diff.lines())?;
    }
    Ok(Exit::DONE)
}
