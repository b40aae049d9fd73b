//! The changes of a run.

use std::path::PathBuf;

use serde::Serialize;
use workflow_core::ids::RunId;
use workflow_core::provider::ProviderError;

use super::Worktrees;
use super::git::{At, Git};
use super::settings::{bases, branch_by};

/// The committed changes of a run in its worktree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// The commit that the run started from.
    pub base: String,
    /// The branch of the run.
    pub branch: String,
    /// The commits since then, oldest first.
    pub commits: Vec<Commit>,
    /// The files that differ from the base, and how many of their lines do.
    pub stat: Vec<FileChange>,
    /// The diff in git's format; absent when it was not asked for.
    pub diff: Option<String>,
}

/// How much of a file differs. A file that was renamed is two: one that is gone, and one that is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// The path within the repository.
    pub path: String,
    /// How many lines were added; absent for a file that is not text.
    pub added: Option<u64>,
    /// How many lines were removed; absent for a file that is not text.
    pub removed: Option<u64>,
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

    /// Checks that the repository has the commit that runs begin with: the one that a workflow names as `base`, or that of
    /// the checkout.
    ///
    /// # Errors
    ///
    /// If it has no such commit, or there is no repository.
    pub async fn check_base(&self, base: Option<&str>) -> Result<(), ProviderError> {
        let base = base.map(str::to_owned);
        self.ask(move |settings, git| settings.first(base.as_deref(), git).map(drop)).await
    }

    /// The branch of a run; `None` if it has not worked in a worktree of this repository.
    ///
    /// # Errors
    ///
    /// If git fails.
    pub async fn branch_of(&self, run: &RunId) -> Result<Option<String>, ProviderError> {
        let run = run.clone();
        self.ask(move |settings, git| {
            let (repository, _) = settings.repository(git)?;
            let at = At::Repository(&repository, &settings.repository);
            Ok(range(&run, &at, git)?.map(|range| range.branch))
        })
        .await
    }

    /// The changes of a run, `with_diff` or without. `None` if it has not worked in a worktree of this repository.
    ///
    /// # Errors
    ///
    /// If git fails, or the diff that was asked for is too large to hold in memory.
    pub async fn changes(&self, run: &RunId, with_diff: bool) -> Result<Option<Changes>, ProviderError> {
        let run = run.clone();
        self.ask(move |settings, git| {
            let (repository, _) = settings.repository(git)?;
            let at = At::Repository(&repository, &settings.repository);
            let Some(Committed { base, range, branch }) = range(&run, &at, git)? else { return Ok(None) };
            let log = git.ask(&at, &["log", "--reverse", "--format=%H %s", &range])?.text();
            let commits = log.lines().filter_map(|line| line.split_once(' '));
            let commits =
                commits.map(|(id, subject)| Commit { id: id.to_owned(), subject: subject.to_owned() });
            let how = [
                "diff",
                "--numstat",
                "--no-renames",
                "--no-ext-diff",
                "--no-textconv",
                "--ignore-submodules=none",
                "-z",
                &range,
            ];
            let stat = git.ask(&at, &how)?.whole();
            let stat: Vec<_> = stat.split_terminator('\0').filter_map(FileChange::read).collect();
            let how = ["diff", "--no-ext-diff", "--no-textconv", "--submodule=short", &range];
            let diff = if with_diff { Some(git.ask(&at, &how)?.whole()) } else { None };
            Ok(Some(Changes { base, commits: commits.collect(), branch, stat, diff }))
        })
        .await
    }

    /// The changes of a run as a patch that `git apply` takes, with the content of files that are not text. `None` if it has
    /// not worked in a worktree of this repository.
    ///
    /// # Errors
    ///
    /// If git fails, or the patch is too large to hold in memory.
    pub async fn patch(&self, run: &RunId) -> Result<Option<String>, ProviderError> {
        let run = run.clone();
        self.ask(move |settings, git| {
            let (repository, _) = settings.repository(git)?;
            let at = At::Repository(&repository, &settings.repository);
            let Some(Committed { range, branch, .. }) = range(&run, &at, git)? else { return Ok(None) };
            let how = [
                "diff",
                "--binary",
                "--full-index",
                "--no-renames",
                "--no-ext-diff",
                "--no-textconv",
                "--submodule=short",
                "--src-prefix=a/",
                "--dst-prefix=b/",
                &range,
            ];
            let patch = git.ask(&at, &how)?;
            let text = String::from_utf8(patch.bytes()).map_err(|_| {
                ProviderError::permanent(format!("the patch is not UTF-8 text: use the branch `{branch}`"))
            })?;
            Ok(Some(text))
        })
        .await
    }
}

/// What a run committed.
struct Committed {
    /// The commit that it started from.
    base: String,
    /// All commits since then, as git names them.
    range: String,
    branch: String,
}

/// What a run committed; `None` if it has not worked in the repository.
fn range(run: &RunId, at: &At<'_>, git: &Git<'_>) -> Result<Option<Committed>, ProviderError> {
    let format = "--format=%(refname) %(objectname)";
    let refs = git.ask(at, &["for-each-ref", format, &bases(run)])?.text();
    let Some((name, base)) = refs.lines().find_map(|line| line.split_once(' ')) else { return Ok(None) };
    let branch = branch_by(name, run);
    let heads = format!("refs/heads/{branch}");
    let has_branch = !git.ask(at, &["for-each-ref", "--format=%(refname)", &heads])?.text().is_empty();
    Ok(has_branch.then(|| Committed { base: base.to_owned(), range: format!("{base}..{heads}"), branch }))
}

impl FileChange {
    /// Reads `3\t1\tpath`, and `-\t-\tpath` for a file that is not text.
    fn read(entry: &str) -> Option<Self> {
        let mut parts = entry.splitn(3, '\t');
        let (added, removed, path) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self { path: path.to_owned(), added: added.parse().ok(), removed: removed.parse().ok() })
    }
}
