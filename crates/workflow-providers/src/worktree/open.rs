//! The worktree of one run while a call works in it: opens and commits it.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use workflow_core::provider::{CallId, Origin, ProviderError};

use super::folder::{self, unable};
use super::git::{At, Git};
use super::locks::{InUse, Turn};
use super::nested;
use super::pinned::{Pinned, changed};
use super::settings::{Settings, bases, branch as branch_of, branch_by, is_base};

/// How often, and at which interval, to check whether the git of a parallel call is done.
const LOOKS: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The worktree of a run while a call works in it.
pub(super) struct Open {
    /// Where the call works.
    pub(super) work_root: PathBuf,
    /// The branch of the run.
    pub(super) branch: String,
    pinned: Pinned,
    in_use: InUse,
    lock_timeout: Duration,
}

/// A commit: its id, and a short summary of its changes.
type Committed = Option<(String, String)>;

impl Settings {
    /// Opens the worktree of a run, which is created if it does not exist.
    pub(super) fn open(
        &self,
        call: &CallId,
        origin: Option<&Origin>,
        git: &Git<'_>,
    ) -> Result<Open, ProviderError> {
        let directory = folder::private(&self.directory)?;
        let (repository, prefix) = self.repository(git)?;
        let turn = Turn::wait(&directory, self.lock_timeout, git.control())?;
        // Inside a checkout, it must not become a part of what the user commits there.
        let ignore = directory.join(".gitignore");
        if ignore.symlink_metadata().is_err() {
            fs::write(&ignore, "*\n").map_err(|error| unable(&ignore, &error))?;
        }
        let at = At::Repository(&repository, &directory);
        let refs = git.ask(&at, &["for-each-ref", "--format=%(refname)", &bases(&call.run)])?.text();
        let begun = refs.lines().find(|name| is_base(name, &call.run, call.seed));
        let branch = match begun {
            Some(begun) => branch_by(begun, &call.run),
            None => branch_of(&call.run, origin.and_then(|origin| origin.spec.as_ref())),
        };
        let pinned = self.pinned(call, origin, &branch, &repository, &directory, git)?;
        if pinned.repository != repository {
            let (worktree, other) = (pinned.worktree.display(), pinned.repository.display());
            let message =
                format!("the worktree {worktree} of this run belongs to another repository, {other}");
            return Err(ProviderError::permanent(message));
        }
        expect(&pinned, &branch, git)?;
        let (in_use, is_alone) = InUse::begin(&turn, &directory, &call.run)?;
        if is_alone {
            let message = format!("left before {}\n\nBy a call that was interrupted.\n", call.path);
            commit(&pinned, &branch, is_alone, &message, git)?;
        }
        // A commit does not contain folders without files.
        let work_root = folder::within(&pinned.worktree, &prefix)?.ok_or_else(|| {
            let what =
                format!("no longer has a folder `{}`, but something else in its place", prefix.display());
            changed(&pinned.worktree, "folder", &what)
        })?;
        Ok(Open { work_root, branch, pinned, in_use, lock_timeout: self.lock_timeout })
    }

    /// The folder of the repository, and the folder within it to work in.
    pub(super) fn repository(&self, git: &Git<'_>) -> Result<(PathBuf, PathBuf), ProviderError> {
        let question = ["rev-parse", "--path-format=absolute", "--git-common-dir", "--show-prefix"];
        let paths = git.ask(&At::Checkout(&self.repository), &question)?.paths();
        let mut paths = paths.into_iter();
        let (repository, prefix) = (paths.next().unwrap_or_default(), paths.next().unwrap_or_default());
        Ok((repository.canonicalize().map_err(|error| unable(&repository, &error))?, prefix))
    }

    /// The commit that a run begins with, of which the workflow says `base`: by default, the one that the checkout is at.
    pub(super) fn first(&self, base: Option<&str>, git: &Git<'_>) -> Result<String, ProviderError> {
        let Some(base) = base else { return self.head(git) };
        let commit = format!("{base}^{{commit}}");
        let question = ["rev-parse", "--verify", "--quiet", "--end-of-options", &commit];
        let found = git.run(&At::Checkout(&self.repository), &question, "")?;
        if found.is_yes() {
            return Ok(found.text());
        }
        let message = format!(
            "the workflow's `worktree.base` is `{base}`, and the repository has no such branch, tag or commit: create or \
             fetch it, or change `base`"
        );
        Err(ProviderError::permanent(message))
    }

    /// The commit that the checkout is at.
    pub(super) fn head(&self, git: &Git<'_>) -> Result<String, ProviderError> {
        let question = ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"];
        let head = git.run(&At::Checkout(&self.repository), &question, "")?;
        if head.is_yes() {
            Ok(head.text())
        } else {
            Err(ProviderError::permanent("the repository has no commit to begin with"))
        }
    }
}

impl Open {
    /// Commits the changes of the call.
    pub(super) fn finish(self, message: &str, git: &Git<'_>) -> Result<Committed, ProviderError> {
        let directory = self.pinned.worktree.parent().unwrap_or(&self.pinned.worktree);
        let turn = Turn::wait(directory, self.lock_timeout, git.control())?;
        expect(&self.pinned, &self.branch, git)?;
        let is_alone = self.in_use.end(&turn);
        commit(&self.pinned, &self.branch, is_alone, message, git)
    }
}

impl Pinned {
    fn index_lock(&self) -> PathBuf {
        self.git_dir.join("index.lock")
    }

    /// Waits until no other git works on the index. If none can be working, a lock was left by a git that
    /// died: one of an interrupted call, which was reclaimed, or one of the call that has just ended.
    fn unlock(&self, branch: &str, is_alone: bool) -> Result<(), ProviderError> {
        if is_alone {
            let branch = self.repository.join(format!("refs/heads/{branch}.lock"));
            for lock in [self.index_lock(), self.git_dir.join("HEAD.lock"), branch] {
                match fs::remove_file(&lock) {
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(unable(&lock, &error)),
                    _ => {}
                }
            }
            return Ok(());
        }
        for _ in 0..LOOKS {
            if !self.index_lock().exists() {
                break;
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

/// Checks that the worktree is on the branch of its run.
fn expect(pinned: &Pinned, branch: &str, git: &Git<'_>) -> Result<(), ProviderError> {
    let ask = ["for-each-ref", "--format=%(HEAD)", &format!("refs/heads/{branch}")];
    let what = match git.ask(&At::Worktree(pinned), &ask)?.whole().trim_end_matches('\n') {
        "*" => return Ok(()),
        "" => format!(
            "has lost its branch `{branch}`: run `git branch {branch} COMMIT` there, with the commit that `git \
             reflog` shows"
        ),
        _ => format!("is no longer on the branch `{branch}`: run `git switch {branch}` there"),
    };
    Err(changed(&pinned.worktree, "branch", &what))
}

/// Commits all changes.
fn commit(
    pinned: &Pinned,
    branch: &str,
    is_alone: bool,
    message: &str,
    git: &Git<'_>,
) -> Result<Committed, ProviderError> {
    let at = At::Worktree(pinned);
    pinned.unlock(branch, is_alone)?;
    if !nested::stage(pinned, git)? {
        return Ok(None);
    }
    let how = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=verbatim", "--file=-"];
    git.tell(&at, &how, message)?;
    let show = [
        "show",
        "--format=%H",
        "--no-ext-diff",
        "--no-textconv",
        "--submodule=short",
        "--stat=100,80,50",
        "HEAD",
    ];
    let said = git.ask(&at, &show)?.text();
    let (id, stat) = said.split_once('\n').unwrap_or((&said, ""));
    Ok(Some((id.to_owned(), stat.trim_start_matches('\n').to_owned())))
}
