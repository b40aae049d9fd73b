//! Repositories that calls leave inside a run's worktree: a clone, or another worktree.
//!
//! Git does not see them as files, but as a link to a commit that exists only in their repository. So their
//! files are added one by one; once some of them are in the index, git treats the folder like any other.
//! Files that they ignore are left out.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use workflow_core::provider::ProviderError;

use super::git::{At, Git};
use super::pinned::Pinned;

/// The mode of a link to a commit.
const LINK: &[u8] = b"160000";

/// A path within the worktree, as git writes it.
type Name = Vec<u8>;

/// Adds all changes to the index. Returns whether there are any.
///
/// Uses `update-index` instead of `add`: `add` asks the git of a submodule for changes, and that executes
/// commands from the configuration of the submodule.
pub(super) fn stage(pinned: &Pinned, git: &Git<'_>) -> Result<bool, ProviderError> {
    let at = At::Worktree(pinned);
    let Status { is_changed, gone, mut names } = status(&at, git)?;
    if !is_changed {
        return Ok(false);
    }
    let mut nested: Vec<_> = names.extract_if(.., |name| name.ends_with(b"/")).collect();
    let mut known = None;
    if !nested.is_empty() {
        let declared = known.insert(declared(&at, git)?);
        for name in &mut nested {
            name.truncate(name.len() - 1);
        }
        names.extend(nested.extract_if(.., |name| declared.contains(name)));
    }
    remove(&at, &gone, git)?;
    update(&at, &names, git)?;
    let (is_changed, mut links) = staged(&at, git)?;
    if !links.is_empty() {
        let declared = known.map_or_else(|| declared(&at, git), Ok)?;
        links.retain(|link| !declared.contains(link));
    }
    if nested.is_empty() && links.is_empty() {
        return Ok(is_changed);
    }
    remove(&at, &links, git)?;
    let mut known = BTreeSet::new();
    loop {
        let found = repositories(&at, git)?;
        let new: Vec<_> = found.into_iter().filter(|name| known.insert(name.clone())).collect();
        if new.is_empty() {
            // The remaining repositories have no files.
            return Ok(staged(&at, git)?.0);
        }
        for repository in new {
            update(&at, &files(pinned, &repository, git)?, git)?;
        }
    }
}

/// How the files differ from the index.
#[derive(Default)]
struct Status {
    /// Or the index from the last commit.
    is_changed: bool,
    /// The paths that were deleted.
    gone: Vec<Name>,
    /// The others; paths of repositories end with a slash.
    names: Vec<Name>,
}

fn status(at: &At<'_>, git: &Git<'_>) -> Result<Status, ProviderError> {
    let ask = [
        "status",
        "--porcelain=2",
        "-z",
        "--untracked-files=all",
        "--no-renames",
        "--ignore-submodules=dirty",
    ];
    let said = git.ask(at, &ask)?.bytes();
    let mut status = Status::default();
    for entry in said.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
        status.is_changed = true;
        // `1 XY sub mode mode mode id id path`, `u XY sub mode mode mode mode id id id path`, or `? path`.
        // `Y` is the state of the file.
        let (fields, is_gone) = match entry {
            [b'?', ..] => (2, false),
            [b'1', b' ', _, b'.', ..] => continue,
            [b'1', b' ', _, became, ..] => (9, *became == b'D'),
            _ => (11, false),
        };
        if let Some(name) = entry.splitn(fields, |byte| *byte == b' ').nth(fields - 1) {
            let names = if is_gone { &mut status.gone } else { &mut status.names };
            names.push(name.to_vec());
        }
    }
    Ok(status)
}

/// Removes these paths from the index.
fn remove(at: &At<'_>, names: &[Name], git: &Git<'_>) -> Result<(), ProviderError> {
    if names.is_empty() {
        return Ok(());
    }
    git.tell(at, &["update-index", "--force-remove", "-z", "--stdin"], terminated(names))
}

/// Updates these paths in the index to the current files, or removes them if the files were deleted.
fn update(at: &At<'_>, names: &[Name], git: &Git<'_>) -> Result<(), ProviderError> {
    if names.is_empty() {
        return Ok(());
    }
    git.tell(at, &["update-index", "--add", "--remove", "--replace", "-z", "--stdin"], terminated(names))
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

/// The declared submodules: the commits that they link to can be fetched.
fn declared(at: &At<'_>, git: &Git<'_>) -> Result<BTreeSet<Name>, ProviderError> {
    let ask = ["config", "--null", "--file", ".gitmodules", "--get-regexp", r"^submodule\..*\.path$"];
    let said = git.run(at, &ask, "")?.bytes();
    let entries = said.split(|byte| *byte == 0);
    let path = |entry: &[u8]| Some(entry.splitn(2, |byte| *byte == b'\n').nth(1)?.to_vec());
    Ok(entries.filter_map(path).collect())
}

/// The nested repositories whose files are not in the index.
fn repositories(at: &At<'_>, git: &Git<'_>) -> Result<Vec<Name>, ProviderError> {
    let said = git.ask(at, &["ls-files", "--others", "--exclude-standard", "-z"])?.bytes();
    let names = said.split(|byte| *byte == 0).filter_map(|name| name.strip_suffix(b"/"));
    Ok(names.map(<[u8]>::to_vec).collect())
}

/// The files of a nested repository that it does not ignore.
fn files(pinned: &Pinned, repository: &[u8], git: &Git<'_>) -> Result<Vec<Name>, ProviderError> {
    let folder = pinned.worktree.join(OsStr::from_bytes(repository));
    let ask = ["ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "-z"];
    let said = git.ask(&At::Nested(pinned, &folder), &ask).map_err(|error| {
        let folder = folder.display();
        ProviderError::permanent(format!(
            "{folder} is a repository inside the run's worktree, and its files cannot be committed: {error}; \
             remove it, or add it to `.gitignore`"
        ))
    })?;
    let said = said.bytes();
    // A repository within it is examined later, and deleted files are skipped.
    let names = said.split(|byte| *byte == 0).filter(|name| !name.is_empty() && !name.ends_with(b"/"));
    let is_there = |name: &&[u8]| {
        let found = folder.join(OsStr::from_bytes(name)).symlink_metadata();
        found.is_ok_and(|found| !found.is_dir())
    };
    Ok(names.filter(is_there).map(|name| [repository, b"/", name].concat()).collect())
}

/// Names in git's input format: each followed by a zero byte.
fn terminated(names: &[Name]) -> Vec<u8> {
    names.iter().flat_map(|name| name.iter().copied().chain([0])).collect()
}
