//! The path of a database, and whether its files still exist.

use std::fs;
use std::path::{Path, PathBuf};

use workflow_core::store::StoreError;

use crate::disk::at;

/// The files of a database.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) log: PathBuf,
    /// The directory with the lock files of the processes that drive runs.
    pub(super) holders: PathBuf,
    seen: [Option<Identity>; 2],
}

/// Identifies a file, also after another one replaced it under the same name.
type Identity = (u64, u64);

impl Place {
    /// `path` is canonical.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { log: beside(&path, "-wal"), holders: beside(&path, "-holders"), seen: [None, None], path }
    }

    /// All files of the database that are opened, whether they exist or not.
    pub(super) fn all(&self) -> impl Iterator<Item = PathBuf> {
        ["", "-wal", "-shm", "-journal", "-holders"].into_iter().map(|suffix| beside(&self.path, suffix))
    }

    /// Remembers the identity of the existing files.
    pub(super) fn remember(&mut self) -> Result<(), StoreError> {
        for (seen, path) in self.seen.iter_mut().zip([&self.path, &self.log]) {
            *seen = Some(identity(path).map_err(at(path))?);
        }
        Ok(())
    }

    /// Fails if the files were deleted or replaced: later writes would be lost with the process, even if they
    /// are synced.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        for (seen, path) in self.seen.iter().zip([&self.path, &self.log]) {
            if seen.is_some() && identity(path).ok() != *seen {
                return Err(StoreError::Closed(format!(
                    "{} was deleted or replaced while it was in use: restore it, or open the store again",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

/// The path with a suffix appended to its file name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Never opens the file: closing it again would release SQLite's locks on it in this process.
fn identity(path: &Path) -> std::io::Result<Identity> {
    let metadata = fs::metadata(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Ok((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        // On other platforms an open file can be neither deleted nor replaced.
        let _ = metadata;
        Ok((0, 0))
    }
}
