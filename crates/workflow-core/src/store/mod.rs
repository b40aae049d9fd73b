//! The trait of run stores, and the data that they keep.

mod control;
mod error;
mod filter;
mod forward;
mod limit;
mod memory;
mod notice;
pub mod order;
mod output_filter;
mod pairs;
mod record;
mod run_store;
mod signal;
mod sync;
mod text;
mod watchers;
pub mod window;

pub use crate::slot::{RunSlot, SlotMode};
pub use control::{Answer, Control, ControlRecord, ControlRequest};
pub use error::StoreError;
pub use filter::RunFilter;
pub use limit::{InvalidLimit, LabelLimit, Room};
pub use memory::MemoryStore;
pub use notice::{NoticeClaim, NoticeId};
pub use output_filter::{OutputFilter, OutputWindow};
pub use record::{Lease, NewRun, RunHead, RunProgress, RunRecord};
pub use run_store::RunStore;
pub use signal::{InvalidSignal, Signal};
pub use watchers::{Watcher, Watchers, Watching};
