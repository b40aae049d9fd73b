//! Agents that speak ACP: a scripted one, and one of the official crate.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]
#![cfg(test)]

mod agent;
#[path = "../common/call.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod call;
#[path = "../common/mod.rs"]
mod common;
mod conversation;
mod failures;
mod official;
mod permissions;
#[path = "../command/processes.rs"]
#[allow(dead_code, reason = "not all of it is used here")]
mod processes;
mod stopping;
mod suite;
