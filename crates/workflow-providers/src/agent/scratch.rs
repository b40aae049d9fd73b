//! The temporary folder of a call. A host that is killed cannot remove its folders, so the next one does.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const PREFIX: &str = "workflow-call-";

/// The host of a call holds a lock on this file: the system releases it when the process ends, however it ends.
const LOCK: &str = "lock";

/// The folder of a call; dropping it removes it.
pub(super) struct Scratch {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Creates a folder, and removes those that ended processes of this user have left.
    pub(super) fn new() -> io::Result<Self> {
        let root = std::env::temp_dir();
        remove_left(&root);
        loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&root)?;
            let lock = File::create(folder.path().join(LOCK))?;
            // Another process may have removed the folder before it was locked.
            if lock.try_lock().is_ok() && folder.path().join(LOCK).exists() {
                return Ok(Self { folder, _lock: lock });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }
}

fn remove_left(root: &Path) {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let of_calls = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX));
    for folder in of_calls.map(|entry| entry.path()) {
        if let Err(error) = remove(&folder) {
            tracing::debug!(folder = %folder.display(), %error, "cannot remove the folder of an ended call");
        }
    }
}

/// Removes the folder if its process has ended.
fn remove(folder: &PathBuf) -> io::Result<()> {
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    let lock = match File::open(folder.join(LOCK)) {
        Ok(lock) => lock,
        // Its host is about to create it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if lock.try_lock().is_ok() { fs::remove_dir_all(folder) } else { Ok(()) }
}
