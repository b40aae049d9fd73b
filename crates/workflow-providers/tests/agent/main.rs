//! Agents as providers, shown with a made-up one: a script that speaks as Claude Code does, and does what real ones
//! were seen to do at their worst. What it leaves is looked for in `/proc`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../command/processes.rs"]
#[allow(dead_code, reason = "commands are asked more")]
mod processes;

mod said;
mod stopped;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use common::Said;
use futures::channel::oneshot;
use futures::executor::block_on;
use futures::future::{Either, select};
use serde_json::{Value, json};
use tempfile::TempDir;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallRequest, Provider as _, ProviderError, Reply};
use workflow_core::stop::StopSource;
use workflow_providers::ClaudeCodeProvider;

/// No test waits for longer: what takes longer hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// The first record, a piece of an answer, and the last record.
const BEGIN: &str = r#"{"type":"system","subtype":"init","session_id":"s1"}"#;
const END: &str = r#"{"type":"result","subtype":"success","is_error":false,"result":"done","session_id":"s1","num_turns":1,"usage":{"input_tokens":3,"output_tokens":2},"total_cost_usd":0.5}"#;

/// A made-up agent.
struct Agent {
    folder: TempDir,
    program: PathBuf,
}

impl Agent {
    /// One that does what a script of the shell says; `$BEGIN` and `$END` are its first record and its last.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("claude");
        fs::write(&program, format!("#!/bin/sh\nBEGIN='{BEGIN}'\nEND='{END}'\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, program }
    }

    /// A provider that gives it little time, and so much patience.
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

    /// A whole call.
    fn call(&self) -> (Result<Reply, ProviderError>, Arc<Said>) {
        let call = self.start();
        (call.end(), call.said.clone())
    }
}

/// A run id that no other test has, so that processes can be told apart.
fn unique_run() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("agent-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst))
}

/// Waits until `condition` holds.
fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + DEADLINE;
    while !condition() {
        assert!(Instant::now() < until, "it never happened: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A call under way on a thread of its own.
struct Call {
    run: String,
    said: Arc<Said>,
    stop: StopSource,
    drop: Option<oneshot::Sender<()>>,
    result: mpsc::Receiver<Option<Result<Reply, ProviderError>>>,
}

impl Call {
    fn start(provider: &ClaudeCodeProvider, request: CallRequest) -> Self {
        let (context, said, stop) = common::context(&request);
        let (drop, dropped) = oneshot::channel();
        let (send, result) = mpsc::channel();
        let (run, provider) = (request.id.run.to_string(), provider.clone());
        thread::spawn(move || {
            let ended = match block_on(select(provider.call(request, context), dropped)) {
                Either::Left((result, _)) => Some(result),
                Either::Right(_) => None,
            };
            send.send(ended).unwrap();
        });
        Self { run, said, stop, drop: Some(drop), result }
    }

    /// Waits until the agent has said something that is no record and starts with `text`, and returns it.
    fn wait_for(&self, text: &str) -> String {
        let mut found = None;
        eventually(text, || {
            found = self.said.of(OutputKind::Log).into_iter().find(|line| line.starts_with(text));
            found.is_some()
        });
        found.unwrap()
    }

    /// Drops the future of the call.
    fn drop_future(&mut self) {
        self.drop.take().unwrap().send(()).unwrap();
        assert!(self.result.recv_timeout(DEADLINE).unwrap().is_none(), "the call was still under way");
    }

    /// Waits for the result, and sees that no process of the call outlived it.
    fn end(&self) -> Result<Reply, ProviderError> {
        let result = self.result.recv_timeout(DEADLINE).unwrap().unwrap();
        assert_eq!(processes::of_run(&self.run), Vec::<i32>::new(), "processes outlived the call");
        result
    }
}

/// The reason that a failure names.
fn reason(error: &ProviderError) -> &str {
    let reason = error.failure.details.as_ref().and_then(|details| details["reason"].as_str());
    reason.unwrap_or_else(|| panic!("no reason: {error:?}"))
}
