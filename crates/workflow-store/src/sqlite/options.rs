//! What a host can choose of a store in SQLite.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// Tells a store the time.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a power failure can take back. Whatever is chosen, the death of a process takes back nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Synchronous {
    /// Nothing: what was acknowledged is on the disk. Every commit waits for the disk.
    #[default]
    Full,
    /// The newest commits: those since SQLite last wrote its log back, which it does after 16 MB. What is left
    /// is whole: a run goes on from an earlier event, and a provider that had answered since is called
    /// again. Commits do not wait for the disk.
    Normal,
}

/// What a host can choose of a [`SqliteStore`](super::SqliteStore).
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
    /// Every commit on the disk, leases of 30 seconds, 16 MiB of output per run, 10 seconds of waiting for
    /// other processes, the clock of the system.
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

    /// What a power failure can take back.
    #[must_use]
    pub fn synchronous(self, synchronous: Synchronous) -> Self {
        Self { synchronous, ..self }
    }

    /// How long a lease is good unless it is renewed. It bounds how long the runs of a process stay held
    /// that has been stopped and lives; those of one that has died are free at once.
    #[must_use]
    pub fn lease_time(self, lease_time: Duration) -> Self {
        Self { lease_time, ..self }
    }

    /// About how many bytes of the newest output of a run are kept.
    #[must_use]
    pub fn output_limit(self, bytes: usize) -> Self {
        Self { output_limit: bytes, ..self }
    }

    /// How long to wait for another process that is writing, before it is an error.
    #[must_use]
    pub fn busy_timeout(self, timeout: Duration) -> Self {
        Self { busy_timeout: timeout, ..self }
    }

    /// Opens a database that exists, and writes nothing: also one that this process cannot write, as on a read-only
    /// mount. Methods that store something return an error. Where the folder cannot be written and no other process
    /// has the database open, it is read as it is: what others write to it from then on may not be seen.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { read_only: true, ..self }
    }

    /// The [id](super::SqliteStore::id) of the database, if it is made; a random one unless set. The highest bit is left
    /// out.
    #[must_use]
    pub fn new_id(self, id: u64) -> Self {
        Self { new_id: Some((id & i64::MAX.cast_unsigned()).cast_signed()), ..self }
    }

    /// What tells the time that leases run out by. All who use the database have to go by the same one.
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
