//! Options of a store in SQLite.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// Provides the time to a store.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a power failure can undo. With every option, the death of a process undoes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// Nothing: acknowledged data is on disk. Every commit waits for the disk.
    #[default]
    Full,
    /// The newest commits: those since SQLite's last checkpoint, which happens every 16 MB. The database
    /// stays consistent: a run continues from an earlier event, and a provider call that completed since is
    /// made again. Commits do not wait for the disk.
    Normal,
}

/// Options of a [`SqliteStore`](super::SqliteStore).
///
/// ```
/// use std::time::Duration;
/// use workflow_store::{SqliteOptions, Synchronous};
///
/// let options = SqliteOptions::new().synchronous(Synchronous::Normal).lease_time(Duration::from_secs(10));
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct SqliteOptions {
    pub(super) synchronous: Synchronous,
    pub(super) lease_time: Duration,
    pub(super) output_limit: usize,
    pub(super) busy_timeout: Duration,
    pub(super) read_only: bool,
    pub(super) new_id: Option<i64>,
    pub(super) clock: Clock,
}

impl SqliteOptions {
    /// The defaults: every commit is on disk, leases of 30 seconds, 16 MiB of output per run, 10 seconds of
    /// waiting for other processes, the system clock.
    pub fn new() -> Self {
        Self {
            synchronous: Synchronous::Full,
            lease_time: Duration::from_secs(30),
            output_limit: 16 << 20,
            busy_timeout: Duration::from_secs(10),
            read_only: false,
            new_id: None,
            clock: Arc::new(Timestamp::now),
        }
    }

    /// Sets what a power failure can undo.
    #[must_use]
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        Self { synchronous, ..self }
    }

    /// Sets how long a lease is valid unless it is renewed. This bounds how long a suspended process keeps
    /// its runs; those of a dead process can be claimed at once.
    #[must_use]
    pub fn lease_time(self, lease_time: Duration) -> Self {
        Self { lease_time, ..self }
    }

    /// Sets the approximate number of bytes of output that are kept of each run, the newest.
    #[must_use]
    pub fn output_limit(self, bytes: usize) -> Self {
        Self { output_limit: bytes, ..self }
    }

    /// Sets how long to wait for another process that is writing, before it is an error.
    #[must_use]
    pub fn busy_timeout(self, timeout: Duration) -> Self {
        Self { busy_timeout: timeout, ..self }
    }

    /// Opens an existing database, and writes nothing: this works for a database that this process cannot
    /// write, for example on a read-only file system. Methods that store something return an error. If the
    /// folder is not writable and no other process has the database open, it is read as a snapshot: later
    /// writes of other processes may not be seen.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// Sets the [id](super::SqliteStore::id) of the database, if it is created; the default is random. The
    /// highest bit is ignored.
    #[must_use]
    pub fn new_id(self, id: u64) -> Self {
        Self { new_id: Some((id & i64::MAX.cast_unsigned()).cast_signed()), ..self }
    }

    /// Sets the clock for the expiry of leases. All processes that use the database must use the same clock.
    #[must_use]
    pub fn clock(self, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions")
            .field("synchronous", &self.synchronous)
            .field("lease_time", &self.lease_time)
            .field("output_limit", &self.output_limit)
            .field("busy_timeout", &self.busy_timeout)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}
