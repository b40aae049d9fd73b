//! Stores for runs, catalogs of definitions, and sinks for events.
//!
//! - [`MemoryStore`] keeps runs in memory: for tests, and for hosts whose runs need not outlive the process.
//! - [`FileStore`] keeps runs as readable files, and survives crashes (feature `files`).
//! - [`SqliteStore`] keeps runs in an SQLite database: the store for hosts on one machine (feature `sqlite`).
//! - [`PostgresStore`] keeps runs in a PostgreSQL database, for any number of machines (feature `postgres`).
//! - [`FsCatalog`] keeps definitions as files that users edit (feature `files`).
//! - [`ChannelSink`], [`JsonlSink`] and [`TracingSink`] send events to a task of the host, to a file or pipe,
//!   and to its log.

#[cfg(feature = "files")]
mod catalog;
#[cfg(any(feature = "files", feature = "sqlite"))]
mod disk;
#[cfg(feature = "files")]
mod files;
#[cfg(any(feature = "files", feature = "postgres", feature = "sqlite"))]
mod host;
mod job_thread;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod labels;
#[cfg(feature = "postgres")]
mod postgres;
mod sinks;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "files", feature = "postgres", feature = "sqlite"))]
mod status;
mod sync;

#[cfg(feature = "files")]
pub use catalog::{Folders, FsCatalog};
#[cfg(feature = "files")]
pub use files::{FileStore, ForeignRun, foreign_runs};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresOptions, PostgresStore};
pub use sinks::{ChannelSink, JsonlSink, Notice, Notices, TracingSink};
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteOptions, SqliteStore, Synchronous};
#[cfg(any(feature = "files", feature = "postgres", feature = "sqlite"))]
pub use status::StoreStatus;
pub use workflow_core::store::MemoryStore;
