//! Where runs are kept, where definitions come from, and where events go.
//!
//! - [`MemoryStore`] keeps runs in memory: for tests, and for hosts whose runs may end with them.
//! - [`FileStore`] keeps runs as files that a person can read, and survives crashes (feature
//!   `files`).
//! - [`FsCatalog`] keeps definitions as the files that people edit (feature `files`).

#[cfg(feature = "files")]
mod catalog;
#[cfg(feature = "files")]
mod disk;
#[cfg(feature = "files")]
mod files;
#[cfg(feature = "files")]
mod sync;
#[cfg(feature = "files")]
mod worker;

#[cfg(feature = "files")]
pub use catalog::FsCatalog;
#[cfg(feature = "files")]
pub use files::FileStore;
pub use workflow_core::store::MemoryStore;
