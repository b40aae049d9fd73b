//! Creates the worktree of a run, or finds it again.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use workflow_core::data::Data;
use workflow_core::ids::RunId;
use workflow_core::provider::{CallId, Origin, ProviderError};

use super::config;
use super::folder::unable;
use super::git::{At, Git};
use super::pinned::{Pinned, git_dir};
use super::settings::{Settings, base as base_of, bases, is_base};

impl Settings {
    /// The worktree of a run as it was recorded, created if it does not exist.
    pub(super) fn pinned(
        &self,
        call: &CallId,
        origin: Option<&Origin>,
        branch: &str,
        repository: &Path,
        directory: &Path,
        git: &Git<'_>,
    ) -> Result<Pinned, ProviderError> {
        let worktree = directory.join(call.run.as_str());
        let is_there = worktree.symlink_metadata().is_ok();
        if is_there && let Some(pinned) = Pinned::load(directory, &call.run, &self.known)? {
            return Ok(pinned);
        }
        let at = At::Repository(repository, directory);
        let name = format!("./{}", call.run);
        let (base, bases) = (base_of(&call.run, call.seed, branch), bases(&call.run));
        let heads = format!("refs/heads/{branch}");
        let there = git.ask(&at, &["for-each-ref", "--format=%(refname)", &bases, &heads])?.text();
        let has_branch = there.lines().any(|name| name == heads);
        let has_base = there.lines().any(|name| name == base);
        // A record belongs to this run only if the run has a base commit.
        let recorded = if has_base { Pinned::config(directory, &call.run, &self.known)? } else { None };
        let config = || recorded.map_or_else(|| config::read(repository, directory, git), Ok);

        let found = is_there.then(|| git_dir(&worktree)).flatten();
        match &found {
            Some(own) if own.parent().and_then(Path::parent) != Some(repository) => {
                let (worktree, own) = (worktree.display(), own.display());
                let message = format!(
                    "the worktree {worktree} of this run belongs to another repository, with its files in {own}"
                );
                return Err(ProviderError::permanent(message));
            }
            // It was created before there were records, or the host died just before it wrote one.
            Some(own) if has_base && !is_half_made(own) => {
                let pinned = Pinned::new(directory, &call.run, repository, own.clone(), config()?)?;
                pinned.write()?;
                pinned.complete(&self.known)?;
                return Ok(pinned);
            }
            _ if !has_base && !there.is_empty() => {
                return Err(ProviderError::permanent(format!(
                    "the branch `{branch}` belongs to another run with the same id: delete it, and the \
                     refs that `git for-each-ref {bases}` shows"
                )));
            }
            Some(own) if !is_half_made(own) => {
                let message = format!(
                    "the worktree {} exists, but the repository does not say which run it belongs to: move it \
                     away",
                    worktree.display()
                );
                return Err(ProviderError::permanent(message));
            }
            _ => {}
        }
        // A host died while it created the worktree: no call has run in it yet.
        match fs::remove_dir(&worktree) {
            Err(error) if error.kind() != ErrorKind::NotFound && found.is_none() => {
                let message =
                    format!("{} exists, but is not a git worktree: move it away", worktree.display());
                return Err(ProviderError::permanent(message));
            }
            _ => {}
        }
        Pinned::begin(directory, &call.run)?;
        git.run(&at, &["worktree", "remove", "--force", "--force", &name], "")?;

        if !has_base {
            let head = match origin.map(|origin| begin(origin, &at, git)).transpose()?.flatten() {
                Some(commit) => commit,
                None => self.first(origin.and_then(|origin| origin.spec.as_ref()?.base.as_deref()), git)?,
            };
            git.ask(&at, &["update-ref", &base, &head, &"0".repeat(head.len())])?;
        }
        let config = config()?;
        // The files are written later, with the filters of the recorded configuration. Until then the
        // worktree is locked.
        let mut add = vec!["worktree", "add", "--quiet", "--no-checkout", "--lock"];
        add.extend(if has_branch { vec![name.as_str(), branch] } else { vec!["-b", branch, &name, &base] });
        git.ask(&at, &add)?;
        let own =
            git_dir(&worktree).ok_or_else(|| unable(&worktree.join(".git"), &ErrorKind::NotFound.into()))?;
        let pinned = Pinned::new(directory, &call.run, repository, own, config)?;
        pinned.write()?;
        git.ask(&At::Worktree(&pinned), &["reset", "--hard", "--quiet", "--no-recurse-submodules"])?;
        git.ask(&at, &["worktree", "unlock", &name])?;
        pinned.complete(&self.known)?;
        Ok(pinned)
    }

    /// The worktree of a run that is to be removed, as it was recorded. `None` if nothing is known of it.
    pub(super) fn recorded(
        &self,
        directory: &Path,
        run: &RunId,
        git: &Git<'_>,
    ) -> Result<Option<Pinned>, ProviderError> {
        if let Some(pinned) = Pinned::load(directory, run, &self.known)? {
            return Ok(Some(pinned));
        }
        // It was created before there were records.
        let own = git_dir(&directory.join(run.as_str()));
        let Some((own, repository)) = own.as_deref().and_then(|own| Some((own, own.parent()?.parent()?)))
        else {
            return Ok(None);
        };
        let config = match Pinned::config(directory, run, &self.known)? {
            Some(config) => config,
            None => config::read(repository, directory, git)?,
        };
        let pinned = Pinned::new(directory, run, repository, own.to_owned(), config)?;
        pinned.write()?;
        pinned.complete(&self.known)?;
        Ok(Some(pinned))
    }
}

/// The commit that a forked run begins with: the one that the other run was at, or its base. `None` if no
/// call of either has worked in files yet.
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
        let refs = git.ask(at, &["for-each-ref", "--format=%(refname)", &bases(run)])?.text();
        if let Some(base) = refs.lines().find(|name| is_base(name, run, *seed)) {
            return commit(base);
        }
    }
    Ok(None)
}

/// Whether a host died while it created the worktree: it is locked until all of its files are written.
fn is_half_made(git_dir: &Path) -> bool {
    // The first is the reason that git itself writes, and the only one before the files were written in a
    // separate step.
    let reasons = ["initializing", "added with --lock"];
    fs::read_to_string(git_dir.join("locked")).is_ok_and(|why| reasons.contains(&why.trim()))
}
