//! Private files and directories, and making what was done to them last.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use workflow_core::store::StoreError;

/// Makes a store's error of an error at a place.
pub(super) fn at(place: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { place: place.display().to_string(), source: Arc::new(source) }
}

/// An error at a place, in words for a person.
pub(super) fn fault(place: &Path, kind: io::ErrorKind, message: &str) -> StoreError {
    at(place)(io::Error::new(kind, message))
}

/// Creates a directory that only its owner may enter, and those above it.
pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    directories().recursive(true).create(path)
}

pub(super) fn create_dir(path: &Path) -> io::Result<()> {
    directories().create(path)
}

fn directories() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Options that create files which only their owner may read.
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes the names in a directory last: files created in it, renamed into it, removed from it.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    // Only Unix lets a directory be opened; elsewhere names last with the files.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Whether the bytes of a replaced file must have reached the disk before its new name has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    Yes,
    No,
}

/// Replaces the file at `path`, or creates it: readers see the old bytes or the new ones.
/// `temporary` is in the same directory, and is nobody else's.
pub(crate) fn replace(path: &Path, temporary: &Path, bytes: &[u8], lasting: Lasting) -> io::Result<()> {
    let write = || {
        let mut file = private().write(true).create(true).truncate(true).open(temporary)?;
        file.write_all(bytes)?;
        if lasting == Lasting::Yes {
            file.sync_all()?;
        }
        fs::rename(temporary, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(temporary)))?;
    match path.parent() {
        Some(parent) if lasting == Lasting::Yes => sync_dir(parent),
        _ => Ok(()),
    }
}

/// How the names begin of what is not finished, or half removed. No id begins so.
pub(crate) const UNFINISHED: &str = ".tmp-";

/// A name for something unfinished that no other thread or process uses.
pub(crate) fn unfinished(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{UNFINISHED}{name}-{}-{count}", std::process::id())
}
