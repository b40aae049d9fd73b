//! Sinks for events: none of them blocks the run.

mod channel;
mod jsonl;
mod log;

pub use channel::{ChannelSink, Notice, Notices};
pub use jsonl::JsonlSink;
pub use log::TracingSink;
