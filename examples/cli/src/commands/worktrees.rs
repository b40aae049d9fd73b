//! `worktree`: the worktrees of runs.

use workflow_service::worktrees::{ListWorktrees, RemoveWorktree, WorktreeInfo, WorktreesPatch};

use crate::args::Worktree;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::store_url::Place;
use crate::text::{date, word};

/// Lists worktrees, prints the patch of one, or removes one.
pub(crate) async fn worktree(place: &Place, json: bool, what: &Worktree) -> Result<Exit, Error> {
    match what {
        Worktree::List => list(place, json).await,
        Worktree::Patch { run } => {
            let (host, run_id) = Host::of_run(place, run).await?;
            let patch = host.ask(WorktreesPatch { run_id }).await?;
            if json {
                print::json(&patch)?;
            } else {
                print::lines(patch.patch.lines())?;
            }
            Ok(Exit::DONE)
        }
        Worktree::Remove { run } => {
            let (host, run_id) = Host::of_run(place, run).await?;
            let removed = host.ask(RemoveWorktree { run_id: run_id.clone() }).await?;
            if json {
                print::json(&removed)?;
            } else {
                let branch = &removed.branch;
                print::line(format!("the worktree of run {run_id} was removed; its branch {branch} stays"))?;
            }
            Ok(Exit::DONE)
        }
    }
}

async fn list(place: &Place, json: bool) -> Result<Exit, Error> {
    let Some(host) = Host::existing(place)? else { return Err(Error::NoStore(place.to_string())) };
    let worktrees = host.ask(ListWorktrees::default()).await?.worktrees;
    if json {
        print::objects(&worktrees)?;
    } else if worktrees.is_empty() {
        print::to_stderr("no run has a worktree here");
    } else {
        let head = ["RUN", "STATUS", "LAST USED", "BRANCH", "FOLDER"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(worktrees.iter().map(row)).collect();
        print::lines(print::table(&rows))?;
    }
    Ok(Exit::DONE)
}

fn row(WorktreeInfo { run_id, path, branch, used_at, status, .. }: &WorktreeInfo) -> [String; 5] {
    let status = status.map_or_else(|| "not in this store".to_owned(), word);
    [run_id.to_string(), status, used_at.map(date).unwrap_or_default(), branch.clone(), path.clone()]
}
