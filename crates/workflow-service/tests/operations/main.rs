//! Every operation: success, and each way in which it can fail, by name and JSON.
#![cfg(all(feature = "http", feature = "stdio"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails is to say where")]

mod bindings;
mod broken;
mod callers;
mod catalog;
mod compare;
mod edits;
mod failing;
mod fixes;
mod graph;
mod history;
mod host;
mod http;
#[cfg(feature = "mcp")]
mod mcp;
mod parts;
mod report;
mod site;
mod start;
mod system;
mod table;
mod transfer;
#[cfg(unix)]
mod worktrees;
