//! Providers of an embeddable workflow engine: they execute the nodes.
//!
//! - [`FunctionProvider`]: a closure of the host.
//! - `DemoProvider` (feature `demo`): calls no service, for trying workflows.
//! - `HttpProvider` (feature `http`): requests to services.
//! - `ModelProvider` (feature `model`): calls of a model, without any program.
//! - `CommandProvider` (feature `process`, Unix): a command line, stopped with all processes that it started.
//! - `ClaudeCodeProvider`, `CodexProvider`, `GeminiProvider`, `GrokProvider` (one feature each, Unix):
//!   agents.
//! - `AcpProvider` (feature `acp`, Unix): every agent that speaks the Agent Client Protocol.
//! - `Program` (feature `program`, Unix): not a provider, but a program that belongs to no run.
//! - `Worktrees` (feature `worktree`, Unix): wraps other providers, so that a run works in its own git
//!   worktree.

#[cfg(all(feature = "acp", unix))]
mod acp;
mod blocking;
#[cfg(feature = "client")]
#[cfg_attr(not(all(feature = "http", feature = "model")), allow(dead_code, unused_imports))]
mod client;
#[cfg(feature = "demo")]
mod demo;
#[cfg(any(feature = "client", all(feature = "agent", unix)))]
#[cfg_attr(
    not(all(feature = "agent", feature = "http", feature = "model")),
    allow(dead_code, unused_imports)
)]
mod failure;
mod function;
#[cfg(all(feature = "fuzzing", unix))]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "model")]
mod model;
#[cfg(any(feature = "client", feature = "demo", all(feature = "process", unix)))]
#[cfg_attr(not(all(feature = "agent", feature = "http")), allow(dead_code))]
mod options;
#[cfg(any(feature = "model", all(feature = "agent", unix)))]
mod prompt;
#[cfg(any(feature = "http", feature = "model", all(feature = "process", unix)))]
mod text;
mod threads;

#[cfg(all(feature = "acp", unix))]
pub use acp::{AcpBuilder, AcpProvider};
#[cfg(feature = "client")]
pub use client::{InvalidHost, Network};
#[cfg(feature = "demo")]
pub use demo::DemoProvider;
pub use function::FunctionProvider;
#[cfg(feature = "http")]
pub use http::{HttpBuilder, HttpProvider};
#[cfg(feature = "model")]
pub use model::{ModelBuilder, ModelProvider, Price};

#[cfg(all(feature = "process", not(unix)))]
compile_error!("the feature `process` of workflow-providers needs Unix: it stops processes by their group");

#[cfg(all(feature = "process", unix))]
mod command;
#[cfg(all(feature = "process", unix))]
mod directory;
#[cfg(all(feature = "process", unix))]
mod environment;
#[cfg(all(feature = "process", unix))]
mod lines;
#[cfg(all(feature = "process", unix))]
mod process;
#[cfg(all(feature = "process", unix))]
mod program;
#[cfg(all(feature = "process", unix))]
mod tail;

#[cfg(all(feature = "process", unix))]
pub use command::{CommandBuilder, CommandProvider};
#[cfg(all(feature = "process", unix))]
pub use process::{SuspendedCalls, suspend_calls, working_time};

#[cfg(all(feature = "program", unix))]
mod standalone;
#[cfg(all(feature = "program", unix))]
pub use standalone::{Program, ProgramEnd};

#[cfg(all(feature = "worktree", unix))]
mod worktree;
#[cfg(all(feature = "worktree", unix))]
pub use worktree::{Changes, Commit, FileChange, InWorktree, Worktree, Worktrees, WorktreesBuilder};

// Each agent uses only a part of the common code.
#[cfg(all(feature = "agent", unix))]
#[cfg_attr(
    not(all(feature = "claude-code", feature = "codex", feature = "gemini", feature = "grok")),
    allow(dead_code)
)]
mod agent;

#[cfg(all(feature = "agent", unix))]
pub use agent::{
    AgentBuilder, AgentProvider, Capabilities, Checkup, Cost, Permissions, SchemaBy, TextIn, UsageOf,
};

/// Drives Claude Code, `claude -p`.
#[cfg(all(feature = "claude-code", unix))]
pub type ClaudeCodeProvider = AgentProvider<agent::claude_code::ClaudeCode>;
/// Drives Codex, `codex exec`.
#[cfg(all(feature = "codex", unix))]
pub type CodexProvider = AgentProvider<agent::codex::Codex>;
/// Drives Gemini CLI, `gemini`.
#[cfg(all(feature = "gemini", unix))]
pub type GeminiProvider = AgentProvider<agent::gemini::Gemini>;
/// Drives Grok, `grok`, of xAI.
#[cfg(all(feature = "grok", unix))]
pub type GrokProvider = AgentProvider<agent::grok::Grok>;
