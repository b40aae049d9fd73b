//! Files and directories: private ones, locked ones, and making what was done to them last.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use workflow_core::store::StoreError;

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

/// Makes the names in a directory last: files created in it, renamed into it, removed from it.
pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    // Only Unix lets a directory be opened; elsewhere names last with the files.
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// What kind of file is replaced.
#[cfg(feature = "files")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Private, and known from elsewhere too: a crash may take it.
    Derived,
    /// Private.
    Private,
    /// A person's: it keeps its permissions.
    Personal,
}

/// Replaces the file at `path`, or creates it: readers see the old bytes or the new ones.
/// `temporary` is in the same directory, and is nobody else's.
#[cfg(feature = "files")]
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

/// How the names begin of what is not finished, or half removed. No id begins so.
#[cfg(feature = "files")]
pub(crate) const UNFINISHED: &str = ".tmp-";

/// A name for something unfinished that no other thread or process uses.
#[cfg(feature = "files")]
pub(crate) fn unfinished(name: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{UNFINISHED}{name}-{}-{count}", std::process::id())
}

/// The name of this machine, where the system tells it.
pub(crate) fn host_name() -> Option<String> {
    let name = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .or_else(|| std::env::var("COMPUTERNAME").ok())?;
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(64).collect();
    (!name.is_empty()).then_some(name)
}
