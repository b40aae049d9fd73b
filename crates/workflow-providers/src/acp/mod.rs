//! Agents that speak the Agent Client Protocol (ACP) on their standard streams.
//!
//! `session`: the conversation, without any I/O. `call`: the program that it is held with.

mod asking;
mod builder;
mod call;
mod options;
mod permission;
mod provider;
#[cfg(feature = "fuzzing")]
mod replay;
mod rpc;
mod session;

pub use self::builder::AcpBuilder;
pub use self::provider::AcpProvider;
#[cfg(feature = "fuzzing")]
pub(crate) use self::replay::read;
