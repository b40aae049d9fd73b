//! Where events go: none of these holds up the run that they come from.

mod channel;
mod jsonl;
mod log;

pub use channel::{ChannelSink, Notice, Notices};
pub use jsonl::JsonlSink;
pub use log::TracingSink;
