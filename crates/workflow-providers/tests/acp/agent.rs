//! An agent that is a script: it answers each method with the lines of a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use futures::executor::block_on;
use serde_json::{Value, json};
use tempfile::TempDir;
use workflow_core::provider::{CallRequest, Provider as _, ProviderError, Reply};
use workflow_providers::AcpProvider;

use crate::common::{self, Said};

/// Appends what it is asked to the file `asked`, and prints the file that is named like the method.
const SCRIPT: &str = r#"#!/bin/sh
while read -r line; do
    printf '%s\n' "$line" >> asked
    case $line in
        *'"method":"initialize"'*) file=initialize ;;
        *'"method":"session/new"'* | *'"method":"session/load"'* | *'"method":"session/resume"'*) file=open ;;
        *'"method":"_workflow/is_ready"'*) ready=$((ready + 1)); file=ready$ready ;;
        *'"method":"session/set_mode"'*) file=mode ;;
        *'"method":"session/prompt"'*) file=prompt ;;
        *'"method":"session/cancel"'*) file=cancel ;;
        *) file=answered ;;
    esac
    if [ -e "$file" ]; then cat "$file"; fi
    if [ -e "$file.exit" ]; then exit 3; fi
    if [ -e "$file.hang" ]; then sleep 600; fi
done
"#;

pub(crate) fn initialized() -> Value {
    json!({ "id": 1, "result": {
        "protocolVersion": 1,
        "agentCapabilities": { "loadSession": true },
        "agentInfo": { "name": "scripted", "version": "1.0" },
        "authMethods": [{ "id": "key", "name": "an API key" }],
    } })
}

pub(crate) fn opened() -> Value {
    json!({ "id": 2, "result": { "sessionId": "s-1" } })
}

pub(crate) fn update(update: &Value) -> Value {
    json!({ "method": "session/update", "params": { "sessionId": "s-1", "update": update } })
}

pub(crate) fn says(text: &str) -> Value {
    update(&json!({ "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": text } }))
}

pub(crate) fn ends(reason: &str) -> Value {
    json!({ "id": 3, "result": { "stopReason": reason } })
}

/// What agents answer to a request that they do not know.
pub(crate) fn unknown(id: u64) -> Value {
    json!({ "id": id, "error": { "code": -32601, "message": "Method not found" } })
}

pub(crate) struct Agent {
    pub(crate) folder: TempDir,
}

impl Agent {
    /// An agent that answers `prompt` with these messages.
    pub(crate) fn new(prompt: &[Value]) -> Self {
        let agent = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(agent.path("agent"), SCRIPT).unwrap();
        fs::set_permissions(agent.path("agent"), fs::Permissions::from_mode(0o755)).unwrap();
        agent.answers("initialize", &[initialized()]).answers("open", &[opened()]).answers("prompt", prompt)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sets what it prints for a method.
    pub(crate) fn answers(self, method: &str, messages: &[Value]) -> Self {
        let lines: Vec<_> = messages.iter().map(|message| format!("{message}\n")).collect();
        self.prints(method, &lines.concat())
    }

    pub(crate) fn prints(self, method: &str, text: &str) -> Self {
        fs::write(self.path(method), text).unwrap();
        self
    }

    /// It exits after that method, or hangs.
    pub(crate) fn then(self, method: &str, what: &str) -> Self {
        self.prints(&format!("{method}.{what}"), "")
    }

    pub(crate) fn provider(&self) -> AcpProvider {
        AcpProvider::builder().work_root(self.folder.path()).build()
    }

    pub(crate) fn request(&self, more: &Value) -> CallRequest {
        let mut options = json!({ "command": [self.path("agent")] });
        for (name, value) in more.as_object().into_iter().flatten() {
            options[name] = value.clone();
        }
        common::request(&crate::call::unique_run(), "Say hello.", options)
    }

    pub(crate) fn call(&self, request: CallRequest) -> (Result<Reply, ProviderError>, Arc<Said>) {
        let (context, said, _stop) = common::context(&request);
        let run = request.id.run.to_string();
        let result = block_on(self.provider().call(request, context));
        assert_eq!(crate::processes::of_run(&run), Vec::<i32>::new(), "processes outlived the call");
        (result, said)
    }

    pub(crate) fn run(&self, more: &Value) -> (Result<Reply, ProviderError>, Arc<Said>) {
        self.call(self.request(more))
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path("asked")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn reason(&self, more: &Value) -> String {
        let error = self.run(more).0.unwrap_err();
        assert!(!error.failure.message.is_empty());
        error.failure.details.unwrap()["reason"].as_str().unwrap().to_owned()
    }
}
