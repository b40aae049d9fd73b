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
/// How many runs are read at once.
const PAGE: usize = 1_000;
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
    if !args.yes && !agreed(runs.len(), &runs)? {
        return Ok(kept());
    }
    let mut removal = Removal::new(place, &host, json);
    removal.remove(runs.into_iter().map(|run| run.run_id).collect()).await?;
    Ok(removal.exit)
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
    let mut pages = Pages::new(&host, request, args);
    let mut removal = Removal { prunes: true, ..Removal::new(place, &host, json) };
    if args.yes {
        // There may be millions of them, so they are not held together. A page is deleted after the next one was read, which
        // begins after the last run of it.
        let mut page = pages.next().await?;
        let are_there = page.is_some();
        while let Some(runs) = page {
            page = pages.next().await?;
            removal.remove(runs.into_iter().map(|run| run.run_id).collect()).await?;
        }
        return Ok(if are_there { removal.done() } else { nothing() });
    }
    // Only what was agreed to is deleted.
    let (mut runs, mut newest) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await? {
        runs.extend(page.iter().map(|run| run.run_id.clone()));
        newest.extend(page.into_iter().take(LISTED - newest.len()));
    }
    if runs.is_empty() {
        return Ok(nothing());
    }
    if !agreed(runs.len(), &newest)? {
        return Ok(kept());
    }
    removal.remove(runs).await?;
    Ok(removal.done())
}

/// The runs to prune, the newest first, some at a time.
struct Pages<'a> {
    host: &'a Host,
    request: ListRuns,
    keep: usize,
    /// How many are still to be kept.
    kept: usize,
    before: Option<Timestamp>,
    is_over: bool,
}

impl<'a> Pages<'a> {
    fn new(host: &'a Host, request: ListRuns, args: &PruneArgs) -> Self {
        let keep = args.keep.unwrap_or(0);
        let before = args.older_than.map(|age| Timestamp::now().checked_sub(age.0).unwrap_or(Timestamp::MIN));
        // The newest are kept of all, and not only of those that ended before.
        let ended_to = before.filter(|_| keep == 0);
        let request = ListRuns { ended_to, limit: Some(PAGE), ..request };
        Self { host, request, keep, kept: keep, before, is_over: false }
    }

    /// Some more, of which there is at least one; `None` if there are no more.
    async fn next(&mut self) -> Result<Option<Vec<RunRecord>>, Error> {
        while !self.is_over {
            let page = match self.host.ask(self.request.clone()).await {
                Ok(page) => page,
                // Another process deleted the run after which the page begins.
                Err(Error::Service(error))
                    if error.code == Code::NotFound && self.request.after.is_some() =>
                {
                    (self.request.after, self.kept) = (None, self.keep);
                    continue;
                }
                Err(error) => return Err(error),
            };
            self.is_over = page.next.is_none();
            self.request.after = page.next;
            let mut runs = page.runs;
            let kept = self.kept.min(runs.len());
            self.kept -= kept;
            runs.drain(..kept);
            if let Some(before) = self.before {
                runs.retain(|run| run.head.completed_at.is_some_and(|ended| ended < before));
            }
            if !runs.is_empty() {
                return Ok(Some(runs));
            }
        }
        Ok(None)
    }
}

fn kept() -> Exit {
    print::to_stderr("nothing was deleted");
    Exit::DONE
}

fn nothing() -> Exit {
    print::to_stderr("no runs to delete");
    Exit::DONE
}

/// Deletes runs, and their worktrees.
struct Removal<'a> {
    place: &'a Place,
    host: &'a Host,
    json: bool,
    /// Whether runs that others need are kept without an error.
    prunes: bool,
    needed: usize,
    exit: Exit,
}

impl<'a> Removal<'a> {
    fn new(place: &'a Place, host: &'a Host, json: bool) -> Self {
        Self { place, host, json, prunes: false, needed: 0, exit: Exit::DONE }
    }

    async fn remove(&mut self, runs: Vec<RunId>) -> Result<(), Error> {
        let mut deleted = Vec::new();
        for some in runs.chunks(AT_ONCE) {
            for deletion in self.host.ask(DeleteRuns { run_ids: some.to_vec() }).await?.results {
                let Deletion { run_id: run, error, .. } = &deletion;
                match error {
                    None if self.json => print::json(&deletion)?,
                    None => print::line(format!("deleted run {run}"))?,
                    // Another process deleted it first.
                    Some(error) if error.code == Code::NotFound => continue,
                    Some(error) if self.prunes && error.code == Code::InUse => {
                        self.needed += 1;
                        continue;
                    }
                    // The others are deleted all the same.
                    Some(error) => {
                        let error = Error::from(error.clone());
                        print::to_stderr(&format!("error: {error}"));
                        self.exit = self.exit.max(error.exit());
                        continue;
                    }
                }
                deleted.push(run.clone());
            }
        }
        worktrees(self.place, deleted).await
    }

    fn done(self) -> Exit {
        if self.needed > 0 {
            let needed = count(self.needed as u64, "run");
            print::to_stderr(&format!(
                "kept {needed}: the runs that have started them have not ended, and need their results"
            ));
        }
        self.exit
    }
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

/// Asks the person at the terminal to confirm, and shows the first of the runs.
fn agreed(number: usize, runs: &[RunRecord]) -> Result<bool, Error> {
    let what = count(number as u64, "run");
    if !io::stdin().is_terminal() {
        return Err(Error::Refused(format!(
            "{what} would be deleted; confirm it with --yes. Nothing was deleted"
        )));
    }
    for RunRecord { run_id, head, .. } in runs.iter().take(LISTED) {
        let (workflow, status, created) = (&head.workflow_id, word(head.status), date(head.created_at));
        print::to_stderr(&format!("{run_id}  {workflow}  {status}  {created}"));
    }
    if number > LISTED {
        print::to_stderr(&format!("… {} more", number - LISTED));
    }
    print::to_stderr(&format!("delete {what} with their output? Type y to confirm:"));
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(Error::System)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
