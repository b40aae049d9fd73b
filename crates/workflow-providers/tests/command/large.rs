//! Unlimited output, in bounded memory.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::executor::block_on;
use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallHost, CallId, Provider as _, ProviderError, Reply, SessionLost,
};
use workflow_core::stop::StopSource;
use workflow_providers::CommandProvider;

use super::request;

const MEBIBYTE: u64 = 1024 * 1024;

/// Counts the output, like a host that drops entries.
#[derive(Default)]
struct Counting {
    entries: AtomicU64,
    bytes: AtomicU64,
    longest: AtomicU64,
}

impl CallHost for Counting {
    fn output(&self, _: &CallId, _: OutputKind, text: String) {
        self.entries.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(text.len() as u64, Ordering::SeqCst);
        self.longest.fetch_max(text.len() as u64, Ordering::SeqCst);
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }

    fn record_session<'a>(&'a self, _: &'a CallId, _: &'a str) -> BoxFuture<'a, Result<(), SessionLost>> {
        ready(Ok(())).boxed()
    }
}

/// Calls a command that prints this many bytes.
fn print(
    bytes: u64,
    provider: &CommandProvider,
    format: &str,
) -> (Result<Reply, ProviderError>, Arc<Counting>) {
    let script = "head -c \"$1\" /dev/zero | tr '\\0' x";
    let request = request("", json!({ "command": ["sh", "-c", script, "sh", bytes], "output": format }));
    let host = Arc::new(Counting::default());
    let context = CallContext::new(request.id.clone(), StopSource::new().signal(), host.clone());
    (block_on(provider.call(request, context)), host)
}

fn text(reply: &Reply) -> String {
    match reply.output.value() {
        Value::String(text) => text,
        other => panic!("{other}"),
    }
}

/// The peak memory of this process, in bytes.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn a_gibibyte_is_heard_to_its_end_and_only_its_end_is_kept() {
    let (result, host) = print(1024 * MEBIBYTE, &CommandProvider::new(), "text");

    let text = text(&result.unwrap());
    assert!(serde_json::to_string(&text).unwrap().len() as u64 <= 8 * MEBIBYTE);
    let (mark, tail) = text.split_once('\n').unwrap();
    let left_out = 1024 * MEBIBYTE - tail.len() as u64;
    assert_eq!(mark, format!("[… {left_out} bytes left out …]"));
    assert!(tail.len() as u64 > 8 * MEBIBYTE - 200 && tail.bytes().all(|byte| byte == b'x'));
    assert_eq!(host.bytes.load(Ordering::SeqCst), 1024 * MEBIBYTE);
    assert_eq!(host.longest.load(Ordering::SeqCst), 64 * 1024);
    assert_eq!(host.entries.load(Ordering::SeqCst), 16 * 1024);
    assert!(peak_memory() < 128 * MEBIBYTE, "{} bytes", peak_memory());
}

#[test]
fn json_cannot_be_cut() {
    let provider = CommandProvider::builder().max_output(1000).build();
    for format in ["json", "json-lines"] {
        let failure = *print(1001, &provider, format).0.unwrap_err().failure;
        assert_eq!(failure.class, FailureClass::Permanent);
        assert_eq!(
            failure.message,
            "the output is longer than 1000 bytes, and JSON cannot be cut; print less, or `output: text`"
        );
    }
    let failure = *print(1000, &provider, "json").0.unwrap_err().failure;
    assert_eq!(failure.class, FailureClass::InvalidOutput);
}
