//! The changes of a run.

use std::path::PathBuf;

use serde::Serialize;
use workflow_core::ids::RunId;
use workflow_core::provider::ProviderError;

use super::Worktrees;
use super::git::At;
use super::open::bases;

/// The committed changes of a run in its worktree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// The commit that the run started from.
    pub base: String,
    /// The branch of the run.
    pub branch: String,
    /// The commits since then, oldest first.
    pub commits: Vec<Commit>,
    /// The files that differ from the base.
    pub files: Vec<String>,
    /// The diff in git's format.
    pub diff: String,
}

/// A commit of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// The node that it belongs to, and whether that failed or was stopped.
    pub subject: String,
}

impl Worktrees {
    /// The files of the checkout with uncommitted changes: a run that begins now does not see those changes.
    ///
    /// # Errors
    ///
    /// If there is no repository, or no commit that a run could start from.
    pub async fn uncommitted(&self) -> Result<Vec<PathBuf>, ProviderError> {
        self.ask(|settings, git| {
            let at = At::Checkout(&settings.repository);
            let top = git.ask(&at, &["rev-parse", "--show-toplevel"])?.paths().remove(0);
            settings.head(git)?;
            let changed = git
                .ask(&at, &["status", "--porcelain", "--no-renames", "--ignore-submodules=dirty", "-z"])?
                .whole();
            Ok(changed.split_terminator('\0').filter_map(|entry| Some(top.join(entry.get(3..)?))).collect())
        })
        .await
    }

    /// The changes of a run. `None` if it has not worked in a worktree of this repository.
    ///
    /// # Errors
    ///
    /// If git fails, or the changes are too large to hold in memory.
    pub async fn changes(&self, run: &RunId) -> Result<Option<Changes>, ProviderError> {
        let run = run.clone();
        self.ask(move |settings, git| {
            let (repository, _) = settings.repository(git)?;
            let at = At::Repository(&repository, &settings.repository);
            let branch = Worktrees::branch(&run);
            let heads = format!("refs/heads/{branch}");
            let format = "--format=%(refname) %(objectname)";
            let refs = git.ask(&at, &["for-each-ref", format, &bases(&run), &heads])?.text();
            let refs: Vec<_> = refs.lines().filter_map(|line| line.split_once(' ')).collect();
            let base = refs.iter().find(|(name, _)| *name != heads);
            let (Some((_, base)), true) = (base, refs.iter().any(|(name, _)| *name == heads)) else {
                return Ok(None);
            };
            let range = format!("{base}..{heads}");
            let log = git.ask(&at, &["log", "--reverse", "--format=%H %s", &range])?.text();
            let commits = log.lines().filter_map(|line| line.split_once(' '));
            let commits =
                commits.map(|(id, subject)| Commit { id: id.to_owned(), subject: subject.to_owned() });
            let files =
                git.ask(&at, &["diff", "--name-only", "--ignore-submodules=none", "-z", &range])?.whole();
            let files = files.split_terminator('\0').map(str::to_owned).collect();
            let how = ["diff", "--no-ext-diff", "--no-textconv", "--submodule=short", &range];
            let diff = git.ask(&at, &how)?.whole();
            Ok(Some(Changes { base: (*base).to_owned(), commits: commits.collect(), branch, files, diff }))
        })
        .await
    }
}
