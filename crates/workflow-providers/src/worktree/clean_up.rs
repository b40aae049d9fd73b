//! Removes worktrees that are no longer needed. Branches are kept.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use workflow_core::ids::RunId;
use workflow_core::provider::ProviderError;

use super::Worktrees;
use super::folder::{self, unable};
use super::git::{At, Git};
use super::locks::{InUse, Turn};
use super::pinned::Pinned;
use super::settings::{Settings, bases, branch, branch_by};

/// The worktree of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worktree {
    /// The run.
    pub run: RunId,
    /// The folder.
    pub path: PathBuf,
    /// The branch of the run.
    pub branch: String,
    /// When a call last worked in it, where that is known.
    pub used: Option<SystemTime>,
}

impl Worktrees {
    /// The worktrees: first those of which it is not known when they were used, then the least recently used.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub async fn list(&self) -> Result<Vec<Worktree>, ProviderError> {
        self.ask(|settings, git| Ok(settings.on_branches(settings.list()?, git))).await
    }

    /// Removes the worktree of a run that is over, however many are to be kept. Returns whether it was removed: the reasons
    /// to keep it are those of [`clean_up`](Self::clean_up). The branch of the run is kept in any case.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub async fn remove(&self, run: &RunId) -> Result<bool, ProviderError> {
        let run = run.clone();
        self.ask(move |settings, git| {
            let Some(directory) = folder::checked(&settings.directory)? else { return Ok(false) };
            let turn = Turn::wait(&directory, settings.lock_timeout, git.control())?;
            if directory.join(run.as_str()).symlink_metadata().is_ok() {
                return settings.remove(&turn, &directory, &run, git);
            }
            settings.forget(&turn, &directory, &run)?;
            Ok(false)
        })
        .await
    }

    /// The runs that have a worktree, the least recently used first.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub async fn runs(&self) -> Result<Vec<RunId>, ProviderError> {
        self.ask(|settings, _| Ok(settings.list()?.into_iter().map(|worktree| worktree.run).collect())).await
    }

    /// Removes worktrees of the runs that are `over`, the least recently used first, until no more runs and
    /// no more bytes are left than are to be kept. Returns the runs whose worktrees were removed.
    ///
    /// A worktree with uncommitted changes is kept, and so is one that a call works in, here or in another
    /// process. The branch of the run is kept in any case, so only files that git ignores are lost.
    ///
    /// The record of a run (`.pinned`), with git's configuration and the tokens that may be in it, is removed
    /// with its worktree; the record of a run that is `over` and whose worktree is already gone is removed in
    /// any case. A call of such a run records the configuration again.
    ///
    /// # Errors
    ///
    /// If the directory cannot be read.
    pub async fn clean_up(&self, over: impl IntoIterator<Item = RunId>) -> Result<Vec<RunId>, ProviderError> {
        let over: HashSet<RunId> = over.into_iter().collect();
        self.ask(move |settings, git| settings.clean_up(&over, git)).await
    }
}

impl Settings {
    /// Worktrees with the branches that the repository has for them.
    fn on_branches(&self, mut worktrees: Vec<Worktree>, git: &Git<'_>) -> Vec<Worktree> {
        // Without a repository they have the usual ones.
        let refs = self.repository(git).and_then(|(repository, _)| {
            let at = At::Repository(&repository, &self.repository);
            Ok(git.ask(&at, &["for-each-ref", "--format=%(refname)", "refs/workflow/"])?.text())
        });
        let refs = refs.unwrap_or_default();
        for worktree in &mut worktrees {
            let bases = bases(&worktree.run);
            if let Some(base) = refs.lines().find(|name| name.starts_with(&bases)) {
                worktree.branch = branch_by(base, &worktree.run);
            }
        }
        worktrees
    }

    fn list(&self) -> Result<Vec<Worktree>, ProviderError> {
        let wrong = |error| unable(&self.directory, &error);
        let mut runs = Vec::new();
        let Some(directory) = folder::checked(&self.directory)? else { return Ok(Vec::new()) };
        for entry in fs::read_dir(&directory).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let run = entry.file_name().to_str().and_then(|name| RunId::new(name).ok());
            if let Some(run) = run.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                let lock = directory.join(format!("{run}.lock"));
                let used = fs::symlink_metadata(lock).and_then(|lock| lock.modified()).ok();
                runs.push(Worktree {
                    path: directory.join(run.as_str()),
                    branch: branch(&run, None),
                    run,
                    used,
                });
            }
        }
        runs.sort_by(|a, b| (a.used, &a.run).cmp(&(b.used, &b.run)));
        Ok(runs)
    }

    fn clean_up(&self, over: &HashSet<RunId>, git: &Git<'_>) -> Result<Vec<RunId>, ProviderError> {
        let mut removed = Vec::new();
        let Some(directory) = folder::checked(&self.directory)? else { return Ok(removed) };
        let turn = Turn::wait(&directory, self.lock_timeout, git.control())?;
        let runs = self.list()?;
        let bytes = runs.iter().map(|worktree| bytes_in(&worktree.path));
        let sizes: Vec<u64> = bytes.collect();
        let (mut count, mut bytes) = (runs.len(), sizes.iter().sum::<u64>());
        for (Worktree { run, .. }, size) in runs.into_iter().zip(sizes) {
            if count <= self.keep_runs && bytes <= self.keep_bytes {
                break;
            }
            if over.contains(&run) && self.remove(&turn, &directory, &run, git)? {
                count -= 1;
                bytes -= size;
                removed.push(run);
            }
        }
        for run in over {
            if directory.join(run.as_str()).symlink_metadata().is_err() {
                self.forget(&turn, &directory, run)?;
            }
        }
        Ok(removed)
    }

    /// Removes the record of a run whose worktree is gone, unless a call of the run is in progress.
    fn forget(&self, turn: &Turn<'_>, directory: &Path, run: &RunId) -> Result<(), ProviderError> {
        if Pinned::exists(directory, run)? {
            let remove = || Pinned::remove(directory, run, &self.known).map(|()| true);
            InUse::unless(turn, directory, run, remove)?;
        }
        Ok(())
    }

    /// Removes a worktree, unless a call of the run is in progress or something would be lost. Whether it was removed.
    fn remove(
        &self,
        turn: &Turn<'_>,
        directory: &Path,
        run: &RunId,
        git: &Git<'_>,
    ) -> Result<bool, ProviderError> {
        InUse::unless(turn, directory, run, || self.remove_unused(directory, run, git))
    }

    /// Lets git remove it, which refuses if something would be lost. A worktree that is not as it was created
    /// is kept as well.
    fn remove_unused(&self, directory: &Path, run: &RunId, git: &Git<'_>) -> Result<bool, ProviderError> {
        let recorded = self.recorded(directory, run, git);
        let Ok(Some(pinned)) = recorded else { return Ok(false) };
        if pinned.verify().is_err() || hides(&pinned, git)? {
            return Ok(false);
        }
        let removed =
            git.run(&At::Around(&pinned), &["worktree", "remove", &format!("./{run}")], "")?.is_yes();
        if removed {
            Pinned::remove(directory, run, &self.known)?;
        }
        Ok(removed)
    }
}

/// Whether there are files whose changes git was told to ignore (`update-index --assume-unchanged`,
/// `--skip-worktree`): git would consider them unchanged.
fn hides(pinned: &Pinned, git: &Git<'_>) -> Result<bool, ProviderError> {
    let said = git.ask(&At::Worktree(pinned), &["ls-files", "-v", "-z"])?.bytes();
    Ok(said.split(|byte| *byte == 0).any(|entry| match entry {
        [b'S' | b's', b' ', name @ ..] => {
            pinned.worktree.join(OsStr::from_bytes(name)).symlink_metadata().is_ok()
        }
        [tag, ..] => tag.is_ascii_lowercase(),
        [] => false,
    }))
}

/// The size of the files in a folder; symbolic links are not followed.
fn bytes_in(folder: &Path) -> u64 {
    let (mut bytes, mut folders) = (0, vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => folders.push(entry.path()),
                Ok(metadata) => bytes += metadata.len(),
                // It was removed in the meantime.
                Err(_) => {}
            }
        }
    }
    bytes
}
