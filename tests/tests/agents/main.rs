//! The vendors' real command lines, driven through their providers with the fake model APIs.
//!
//! They are not part of `cargo test`, because they need installed programs: `cargo xtask test-agents`
//! installs them and runs the tests. Either all tests run or none; no test skips itself.
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

mod acp;
mod calls;
mod cli;
mod denied;
mod failures;
mod rig;
mod runs;
mod services;
mod stopping;
mod together;
mod watched;
