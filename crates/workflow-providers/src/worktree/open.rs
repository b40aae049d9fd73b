//! The worktree of one run: made, found again, and committed.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use workflow_core::data::Data;
use workflow_core::ids::RunId;
use workflow_core::provider::{CallId, Origin, ProviderError};

use super::git::{At, Git};
use super::locks::{InUse, Turn, unable};
use super::{Settings, Worktrees, nested};

/// So often, and so long in between, is looked whether a git of a call in parallel is done.
const LOOKS: u32 = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The worktree of a run while a call works in it.
pub(super) struct Open {
    /// Where the call works.
    pub(super) work_root: PathBuf,
    directory: PathBuf,
    run: RunId,
    in_use: InUse,
}

/// Where git keeps what belongs to a worktree.
pub(super) struct Found {
    own: PathBuf,
    pub(super) repository: PathBuf,
    head: String,
}

/// What was committed: its id, and what it changed in a few lines.
type Committed = Option<(String, String)>;

impl Settings {
    /// Opens the worktree of a run, which is made unless it is there.
    pub(super) fn open(
        &self,
        call: &CallId,
        origin: Option<&Origin>,
        git: &Git<'_>,
    ) -> Result<Open, ProviderError> {
        fs::create_dir_all(&self.directory).map_err(|error| unable(&self.directory, &error))?;
        let directory = self.directory.canonicalize().map_err(|error| unable(&self.directory, &error))?;
        let (repository, prefix) = self.repository(git)?;
        let turn = Turn::wait(&directory, git.control())?;
        // Where it is inside of a checkout, it is no part of what the user commits there.
        let ignore = directory.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(|error| unable(&ignore, &error))?;
        }
        let worktree = directory.join(call.run.to_string());
        self.make(call, origin, &repository, &directory, git)?;
        let found = expect(&worktree, &call.run, git)?;
        if found.repository != repository {
            let (worktree, other) = (worktree.display(), found.repository.display());
            let message =
                format!("the worktree {worktree} of this run is one of another repository, {other}");
            return Err(ProviderError::permanent(message));
        }
        let (in_use, is_alone) = InUse::begin(&turn, &directory, &call.run)?;
        if is_alone {
            let message = format!("left before {}\n\nBy a call that was interrupted.\n", call.path);
            commit(&worktree, &found, &call.run, is_alone, &message, git)?;
        }
        let work_root = worktree.join(prefix);
        // A folder without files is no part of a commit.
        fs::create_dir_all(&work_root).map_err(|error| unable(&work_root, &error))?;
        Ok(Open { work_root, directory, run: call.run.clone(), in_use })
    }

    /// Where git keeps the repository, and which folder of it is worked in.
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

    fn make(
        &self,
        call: &CallId,
        origin: Option<&Origin>,
        repository: &Path,
        directory: &Path,
        git: &Git<'_>,
    ) -> Result<(), ProviderError> {
        let (name, branch) = (format!("./{}", call.run), Worktrees::branch(&call.run));
        let worktree = directory.join(call.run.to_string());
        let at = At::Repository(repository, directory);
        match find(&worktree, git)? {
            Some(found) if !found.is_half_made() => return Ok(()),
            _ => {}
        }
        // What a host left that died while it made it: nobody has worked there yet.
        match fs::remove_dir(&worktree) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && find(&worktree, git)?.is_none() => {
                let message = format!("{} is there, and is no worktree of git", worktree.display());
                return Err(ProviderError::permanent(message));
            }
            _ => {}
        }
        git.run(&at, &["worktree", "remove", "--force", "--force", &name], "")?;

        let (base, bases) = (format!("refs/workflow/{}/{:016x}", call.run, call.seed), bases(&call.run));
        let heads = format!("refs/heads/{branch}");
        let there = git.ask(&at, &["for-each-ref", "--format=%(refname)", &bases, &heads])?.text();
        let has_branch = there.lines().any(|name| name == heads);
        if !there.lines().any(|name| name == base) {
            if !there.is_empty() {
                return Err(ProviderError::permanent(format!(
                    "the branch `{branch}` is not of this run, but of another of the same id: delete it, and what \
                     `git for-each-ref {bases}` shows"
                )));
            }
            let head = match origin.map(|origin| begin(origin, &at, git)).transpose()?.flatten() {
                Some(commit) => commit,
                None => self.head(git)?,
            };
            git.ask(&at, &["update-ref", &base, &head, &"0".repeat(head.len())])?;
        }
        let mut add = vec!["worktree", "add", "--quiet"];
        add.extend(if has_branch { vec![name.as_str(), &branch] } else { vec!["-b", &branch, &name, &base] });
        git.ask(&at, &add)?;
        Ok(())
    }
}

/// The commit that a forked run begins with: the one that the other run was at, or what that one began with. None
/// where no call of theirs has worked in files yet.
fn begin(origin: &Origin, at: &At<'_>, git: &Git<'_>) -> Result<Option<String>, ProviderError> {
    let commit = |name: &str| {
        let name = format!("{name}^{{commit}}");
        let found = git.run(at, &["rev-parse", "--verify", "--quiet", "--end-of-options", &name], "")?;
        Ok::<_, ProviderError>(found.is_yes().then(|| found.text()))
    };
    let told = origin.worktree.as_ref().map(Data::value);
    if let Some(told) = told.as_ref().and_then(|told| told.get("commit")?.as_str()) {
        return commit(told)?.map(Some).ok_or_else(|| {
            let run = origin.runs.first().map_or("?", |(run, _)| run.as_str());
            ProviderError::permanent(format!(
                "the run was forked from `{run}` at its commit {told}, which is gone from the repository"
            ))
        });
    }
    for (run, seed) in &origin.runs {
        if let Some(base) = commit(&format!("{}{seed:016x}", bases(run)))? {
            return Ok(Some(base));
        }
    }
    Ok(None)
}

/// The commits that a run began with.
pub(super) fn bases(run: &RunId) -> String {
    format!("refs/workflow/{run}/")
}

impl Open {
    /// Commits what the call changed.
    pub(super) fn finish(self, message: &str, git: &Git<'_>) -> Result<Committed, ProviderError> {
        let turn = Turn::wait(&self.directory, git.control())?;
        let worktree = self.directory.join(self.run.to_string());
        let found = expect(&worktree, &self.run, git)?;
        let is_alone = self.in_use.end(&turn);
        commit(&worktree, &found, &self.run, is_alone, message, git)
    }
}

/// The worktree, if there is one.
pub(super) fn find(worktree: &Path, git: &Git<'_>) -> Result<Option<Found>, ProviderError> {
    if !worktree.join(".git").exists() {
        return Ok(None);
    }
    let at = At::Worktree(worktree);
    let question = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"];
    let answer = git.run(&at, &question, "")?;
    if !answer.is_yes() {
        return Ok(None);
    }
    let mut paths = answer.paths().into_iter();
    let (own, repository) = (paths.next().unwrap_or_default(), paths.next().unwrap_or_default());
    let repository = repository.canonicalize().map_err(|error| unable(&repository, &error))?;
    let head = git.run(&at, &["symbolic-ref", "-q", "HEAD"], "")?.text();
    Ok(Some(Found { own, repository, head }))
}

impl Found {
    /// Git locks a worktree while it makes it.
    fn is_half_made(&self) -> bool {
        fs::read_to_string(self.own.join("locked")).is_ok_and(|why| why.trim() == "initializing")
    }

    fn index_lock(&self) -> PathBuf {
        self.own.join("index.lock")
    }

    /// Waits until nobody else works on the index. Where nobody can any more, what is locked was left by a git that
    /// died: that of an interrupted call, which was reclaimed, or that of the call that has just ended.
    fn unlock(&self, run: &RunId, is_alone: bool) -> Result<(), ProviderError> {
        if is_alone {
            let branch = self.repository.join(format!("refs/heads/{}.lock", Worktrees::branch(run)));
            for lock in [self.index_lock(), self.own.join("HEAD.lock"), branch] {
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

/// The worktree, on the branch of its run.
fn expect(worktree: &Path, run: &RunId, git: &Git<'_>) -> Result<Found, ProviderError> {
    let wrong = |what: &str| {
        let message = format!("the worktree {} {what}; nothing in it is changed", worktree.display());
        ProviderError::permanent(message)
    };
    let found = find(worktree, git)?.ok_or_else(|| wrong("is no longer one of git"))?;
    let branch = Worktrees::branch(run);
    if found.head != format!("refs/heads/{branch}") {
        return Err(wrong(&format!("is not on the branch `{branch}` any more: `git switch {branch}` there")));
    }
    Ok(found)
}

/// Commits whatever is changed.
fn commit(
    worktree: &Path,
    found: &Found,
    run: &RunId,
    is_alone: bool,
    message: &str,
    git: &Git<'_>,
) -> Result<Committed, ProviderError> {
    let at = At::Worktree(worktree);
    found.unlock(run, is_alone)?;
    if !nested::stage(worktree, git)? {
        return Ok(None);
    }
    let how = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--cleanup=verbatim", "--file=-"];
    git.tell(&at, &how, message)?;
    let id = git.ask(&at, &["rev-parse", "HEAD"])?.text();
    let stat = git.ask(&at, &["show", "--format=", "--no-ext-diff", "--stat=100,80,50", "HEAD"])?.text();
    Ok(Some((id, stat)))
}
