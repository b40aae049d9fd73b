//! The worktree of one run while a call works in it: opens and commits it.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use workflow_core::ids::RunId;
use workflow_core::provider::{CallId, Origin, ProviderError};

use super::folder::{self, unable};
use super::git::{At, Git};
use super::locks::{InUse, Turn};
use super::nested;
use super::pinned::{Pinned, changed};
use super::settings::{Settings, branch};

/// How often, and at which interval, to check whether the git of a parallel call is done.
const LOOKS: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The worktree of a run while a call works in it.
pub(super) struct Open {
    /// Where the call works.
    pub(super) work_root: PathBuf,
    pinned: Pinned,
    run: RunId,
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
        let pinned = self.pinned(call, origin, &repository, &directory, git)?;
        if pinned.repository != repository {
            let (worktree, other) = (pinned.worktree.display(), pinned.repository.display());
            let message =
                format!("the worktree {worktree} of this run belongs to another repository, {other}");
            return Err(ProviderError::permanent(message));
        }
        expect(&pinned, &call.run, git)?;
        let (in_use, is_alone) = InUse::begin(&turn, &directory, &call.run)?;
        if is_alone {
            let message = format!("left before {}\n\nBy a call that was interrupted.\n", call.path);
            commit(&pinned, &call.run, is_alone, &message, git)?;
        }
        // A commit does not contain folders without files.
        let work_root = folder::within(&pinned.worktree, &prefix)?.ok_or_else(|| {
            let what =
                format!("no longer has a folder `{}`, but something else in its place", prefix.display());
            changed(&pinned.worktree, "folder", &what)
        })?;
        Ok(Open { work_root, pinned, run: call.run.clone(), in_use, lock_timeout: self.lock_timeout })
    }

    /// The folder of the repository, and the folder within it to work in.
    pub(super) fn repository(&self, git: &Git<'_>) -> Result<(PathBuf, PathBuf), ProviderError> {
        let question = ["rev-parse", "--path-format=absolute", "--git-common-dir", "--show-prefix"];
        let paths = git.ask(&At::Checkout(&self.repository), &question)?.paths();
        let mut paths = paths.into_iter();
        let (repository, prefix) = (paths.next().unwrap_or_default(), paths.next().unwrap_or_default());
        Ok((repository.canonicalize().map_err(|error| unable(&repository, &error))?, prefix))
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

/// The refs of the base commits of a run.
pub(super) fn bases(run: &RunId) -> String {
    format!("refs/workflow/{run}/")
}

impl Open {
    /// Commits the changes of the call.
    pub(super) fn finish(self, message: &str, git: &Git<'_>) -> Result<Committed, ProviderError> {
        let directory = self.pinned.worktree.parent().unwrap_or(&self.pinned.worktree);
        let turn = Turn::wait(directory, self.lock_timeout, git.control())?;
        expect(&self.pinned, &self.run, git)?;
        let is_alone = self.in_use.end(&turn);
        commit(&self.pinned, &self.run, is_alone, message, git)
    }
}

impl Pinned {
    fn index_lock(&self) -> PathBuf {
        self.git_dir.join("index.lock")
    }

    /// Waits until no other git works on the index. If none can be working, a lock was left by a git that
    /// died: one of an interrupted call, which was reclaimed, or one of the call that has just ended.
    fn unlock(&self, run: &RunId, is_alone: bool) -> Result<(), ProviderError> {
        if is_alone {
            let branch = self.repository.join(format!("refs/heads/{}.lock", branch(run)));
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
fn expect(pinned: &Pinned, run: &RunId, git: &Git<'_>) -> Result<(), ProviderError> {
    let branch = branch(run);
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
    run: &RunId,
    is_alone: bool,
    message: &str,
    git: &Git<'_>,
) -> Result<Committed, ProviderError> {
    let at = At::Worktree(pinned);
    pinned.unlock(run, is_alone)?;
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
