//! Files and directories: private ones, locked ones, and making what was done to them last.

#[cfg(feature = "files")]
mod replace;

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use workflow_core::store::StoreError;

#[cfg(feature = "files")]
pub(crate) use self::replace::{Content, UNFINISHED, replace, unfinished};

/// Makes a store's error of an error at a place.
pub(crate) fn at(place: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { place: place.display().to_string(), source: Arc::new(source) }
}

/// An error at a place, in words for a person.
pub(crate) fn fault(place: &Path, kind: io::ErrorKind, message: &str) -> StoreError {
    at(place)(io::Error::new(kind, message))
}

/// Creates a directory that only its owner may enter, and those above it, so that they last.
pub(crate) fn create_dir_all(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or(Ok(()), create_dir_all)?;
    match create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        created => created?,
    }
    parent.map_or(Ok(()), sync_dir)
}

/// Creates a directory that only its owner may enter.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options that create files which only their owner may read.
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes the right to write a file or directory from everybody but its owner: who can write it can have commands run.
///
/// # Errors
///
/// When it is somebody else's, so that its mode cannot be changed.
pub(crate) fn writable_by_owner_alone(path: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        const WRITE: u32 = 0o022;
        let mode = match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(at(path))?.permissions().mode(),
        };
        if mode & WRITE != 0 {
            let tightened = std::fs::Permissions::from_mode(mode & 0o7777 & !WRITE);
            let message = "other users can write it, and only its owner can change that: have them run \
                           `chmod -R go-w` on it, or name a store of your own";
            std::fs::set_permissions(path, tightened).map_err(|error| match error.kind() {
                // Of no use for reading either: what is in it may be anybody's.
                io::ErrorKind::PermissionDenied => fault(path, io::ErrorKind::Other, message),
                _ => at(path)(error),
            })?;
            tracing::warn!(path = %path.display(), "other users could write it: changed its mode");
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes the names in a directory last: files created in it, renamed into it, removed from it.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    // Only Unix lets a directory be opened; elsewhere names last with the files.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Takes the lock of a file for this process alone; `false` when somebody else has it so.
pub(crate) fn lock(file: &File) -> io::Result<bool> {
    // Who only looks whether it is locked shares the lock for a moment: that is no holder.
    for _ in 0..100 {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        match file.try_lock_shared() {
            Ok(()) => file.unlock()?,
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(false)
}

/// Waits for the lock of a file that others keep for a moment; not for ever, as they may have been
/// stopped.
pub(crate) fn take_turn(file: &File) -> io::Result<()> {
    for _ in 0..1_000 {
        if lock(file)? {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "another process keeps it locked"))
}
