//! Agents: the vendors' command lines, running unattended.
//!
//! The common parts are in `provider` and `call`; a module per agent has the differences, which [`cli`]
//! defines.

pub(crate) mod abilities;
mod answer;
pub(crate) mod builder;
pub(crate) mod call;
mod capabilities;
mod checkup;
pub(crate) mod cli;
pub(crate) mod escapes;
pub(crate) mod prompt;
mod provider;
pub(crate) mod records;
mod scratch;
pub(crate) mod secrets;
pub(crate) mod transcript;

#[cfg(feature = "claude-code")]
pub(crate) mod claude_code;
#[cfg(feature = "codex")]
pub(crate) mod codex;
#[cfg(all(test, feature = "claude-code", feature = "codex", feature = "gemini", feature = "grok"))]
mod fixtures;
#[cfg(feature = "gemini")]
pub(crate) mod gemini;
#[cfg(feature = "grok")]
pub(crate) mod grok;

pub use self::abilities::{Capabilities, Cost, Permissions, SchemaBy, TextIn, UsageOf};
pub use self::builder::AgentBuilder;
pub use self::provider::AgentProvider;
pub use workflow_core::provider::Checkup;
