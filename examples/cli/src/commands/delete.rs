//! `delete` and `prune`: runs that are no longer needed.

use std::io::{self, BufRead as _, IsTerminal as _};

use jiff::Timestamp;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::RunRecord;
use workflow_providers::Worktrees;
use workflow_service::Code;
use workflow_service::runs::{DeleteRuns, Deletion, ListRuns};

use crate::args::{DeleteArgs, PruneArgs};
use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::store_url::Place;
use crate::text::{count, date, word};

/// How many runs are deleted with one request.
const AT_ONCE: usize = 100;
/// How many runs the confirmation lists.
const LISTED: usize = 20;

/// Deletes runs that have ended.
pub(crate) async fn delete(place: &Place, json: bool, args: &DeleteArgs) -> Result<Exit, Error> {
    let Some(host) = Host::existing(place)? else { return Err(Error::NoStore(place.to_string())) };
    let mut runs: Vec<RunRecord> = Vec::new();
    for name in &args.runs {
        let run = name.record(&**host.engine.store()).await?;
        if !run.head.status.is_terminal() {
            let (run, status) = (run.run_id, word(run.head.status));
            return Err(Error::Refused(format!(
                "run `{run}` cannot be deleted: it has not ended ({status}); `workflow cancel {run}` ends it. Nothing \
                 was deleted"
            )));
        }
        if runs.iter().all(|known| known.run_id != run.run_id) {
            runs.push(run);
        }
    }
    remove(place, &host, json, &runs, args.yes).await
}

/// Deletes the runs that have ended and match the arguments.
pub(crate) async fn prune(place: &Place, json: bool, args: &PruneArgs) -> Result<Exit, Error> {
    let ended = vec![RunStatus::Completed, RunStatus::Failed, RunStatus::Cancelled];
    let request = ListRuns {
        workflow: args.workflow.clone(),
        statuses: if args.status.is_empty() { ended } else { args.status.clone() },
        ..ListRuns::default()
    };
    let Some(host) = Host::existing(place)? else { return Ok(nothing()) };
    // The newest come first.
    let mut runs = super::runs::all(&host, request, None).await?;
    runs.drain(..args.keep.unwrap_or(0).min(runs.len()));
    if let Some(age) = args.older_than {
        let before = Timestamp::now().checked_sub(age.0).unwrap_or(Timestamp::MIN);
        runs.retain(|run| run.head.completed_at.is_some_and(|ended| ended < before));
    }
    if runs.is_empty() {
        return Ok(nothing());
    }
    remove(place, &host, json, &runs, args.yes).await
}

fn nothing() -> Exit {
    print::to_stderr("no runs to delete");
    Exit::DONE
}

/// Deletes runs, and their worktrees, once a person has agreed.
async fn remove(
    place: &Place,
    host: &Host,
    json: bool,
    runs: &[RunRecord],
    yes: bool,
) -> Result<Exit, Error> {
    if !yes && !agreed(runs)? {
        print::to_stderr("nothing was deleted");
        return Ok(Exit::DONE);
    }
    let (mut deleted, mut exit) = (Vec::new(), Exit::DONE);
    for some in runs.chunks(AT_ONCE) {
        let run_ids = some.iter().map(|run| run.run_id.clone()).collect();
        for deletion in host.ask(DeleteRuns { run_ids }).await?.results {
            let Deletion { run_id: run, error, .. } = &deletion;
            match error {
                None if json => print::json(&deletion)?,
                None => print::line(format!("deleted run {run}"))?,
                // Another process deleted it first.
                Some(error) if error.code == Code::NotFound => continue,
                // The others are deleted all the same.
                Some(error) => {
                    let error = Error::from(error.clone());
                    print::to_stderr(&format!("error: {error}"));
                    exit = exit.max(error.exit());
                    continue;
                }
            }
            deleted.push(run.clone());
        }
    }
    worktrees(place, deleted).await?;
    Ok(exit)
}

/// Removes the worktrees of runs that were deleted. Their branches stay.
async fn worktrees(place: &Place, deleted: Vec<RunId>) -> Result<(), Error> {
    let directory = place.home.path.join("worktrees");
    if !directory.is_dir() {
        return Ok(());
    }
    let worktrees = Worktrees::builder(&place.home.root, directory).keep_runs(0).build();
    let removed = worktrees.clean_up(deleted).await.map_err(|error| Error::NoWorktree(error.to_string()))?;
    for run in removed {
        let branch = match worktrees.branch_of(&run).await {
            Ok(Some(branch)) => format!("; its branch {branch} stays"),
            // A person deleted it, or the repository.
            Ok(None) | Err(_) => String::new(),
        };
        print::to_stderr(&format!("removed the worktree of run {run}{branch}"));
    }
    Ok(())
}

/// Asks the person at the terminal to confirm.
fn agreed(runs: &[RunRecord]) -> Result<bool, Error> {
    let what = count(runs.len() as u64, "run");
    if !io::stdin().is_terminal() {
        return Err(Error::Refused(format!(
            "{what} would be deleted; confirm it with --yes. Nothing was deleted"
        )));
    }
    for RunRecord { run_id, head, .. } in runs.iter().take(LISTED) {
        let (workflow, status, created) = (&head.workflow_id, word(head.status), date(head.created_at));
        print::to_stderr(&format!("{run_id}  {workflow}  {status}  {created}"));
    }
    if runs.len() > LISTED {
        print::to_stderr(&format!("… {} more", runs.len() - LISTED));
    }
    print::to_stderr(&format!("delete {what} with their output? Type y to confirm:"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Error::System)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
