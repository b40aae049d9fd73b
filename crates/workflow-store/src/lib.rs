//! Where runs are kept, where definitions come from, and where events go.
//!
//! - [`MemoryStore`] keeps runs in memory: for tests, and for hosts whose runs may end with them.

mod memory;
mod order;
mod sync;
mod watchers;

pub use memory::MemoryStore;
