//! Where a database is, and whether it still is there.

use std::fs;
use std::path::{Path, PathBuf};

use workflow_core::store::StoreError;

use crate::disk::at;

/// The files of a database.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) log: PathBuf,
    /// The directory with the lock files of those who drive runs.
    pub(super) holders: PathBuf,
    seen: [Option<Identity>; 2],
}

/// What tells a file from another one of the same name.
type Identity = (u64, u64);

impl Place {
    /// `path` is as the system resolves it.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { log: beside(&path, "-wal"), holders: beside(&path, "-holders"), seen: [None, None], path }
    }

    /// All that is read of the database, whether it is there or not.
    pub(super) fn all(&self) -> impl Iterator<Item = PathBuf> {
        ["", "-wal", "-shm", "-journal", "-holders"].into_iter().map(|suffix| beside(&self.path, suffix))
    }

    /// Remembers which files are there.
    pub(super) fn remember(&mut self) -> Result<(), StoreError> {
        for (seen, path) in self.seen.iter_mut().zip([&self.path, &self.log]) {
            *seen = Some(identity(path).map_err(at(path))?);
        }
        Ok(())
    }

    /// Refuses when the files have been deleted or replaced: what is written then is lost with the
    /// process, however well it was synced.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        for (seen, path) in self.seen.iter().zip([&self.path, &self.log]) {
            if seen.is_some() && identity(path).ok() != *seen {
                return Err(StoreError::Closed(format!(
                    "{} was deleted or replaced while it was in use: put it back, or open the store anew",
                    path.display()
                )));
            }
        }
        Ok(())
    }
}

/// The path with more at its end.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Never opens the file: closing it again would end the locks that SQLite has on it in this process.
fn identity(path: &Path) -> std::io::Result<Identity> {
    let metadata = fs::metadata(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Ok((metadata.dev(), metadata.ino()))
    }
    #[cfg(not(unix))]
    {
        // Elsewhere a file that is open can be neither deleted nor replaced.
        let _ = metadata;
        Ok((0, 0))
    }
}
