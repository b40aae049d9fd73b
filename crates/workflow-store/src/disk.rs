//! Files and directories: private permissions, locks, and durability.

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

/// Converts an I/O error at a path to a store error.
pub(crate) fn at(place: &Path) -> impl FnOnce(io::Error) -> StoreError {
    move |source| StoreError::Io { place: place.display().to_string(), source: Arc::new(source) }
}

/// An error at a path with a message for users.
pub(crate) fn fault(place: &Path, kind: io::ErrorKind, message: &str) -> StoreError {
    at(place)(io::Error::new(kind, message))
}

/// Creates a directory that only its owner can enter, and its missing parents, durably.
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

/// Creates a directory that only its owner can enter.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options that create files which only their owner can read.
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Removes write permission from everyone but the owner of a file or directory, because a user who can write
/// it can have commands executed.
///
/// # Errors
///
/// If another user owns it, so that its mode cannot be changed.
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
            let message = "other users can write it, and only its owner can change that: ask the owner to run \
                           `chmod -R go-w` on it, or use a store that you own";
            std::fs::set_permissions(path, tightened).map_err(|error| match error.kind() {
                // Such a file is not safe to read either: its content may come from another user.
                io::ErrorKind::PermissionDenied => fault(path, io::ErrorKind::Other, message),
                _ => at(path)(error),
            })?;
            tracing::warn!(path = %path.display(), "removed write permission for other users");
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes changes of directory entries durable: created, renamed and removed files.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    // Only Unix can open a directory to sync it; on other platforms entries are durable with the files.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// Takes an exclusive lock on a file; `false` if another process holds it.
pub(crate) fn lock(file: &File) -> io::Result<bool> {
    // A process that only checks the lock takes a shared lock for a moment; it is not a holder.
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

/// Waits for the lock of a file that other processes hold briefly. Times out, because such a process may be
/// suspended.
pub(crate) fn take_turn(file: &File) -> io::Result<()> {
    for _ in 0..1_000 {
        if lock(file)? {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(2));
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds the lock"))
}
