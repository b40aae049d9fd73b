//! The driver of an embeddable workflow engine.

mod active;
mod builder;
mod driver;
mod engine;
mod error;
mod handle;
mod limits;
mod redact;
mod runtime;
mod start;

pub use builder::EngineBuilder;
pub use engine::Engine;
pub use error::EngineError;
pub use handle::RunHandle;
pub use limits::{Limits, Place};
#[cfg(feature = "tokio")]
pub use runtime::Tokio;
pub use runtime::{Clock, Spawn, SystemClock, ThreadTimer, Timer};
pub use start::StartRun;
