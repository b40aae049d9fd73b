//! Replaces whole files atomically, and names temporary files.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{private, sync_dir};

/// The kind of file that is replaced.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Private, and derived from other files: it may be lost in a crash.
    Derived,
    /// Readable only by its owner.
    Private,
    /// Belongs to the user: keeps its permissions.
    Personal,
}

/// Replaces the file at `path`, or creates it: readers see either the old or the new bytes. `temporary` is in
/// the same directory, and no other thread or process uses it.
pub(crate) fn replace(path: &Path, temporary: &Path, bytes: &[u8], content: Content) -> io::Result<()> {
    let write = || {
        let mut options = if content == Content::Personal { OpenOptions::new() } else { private() };
        let mut file = options.write(true).create(true).truncate(true).open(temporary)?;
        if content == Content::Personal
            && let Ok(replaced) = fs::metadata(path)
        {
            file.set_permissions(replaced.permissions())?;
        }
        file.write_all(bytes)?;
        if content != Content::Derived {
            file.sync_all()?;
        }
        fs::rename(temporary, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(temporary)))?;
    match path.parent() {
        Some(parent) if content != Content::Derived => sync_dir(parent),
        _ => Ok(()),
    }
}

/// The prefix of names of unfinished or partly removed files. No id starts with it.
pub(crate) const UNFINISHED: &str = ".tmp-";

/// A temporary name that no other thread or process uses.
pub(crate) fn unfinished(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{UNFINISHED}{name}-{}-{count}", std::process::id())
}
