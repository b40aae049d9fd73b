//! The four agents, each played by a script that replays a stream.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use futures::executor::block_on;
use futures::future::{BoxFuture, FutureExt as _, ready};
use jiff::Timestamp;
use serde_json::{Value, json};
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallHost, CallId, CallRequest, Provider, ProviderError, Reply, SessionLost,
};
use workflow_core::stop::StopSource;
use workflow_providers::{ClaudeCodeProvider, CodexProvider, GeminiProvider, GrokProvider};

use super::call::unique_run;
use super::common::{self, Said};

/// When all calls are made: 14:00 in Berlin, which is the zone of the agents.
pub(crate) const NOW: &str = "2026-07-15T12:00:00Z";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cli {
    Claude,
    Codex,
    Gemini,
    Grok,
}

pub(crate) const ALL: [Cli; 4] = [Cli::Claude, Cli::Codex, Cli::Gemini, Cli::Grok];

/// What an agent does in a call.
#[derive(Debug, Default, Clone)]
pub(crate) struct Stream {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

/// The result of a call, its output, and what the agent read.
pub(crate) struct Played {
    pub(crate) result: Result<Reply, ProviderError>,
    pub(crate) said: Arc<Said>,
    pub(crate) prompt: String,
}

impl Played {
    pub(crate) fn logs(&self) -> Vec<String> {
        self.said.of(OutputKind::Log)
    }

    pub(crate) fn detail(&self, name: &str) -> Value {
        let error = self.result.as_ref().unwrap_err();
        error.failure.details.as_ref().and_then(|details| details.get(name)).cloned().unwrap_or_default()
    }
}

/// A host whose clock stands still.
struct At(Arc<Said>);

impl CallHost for At {
    fn output(&self, call: &CallId, kind: OutputKind, text: String) {
        self.0.output(call, kind, text);
    }

    fn now(&self) -> Timestamp {
        NOW.parse().unwrap()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        self.0.sleep(duration)
    }

    fn record_session<'a>(&'a self, _: &'a CallId, _: &'a str) -> BoxFuture<'a, Result<(), SessionLost>> {
        ready(Ok(())).boxed()
    }
}

/// A request of a run of its own: the processes of a run are found by its id.
pub(crate) fn request(prompt: &str, options: Value) -> CallRequest {
    common::request(&unique_run(), prompt, options)
}

/// Makes a call of an agent that replays this stream.
pub(crate) fn play(cli: Cli, stream: &Stream) -> Played {
    play_with(cli, stream, request("say hello", json!({})))
}

pub(crate) fn play_with(cli: Cli, stream: &Stream, request: CallRequest) -> Played {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("stdout"), &stream.stdout).unwrap();
    fs::write(path("stderr"), &stream.stderr).unwrap();
    let script = format!(
        "#!/bin/sh\ncd \"$(dirname \"$0\")\"\ncat >prompt\ncat stderr >&2\ncat stdout\nexit {}\n",
        stream.code
    );
    fs::write(path("agent"), script).unwrap();
    fs::set_permissions(path("agent"), fs::Permissions::from_mode(0o755)).unwrap();
    macro_rules! provider {
        ($provider:ident) => {
            Box::new(
                $provider::builder()
                    .program(path("agent"))
                    .work_root(folder.path())
                    .env("TZ", "Europe/Berlin")
                    .env("HOME", folder.path())
                    .env("AGENT_API_KEY", "key-to-be-hidden")
                    .build(),
            )
        };
    }
    let provider: Box<dyn Provider> = match cli {
        Cli::Claude => provider!(ClaudeCodeProvider),
        Cli::Codex => provider!(CodexProvider),
        Cli::Gemini => provider!(GeminiProvider),
        Cli::Grok => provider!(GrokProvider),
    };
    let said = Arc::new(Said::default());
    let context =
        CallContext::new(request.id.clone(), StopSource::new().signal(), Arc::new(At(said.clone())));
    let result = block_on(provider.call(request, context));
    let prompt = fs::read_to_string(path("prompt")).unwrap_or_default();
    Played { result, said, prompt }
}

impl Stream {
    pub(crate) fn new(stdout: impl Into<String>, code: i32) -> Self {
        Self { stdout: stdout.into(), code, ..Self::default() }
    }

    pub(crate) fn stderr(self, stderr: impl Into<String>) -> Self {
        Self { stderr: stderr.into(), ..self }
    }
}

/// The stream of an agent whose service failed with this message.
pub(crate) fn failed(cli: Cli, message: &str) -> Stream {
    match cli {
        Cli::Claude => claude(
            &[json!({ "type": "result", "subtype": "success", "is_error": true, "result": message })],
            1,
        ),
        Cli::Codex => Stream::new(
            lines(&[
                json!({ "type": "thread.started", "thread_id": "t" }),
                json!({ "type": "turn.failed", "error": { "message": message } }),
            ]),
            1,
        ),
        Cli::Gemini => Stream::new(
            lines(&[
                json!({ "type": "init", "session_id": "s" }),
                json!({ "type": "result", "status": "error", "error": { "type": "unknown", "message": message } }),
            ]),
            1,
        ),
        Cli::Grok => Stream::new(lines(&[json!({ "type": "error", "message": message })]), 1),
    }
}

/// The stream of an agent that answers with these pieces.
pub(crate) fn answered(cli: Cli, pieces: &[&str]) -> Stream {
    let mut records = Vec::new();
    match cli {
        Cli::Claude => {
            let record = json!({ "type": "result", "subtype": "success", "is_error": false, "result": pieces.concat() });
            return claude(&[record], 0);
        }
        Cli::Codex => {
            records.push(json!({ "type": "thread.started", "thread_id": "t" }));
            let text = |text: &&str| json!({ "type": "item.completed", "item": { "type": "agent_message", "text": text } });
            records.extend(pieces.iter().map(text));
            records.push(
                json!({ "type": "turn.completed", "usage": { "input_tokens": 1, "output_tokens": 1 } }),
            );
        }
        Cli::Gemini => {
            records.push(json!({ "type": "init", "session_id": "s" }));
            let text = |text: &&str| json!({ "type": "message", "role": "assistant", "content": text, "delta": true });
            records.extend(pieces.iter().map(text));
            records.push(json!({ "type": "result", "status": "success", "stats": { "total_tokens": 2, "input_tokens": 1 } }));
        }
        Cli::Grok => {
            records.extend(pieces.iter().map(|text| json!({ "type": "text", "data": text })));
            records.push(json!({ "type": "end", "stopReason": "end_turn", "sessionId": "s" }));
        }
    }
    Stream::new(lines(&records), 0)
}

/// A stream of Claude Code with these records after its first.
pub(crate) fn claude(records: &[Value], code: i32) -> Stream {
    let begin = json!({ "type": "system", "subtype": "init", "session_id": "s" });
    Stream::new(lines(&[&[begin], records].concat()), code)
}

pub(crate) fn lines(records: &[Value]) -> String {
    records.iter().fold(String::new(), |lines, record| lines + &record.to_string() + "\n")
}
