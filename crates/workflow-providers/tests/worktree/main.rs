//! Runs that work in git worktrees of their own, with real repositories.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod clean_up;
mod configuration;
mod crashes;
mod folders;
mod nested;
mod replaced;
mod repository;
mod suite;
mod trouble;
