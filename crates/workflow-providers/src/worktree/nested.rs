//! Repositories that calls leave inside of a run's worktree: a clone, or another worktree.
//!
//! To git they are no files, but a link to a commit that is in no repository but theirs. So their files are added one by
//! one; once some of them are in the index, git takes the folder for one like any other. What they ignore stays out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use workflow_core::provider::ProviderError;

use super::git::{At, Git};

/// The mode of a link to a commit.
const LINK: &[u8] = b"160000";

/// A path within the worktree, as git writes it.
type Name = Vec<u8>;

/// Puts everything that is changed into the index. Tells whether anything is.
pub(super) fn stage(worktree: &Path, git: &Git<'_>) -> Result<bool, ProviderError> {
    let at = At::Worktree(worktree);
    let add = ["add", "--all"];
    let added = git.run(&at, &add, "")?;
    let (is_changed, mut links) = staged(&at, git)?;
    if !links.is_empty() {
        let declared = declared(&at, git)?;
        links.retain(|link| !declared.contains(link));
    }
    if added.is_yes() && links.is_empty() {
        return Ok(is_changed);
    }
    if !links.is_empty() {
        git.tell(&at, &["update-index", "--force-remove", "-z", "--stdin"], terminated(&links))?;
    }
    let mut known = BTreeSet::new();
    loop {
        let found = repositories(&at, git)?;
        let new: Vec<_> = found.iter().filter(|name| known.insert((*name).clone())).cloned().collect();
        if new.is_empty() {
            // Those that are left have no files.
            if found.is_empty() {
                git.ask(&at, &add)?;
            } else {
                let without = found.iter().map(|name| [b":(top,exclude,literal)", &**name].concat());
                let paths: Vec<_> = [b".".to_vec()].into_iter().chain(without).collect();
                let add = ["add", "--all", "--pathspec-from-file=-", "--pathspec-file-nul"];
                git.tell(&at, &add, terminated(&paths))?;
            }
            return Ok(staged(&at, git)?.0);
        }
        for repository in new {
            let files = files(worktree, &repository, git)?;
            git.tell(&at, &["update-index", "--add", "-z", "--stdin"], terminated(&files))?;
        }
    }
}

/// Whether anything is staged, and the new links among it.
fn staged(at: &At<'_>, git: &Git<'_>) -> Result<(bool, Vec<Name>), ProviderError> {
    let raw =
        ["diff", "--cached", "--raw", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=none"];
    let said = git.ask(at, &raw)?.bytes();
    let mut parts = said.split(|byte| *byte == 0).filter(|part| !part.is_empty());
    let (mut is_changed, mut links) = (false, Vec::new());
    // `:old-mode new-mode …`, and the path.
    while let (Some(modes), Some(name)) = (parts.next(), parts.next()) {
        is_changed = true;
        let mut modes = modes.strip_prefix(b":").unwrap_or(modes).split(|byte| *byte == b' ');
        if modes.next() != Some(LINK) && modes.next() == Some(LINK) {
            links.push(name.to_vec());
        }
    }
    Ok((is_changed, links))
}

/// The submodules that are declared: what they link to can be fetched.
fn declared(at: &At<'_>, git: &Git<'_>) -> Result<BTreeSet<Name>, ProviderError> {
    let ask = ["config", "--null", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$"];
    let said = git.run(at, &ask, "")?.bytes();
    let entries = said.split(|byte| *byte == 0);
    let path = |entry: &[u8]| Some(entry.splitn(2, |byte| *byte == b'\n').nth(1)?.to_vec());
    Ok(entries.filter_map(path).collect())
}

/// The repositories below, as far as their files are not in the index.
fn repositories(at: &At<'_>, git: &Git<'_>) -> Result<Vec<Name>, ProviderError> {
    let said = git.ask(at, &["ls-files", "--others", "--exclude-standard", "-z"])?.bytes();
    let names = said.split(|byte| *byte == 0).filter_map(|name| name.strip_suffix(b"/"));
    Ok(names.map(<[u8]>::to_vec).collect())
}

/// The files of a repository below, that it does not ignore.
fn files(worktree: &Path, repository: &[u8], git: &Git<'_>) -> Result<Vec<Name>, ProviderError> {
    let folder = worktree.join(OsStr::from_bytes(repository));
    let ask = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"];
    let said = git.ask(&At::Worktree(&folder), &ask).map_err(|error| {
        let folder = folder.display();
        ProviderError::permanent(format!(
            "{folder} is a repository inside of the run's worktree, and its files cannot be committed: {error}; remove \
             it, or add it to `.gitignore`"
        ))
    })?;
    let said = said.bytes();
    // One within it is looked at later, and what was removed from it is no file.
    let names = said.split(|byte| *byte == 0).filter(|name| !name.is_empty() && !name.ends_with(b"/"));
    let is_there = |name: &&[u8]| {
        let found = folder.join(OsStr::from_bytes(name)).symlink_metadata();
        found.is_ok_and(|found| !found.is_dir())
    };
    Ok(names.filter(is_there).map(|name| [repository, b"/", name].concat()).collect())
}

/// Names as git reads them: each with a zero after it.
fn terminated(names: &[Name]) -> Vec<u8> {
    names.iter().flat_map(|name| name.iter().copied().chain([0])).collect()
}
