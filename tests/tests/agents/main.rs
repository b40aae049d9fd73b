//! The vendors' real command lines, driven through their providers against the fake model API.
//!
//! They are no part of `cargo test`, because they take programs that have to be installed first:
//! `cargo xtask test-agents` does that, and runs them. They are run or not run as a whole; none skips itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

/// Makes a test of each of these functions for every command line.
macro_rules! for_every_cli {
    ($($case:ident),* $(,)?) => {
        mod claude_code { $(#[test] fn $case() { super::$case(crate::cli::Cli::ClaudeCode); })* }
        mod codex { $(#[test] fn $case() { super::$case(crate::cli::Cli::Codex); })* }
        mod gemini { $(#[test] fn $case() { super::$case(crate::cli::Cli::Gemini); })* }
        mod grok { $(#[test] fn $case() { super::$case(crate::cli::Cli::Grok); })* }
    };
}

mod calls;
mod cli;
mod denied;
mod failures;
mod rig;
mod runs;
mod stopping;
mod together;
mod watched;
