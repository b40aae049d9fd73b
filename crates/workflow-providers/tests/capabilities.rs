//! The docs of the agents match the code.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

#[allow(dead_code, reason = "little is asked here")]
mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use serde_json::json;
use workflow_core::provider::Provider as _;
use workflow_providers::{
    AcpProvider, Capabilities, ClaudeCodeProvider, CodexProvider, Cost, GeminiProvider, GrokProvider,
    SchemaBy, TextIn, UsageOf,
};

/// A row: its title, and the value for an agent.
type Row = (&'static str, fn(&Capabilities) -> String);

const ROWS: &[Row] = &[
    ("program", |agent| code(agent.program)),
    ("installed with npm", |agent| code(agent.package)),
    ("tried in version", |agent| agent.tested.to_owned()),
    ("what it may do, under `with`", |agent| code(agent.permissions.option)),
    ("by default", |agent| agent.permissions.default.to_owned()),
    ("a schema", |agent| match agent.schema {
        SchemaBy::Option => "its own option".to_owned(),
        SchemaBy::Prompt => "written in the prompt".to_owned(),
        other => panic!("{other:?} has no words"),
    }),
    ("`session: continue`", |agent| yes(agent.sessions)),
    ("`fork_session`", |agent| yes(agent.forked_sessions)),
    ("text", |agent| match agent.text {
        TextIn::Pieces => "as it is written".to_owned(),
        TextIn::Messages => "message by message".to_owned(),
        other => panic!("{other:?} has no words"),
    }),
    ("thoughts", |agent| yes(agent.thoughts)),
    ("tokens", |agent| match agent.usage {
        UsageOf::Call => "reported for the call".to_owned(),
        UsageOf::Session => "reported for the session; the engine subtracts the total before".to_owned(),
        other => panic!("{other:?} has no words"),
    }),
    ("tokens during the call", |agent| yes(agent.usage_as_it_works)),
    ("cost", |agent| match agent.cost {
        Cost::Told => "reported".to_owned(),
        Cost::Sometimes => "where the agent reports it".to_owned(),
        Cost::Unknown => "unknown".to_owned(),
        other => panic!("{other:?} has no words"),
    }),
    ("`max_turns`", |agent| yes(agent.max_turns)),
    ("`max_budget_usd`", |agent| yes(agent.budget)),
    ("asked to stop with", |agent| {
        agent.stopped_with.iter().map(|signal| code(signal)).collect::<Vec<_>>().join(", then ")
    }),
];

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn yes(can: bool) -> String {
    if can { "yes" } else { "no" }.to_owned()
}

fn table() -> String {
    let agents = [
        ClaudeCodeProvider::capabilities(),
        CodexProvider::capabilities(),
        GeminiProvider::capabilities(),
        GrokProvider::capabilities(),
        AcpProvider::capabilities(),
    ];
    let line = |name: &str, cell: &dyn Fn(&Capabilities) -> String| {
        format!("| {name} | {} |\n", agents.iter().map(cell).collect::<Vec<_>>().join(" | "))
    };
    let head = line("", &|agent| code(agent.name)).replacen("|  |", "| |", 1);
    let rows = ROWS.iter().map(|(name, cell)| line(name, cell));
    format!("{head}|---|---|---|---|---|---|\n{}", rows.collect::<String>())
}

const BEGIN: &str = "<!-- Written by `cargo xtask capabilities`: -->\n";
const END: &str = "<!-- Capabilities until here. -->";

/// `cargo xtask capabilities` runs this test to write it.
#[test]
fn the_table_of_the_docs_is_committed_as_it_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/guides/agents.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let generated = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if std::env::var_os("UPDATE_CAPABILITIES").is_some() {
        std::fs::write(&path, &generated).unwrap();
        return;
    }
    assert!(text == generated, "docs/src/guides/agents.md is out of date: run `cargo xtask capabilities`");
}

#[test]
fn an_agent_without_an_option_for_a_schema_is_told_of_it_in_the_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("gemini");
    let script = r#"#!/bin/sh
cat > prompt
echo '{"type":"message","role":"assistant","content":"{}"}'
echo '{"type":"result","status":"success"}'
"#;
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let provider = GeminiProvider::builder().program(&program).work_root(folder.path()).build();
    for (schema, prompt) in [
        (None, "say hello"),
        (
            Some(json!({ "type": "object" })),
            "say hello\n\nAnswer with one JSON value that follows this JSON Schema, and with nothing else:\n\
             {\"type\":\"object\"}\n",
        ),
    ] {
        let mut request = common::request("schema", "say hello", json!({}));
        request.output_schema = schema.map(Arc::new);
        let (context, _, _stop) = common::context(&request);
        block_on(provider.call(request, context)).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("prompt")).unwrap(), prompt);
    }
}
