//! Command lines as providers, tested with real processes, which are looked for in `/proc`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/call.rs"]
mod call;
#[path = "../common/mod.rs"]
mod common;
mod environment;
mod failure;
mod large;
mod leftovers;
mod output;
mod processes;
mod reclaim;
mod stop;
mod suite;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use call::{Call, eventually, unique_run};
use common::Said;
use serde_json::Value;
use workflow_core::provider::{CallRequest, ProviderError, Reply};
use workflow_providers::CommandProvider;

/// A provider with a short grace period.
fn provider() -> CommandProvider {
    CommandProvider::builder().grace(Duration::from_millis(200)).build()
}

fn request(prompt: &str, options: Value) -> CallRequest {
    common::request(&unique_run(), prompt, options)
}

const HOST_OF: &str = "TEST_HOST_OF";

/// Runs the test `name` again, in a separate process that acts as a host. There [`host_of`] returns its
/// arguments.
fn start_host(name: &str, run: &str, file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(HOST_OF, format!("{run} {}", file.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// In a process that [`start_host`] has started: its run, and the file.
fn host_of() -> Option<(String, String)> {
    let host = std::env::var(HOST_OF).ok()?;
    host.split_once(' ').map(|(run, file)| (run.to_owned(), file.to_owned()))
}

/// A complete call with these options.
fn call(prompt: &str, options: Value) -> (Result<Reply, ProviderError>, Arc<Said>) {
    let call = Call::start(&provider(), request(prompt, options));
    (call.end(), call.said.clone())
}

/// The output of a call that succeeds.
fn output(prompt: &str, options: Value) -> Value {
    call(prompt, options).0.unwrap().output.value()
}
