//! Agents as providers, tested with a fake one: a script with Claude Code's output format that behaves like
//! real agents at their worst. Processes that it leaves are looked for in `/proc`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/call.rs"]
mod call;
#[path = "../common/mod.rs"]
mod common;
#[path = "../command/processes.rs"]
#[allow(dead_code, reason = "commands are asked more")]
mod processes;

mod limits;
mod replay;
mod said;
mod stopped;
mod truth;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use call::{Call, DEADLINE, eventually, unique_run};
use common::Said;
use serde_json::{Value, json};
use tempfile::TempDir;
use workflow_core::provider::{ProviderError, Reply};
use workflow_providers::ClaudeCodeProvider;

/// The first record, a piece of an answer, and the last record.
const BEGIN: &str = r#"{"type":"system","subtype":"init","session_id":"s1"}"#;
const END: &str = r#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s1","num_turns":1,"usage":{"input_tokens":3,"output_tokens":2},"total_cost_usd":0.5}"#;

/// A fake agent.
struct Agent {
    folder: TempDir,
    program: PathBuf,
}

impl Agent {
    /// An agent that runs a shell script; `$BEGIN` and `$END` are its first and its last record.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("claude");
        fs::write(&program, format!("#!/bin/sh\nBEGIN='{BEGIN}'\nEND='{END}'\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, program }
    }

    /// A provider with a short grace period and this idle limit.
    fn provider(&self, patience: Duration) -> ClaudeCodeProvider {
        let builder = ClaudeCodeProvider::builder().program(&self.program).work_root(self.folder.path());
        builder
            .env("AGENT_API_KEY", "key-to-be-hidden")
            .grace(Duration::from_millis(400))
            .patience(patience)
            .build()
    }

    fn start(&self) -> Call {
        self.start_with(DEADLINE, json!({}))
    }

    fn start_with(&self, patience: Duration, options: Value) -> Call {
        Call::start(&self.provider(patience), common::request(&unique_run(), "say hello", options))
    }

    /// A complete call.
    fn call(&self) -> (Result<Reply, ProviderError>, Arc<Said>) {
        let call = self.start();
        (call.end(), call.said.clone())
    }
}

/// The reason in a failure's details.
fn reason(error: &ProviderError) -> &str {
    let reason = error.failure.details.as_ref().and_then(|details| details["reason"].as_str());
    reason.unwrap_or_else(|| panic!("no reason: {error:?}"))
}
