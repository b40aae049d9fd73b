//! The registration of a store that drives runs: its expiry, and the lock that ends with its process.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::disk::{lock, private};

/// The registration of this store as a holder.
#[derive(Debug, Clone)]
pub(super) struct Registration {
    pub(super) id: i64,
    pub(super) expires: i64,
    /// Whether leases were lost since the last renewal, and no driver was told.
    pub(super) untold: bool,
    pub(super) name: Arc<str>,
    pub(super) _lock: Arc<LockFile>,
}

#[derive(Debug)]
pub(super) struct LockFile {
    path: PathBuf,
    _file: File,
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // If this fails, another process finds later that the file is not locked.
        let _ = fs::remove_file(&self.path);
    }
}

impl LockFile {
    /// A name is never used twice, so removing a file by name never removes another store's file.
    pub(super) fn create(directory: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let path = directory.join(format!("{}-{time:x}-{count}", std::process::id()));
        let file = private().write(true).create_new(true).open(&path)?;
        if lock(&file)? {
            Ok(Self { path, _file: file })
        } else {
            Err(io::Error::other("another process locked a new file"))
        }
    }

    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Whether a living process has the lock of that file. If the system cannot tell, the answer is yes.
fn is_locked(path: &Path) -> bool {
    match File::open(path).map(|file| file.try_lock_shared()) {
        Ok(Ok(())) => false,
        Ok(Err(TryLockError::WouldBlock | TryLockError::Error(_))) => true,
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Whether the holder of such a row is dead or its leases have expired.
pub(super) fn is_dead(holders: &Path, lock: &str, expires: i64, now: i64) -> bool {
    expires <= now || !is_locked(&holders.join(lock))
}
