//! The folder of the worktrees, which is private to its owner. Symbolic links in it are never followed.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;
use workflow_core::provider::ProviderError;

/// The permission bits of other users.
const OF_OTHERS: u32 = 0o077;

pub(super) fn unable(what: &Path, error: &io::Error) -> ProviderError {
    ProviderError::transient(format!("{}: {error}", what.display()))
}

/// Creates the folder, or removes the permissions of other users from an existing one. Returns its path
/// without symbolic links.
pub(super) fn private(folder: &Path) -> Result<PathBuf, ProviderError> {
    if let Some(parent) = folder.parent() {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|error| unable(parent, &error))?;
    }
    create(folder).map_err(|error| unable(folder, &error))?;
    checked(folder)?.ok_or_else(|| unable(folder, &ErrorKind::NotFound.into()))
}

/// The same without creating the folder. `None` if it does not exist.
pub(super) fn checked(folder: &Path) -> Result<Option<PathBuf>, ProviderError> {
    let found = match folder.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        found => found.map_err(|error| unable(folder, &error))?,
    };
    if !found.is_dir() {
        let message = format!(
            "{} must be a folder, but is a symbolic link or a file: nothing is written there; remove \
             it, or name the folder itself",
            folder.display()
        );
        return Err(ProviderError::permanent(message));
    }
    let mode = found.permissions().mode();
    if mode & OF_OTHERS != 0 {
        fs::set_permissions(folder, Permissions::from_mode(mode & 0o700)).map_err(|error| {
            ProviderError::permanent(format!(
                "other users may enter {}, and its permissions cannot be changed: {error}; ask its owner \
                 to remove it, or to run `chmod 700` on it",
                folder.display()
            ))
        })?;
    }
    folder.canonicalize().map(Some).map_err(|error| unable(folder, &error))
}

/// Creates the folder for its owner alone, unless something exists there.
pub(super) fn create(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Opens a file that only its owner may read or lock, and creates it if it is missing.
pub(super) fn private_file(path: &Path) -> io::Result<File> {
    let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let mut how = OpenOptions::new();
    let file = how
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_link)
        .open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & OF_OTHERS != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

/// The folder `part` of a worktree, created if it is missing. `None` if a part of the path is not a folder.
pub(super) fn within(worktree: &Path, part: &Path) -> Result<Option<PathBuf>, ProviderError> {
    let mut folder = worktree.to_owned();
    for part in part.components() {
        let Component::Normal(part) = part else { continue };
        folder.push(part);
        create(&folder).map_err(|error| unable(&folder, &error))?;
        if !folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
            return Ok(None);
        }
    }
    Ok(Some(folder))
}
