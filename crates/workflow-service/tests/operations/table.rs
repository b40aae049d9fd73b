//! The operations, one after the other, with what they return.

use std::collections::BTreeSet;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_service::{Caller, Code, Scope, camel_schema, operations};

use crate::bindings::Binding;
use crate::host::{Host, data};

const HELLO: &str = "workflow: { name: Hello, stages: [greet] }\\ngreet: { provider: echo, prompt: \\\"Hi ${vars.who:-all}\\\" }\\n";
const ASKS: &str = "workflow: { name: Asks, stages: [greet] }\\ngreet: { provider: echo, prompt: Hi, approval: \\\"Greet?\\\" }\\n";
const KEPT: &str =
    "workflow: { name: Kept, stages: [greet], protected: true }\\ngreet: { provider: echo, prompt: Hi }\\n";

/// What a call is expected to return.
enum Expected {
    /// Success, with these members in the response.
    Ok(Value),
    /// An error of this code.
    Fails(Code),
    /// The run is driven until it is idle; no call.
    Drive,
}

use Expected::{Drive, Fails, Ok};

/// A call by name with its request, and what it returns. The calls build on one another.
fn calls() -> Vec<(&'static str, String, Expected)> {
    let call = |name, request: &str, expected| {
        (name, request.replace("HELLO", HELLO).replace("ASKS", ASKS).replace("KEPT", KEPT), expected)
    };
    vec![
        call("service:hello", r#"{ "protocol": 1 }"#, Ok(json!({ "protocol": 1 }))),
        call("service:hello", r#"{ "protocol": 0, "client": "studio 0.0" }"#, Fails(Code::VersionMismatch)),
        call("workflow:list", "", Ok(json!({ "workflows": [] }))),
        call("workflow:create", r#"{ "id": "hello", "text": "HELLO" }"#, Ok(json!({ "id": "hello" }))),
        call("workflow:create", r#"{ "id": "hello", "text": "HELLO" }"#, Fails(Code::Exists)),
        call(
            "workflow:create",
            r#"{ "id": "wrong", "text": "workflow: {}" }"#,
            Fails(Code::InvalidDefinition),
        ),
        call("workflow:create", r#"{ "id": "a b", "text": "" }"#, Fails(Code::InvalidRequest)),
        call("workflow:create", r#"{ "id": "asks", "text": "ASKS" }"#, Ok(json!({}))),
        call(
            "workflow:list",
            r#"{ "search": "HELL" }"#,
            Ok(json!({ "workflows": [{
                "id": "hello", "name": "Hello", "description": null, "stages": ["greet"], "loop": null,
                "isDefault": false, "protected": false, "lastRun": null, "activeRuns": [],
                "problem": null, "problems": [],
            }] })),
        ),
        call("workflow:list", r#"{ "sort": "size" }"#, Fails(Code::InvalidRequest)),
        call("workflow:get", r#"{ "id": "hello" }"#, Ok(json!({ "id": "hello", "protected": false }))),
        call("workflow:get", r#"{ "id": "nothing" }"#, Fails(Code::NotFound)),
        call(
            "workflow:validate",
            r#"{ "id": "hello", "text": "HELLO" }"#,
            Ok(json!({ "valid": true, "diagnostics": [] })),
        ),
        call("workflow:validate", r#"{ "text": "workflow: {}" }"#, Ok(json!({ "valid": false }))),
        call(
            "workflow:validate",
            r#"{ "text": "workflow: {}", "explain": true }"#,
            Ok(json!({ "valid": false, "effective": [] })),
        ),
        call(
            "workflow:validate",
            r#"{ "text": "HELLO\nextra: 1\n", "strict": true }"#,
            Ok(json!({ "valid": false })),
        ),
        call(
            "workflow:edit",
            r#"{ "text": "HELLO", "edits": [{ "path": "greet.retries", "value": 2 }] }"#,
            Ok(json!({})),
        ),
        call(
            "workflow:graph",
            r#"{ "id": "hello", "format": "mermaid" }"#,
            Ok(json!({ "name": "Hello", "lines": [
                { "from": "(start)", "to": "greet", "kind": "next" },
                { "from": "greet", "to": "(end)", "kind": "next" },
            ] })),
        ),
        call("workflow:graph", r#"{ "id": "unsaved", "text": "HELLO" }"#, Ok(json!({ "name": "Hello" }))),
        call("workflow:graph", r#"{ "text": "workflow: {}" }"#, Fails(Code::InvalidDefinition)),
        call("workflow:graph", r#"{ "id": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:graph", r#"{ "id": "hello", "runId": "r1" }"#, Fails(Code::InvalidRequest)),
        call("workflow:graph", r#"{ "runId": "nothing" }"#, Fails(Code::NotFound)),
        call(
            "workflow:update",
            r#"{ "id": "hello", "version": "old", "text": "HELLO" }"#,
            Fails(Code::Stale),
        ),
        call(
            "workflow:run",
            r#"{ "id": "hello", "runId": "r1", "vars": { "who": "you" } }"#,
            Ok(json!({ "runId": "r1" })),
        ),
        call(
            "workflow:run",
            r#"{ "id": "hello", "runId": "r1", "vars": { "who": "me" } }"#,
            Fails(Code::OtherInputs),
        ),
        call("workflow:run", r#"{ "id": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:run", r#"{ "id": "hello", "labels": { "": "" } }"#, Fails(Code::InvalidInputs)),
        call("workflow:delete", r#"{ "id": "hello" }"#, Fails(Code::InUse)),
        call("workflow:runs:pause", r#"{ "runId": "r1" }"#, Ok(json!({}))),
        call("workflow:runs:resume", r#"{ "runId": "r1" }"#, Ok(json!({}))),
        call("", "r1", Drive),
        call("workflow:runs:get", r#"{ "runId": "r1" }"#, Ok(json!({}))),
        call(
            "workflow:runs:plan",
            r#"{ "runId": "r1" }"#,
            Ok(json!({ "name": "Hello", "loop": null, "budget": null, "isolated": false, "moved": [] })),
        ),
        call("workflow:runs:plan", r#"{ "runId": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:graph", r#"{ "runId": "r1" }"#, Ok(json!({ "name": "Hello" }))),
        call("workflow:runs:list", r#"{ "statuses": ["completed"], "limit": 1 }"#, Ok(json!({}))),
        call(
            "workflow:runs:list",
            r#"{ "text": "HELL", "totals": true, "waits": ["approval"] }"#,
            Ok(json!({ "runs": [], "total": 0 })),
        ),
        call("workflow:runs:list", r#"{ "after": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:runs:logs", r#"{ "runId": "r1", "counted": true }"#, Ok(json!({ "total": 1 }))),
        call(
            "workflow:runs:logs",
            r#"{ "runId": "r1", "level": "error", "format": "jsonl" }"#,
            Ok(json!({ "entries": [], "text": "" })),
        ),
        call("workflow:runs:logs", r#"{ "runId": "r1", "kinds": ["stderr"] }"#, Ok(json!({ "entries": [] }))),
        call(
            "workflow:runs:logs",
            r#"{ "runId": "r1", "kinds": ["stderr"], "level": "warn" }"#,
            Fails(Code::InvalidRequest),
        ),
        call("workflow:runs:logs", r#"{ "runId": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:runs:logs", r#"{ "runId": "nothing", "level": "error" }"#, Fails(Code::NotFound)),
        call("workflow:runs:logs", r#"{ "runId": "r1", "level": "loud" }"#, Fails(Code::InvalidRequest)),
        call("workflow:runs:events", r#"{ "runId": "r1", "limit": 1 }"#, Ok(json!({ "next": 1 }))),
        call("workflow:runs:events", r#"{ "runId": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:estimate", r#"{ "id": "hello" }"#, Ok(json!({ "runs": 1, "priced": 0 }))),
        call("workflow:estimate", r#"{ "id": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:runs:report", r#"{ "runId": "r1", "format": "json" }"#, Ok(json!({}))),
        call("workflow:runs:report", r#"{ "runId": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:runs:report", r#"{ "runId": "r1", "format": "pdf" }"#, Fails(Code::InvalidRequest)),
        call("workflow:runs:cancel", r#"{ "runId": "r1" }"#, Fails(Code::Refused)),
        call(
            "workflow:runs:fork",
            r#"{ "runId": "r1", "at": { "stage": "greet" }, "newRunId": "r2", "current": true }"#,
            Ok(json!({ "runId": "r2" })),
        ),
        call(
            "workflow:runs:fork",
            r#"{ "runId": "r1", "at": { "stage": "deploy" } }"#,
            Fails(Code::NoSuchPoint),
        ),
        call(
            "workflow:runs:fork",
            r#"{ "runId": "r1", "newRunId": "r8", "text": "HELLO" }"#,
            Ok(json!({ "runId": "r8" })),
        ),
        call(
            "workflow:runs:fork",
            r#"{ "runId": "r1", "text": "workflow: {}" }"#,
            Fails(Code::InvalidDefinition),
        ),
        call(
            "workflow:runs:fork",
            r#"{ "runId": "r1", "text": "HELLO", "current": true }"#,
            Fails(Code::InvalidRequest),
        ),
        call("workflow:runs:fork", r#"{ "runId": "r1", "id": "hello" }"#, Fails(Code::InvalidRequest)),
        call("workflow:runs:delete", r#"{ "runId": "r8" }"#, Ok(json!(null))),
        call(
            "workflow:runs:rerun",
            r#"{ "runId": "r1", "from": "start", "newRunId": "r4" }"#,
            Ok(json!({ "runId": "r4" })),
        ),
        call("workflow:runs:rerun", r#"{ "runId": "r1", "from": "failed" }"#, Fails(Code::NoSuchPoint)),
        call("workflow:runs:rerun", r#"{ "runId": "nothing" }"#, Fails(Code::NotFound)),
        call("", "r4", Drive),
        call("workflow:runs:deleteMany", r#"{ "runIds": ["r4", "r4"] }"#, Ok(json!({ "deleted": 1 }))),
        call("workflow:runs:deleteMany", &too_many(), Fails(Code::TooLarge)),
        call(
            "workflow:runs:prune",
            r#"{ "endedBefore": "2020-01-01T00:00:00Z" }"#,
            Ok(json!({ "deleted": 0, "left": 0, "failed": [] })),
        ),
        call(
            "workflow:runs:prune",
            r#"{ "endedBefore": "2020-01-01T00:00:00Z", "statuses": ["running"] }"#,
            Fails(Code::InvalidRequest),
        ),
        call("workflow:run", r#"{ "id": "hello", "runId": "r6", "isolated": true }"#, Ok(json!({}))),
        call("workflow:worktrees:remove", r#"{ "runId": "r6" }"#, Fails(Code::Refused)),
        call("", "r6", Drive),
        call("workflow:runs:diff", r#"{ "runId": "r6" }"#, Ok(json!({ "truncated": true }))),
        call(
            "workflow:runs:diff",
            r#"{ "runId": "r6", "stat": true }"#,
            Ok(json!({ "branch": "workflow/r6", "files": [{ "path": "a", "added": 1 }], "diff": null })),
        ),
        call("workflow:runs:diff", r#"{ "runId": "r1" }"#, Fails(Code::NotFound)),
        call("workflow:runs:diff", r#"{ "runId": "nothing" }"#, Fails(Code::NotFound)),
        call(
            "workflow:worktrees:list",
            "",
            Ok(json!({ "worktrees": [{
            "runId": "r6", "path": "/worktrees/r6", "branch": "workflow/r6", "status": "completed",
        }] })),
        ),
        call("workflow:worktrees:patch", r#"{ "runId": "r6" }"#, Ok(json!({ "patch": "+a\n" }))),
        call("workflow:worktrees:patch", r#"{ "runId": "r1" }"#, Fails(Code::NotFound)),
        call("workflow:worktrees:remove", r#"{ "runId": "r1" }"#, Fails(Code::NotFound)),
        call("workflow:worktrees:remove", r#"{ "runId": "r6" }"#, Ok(json!({ "branch": "workflow/r6" }))),
        call("workflow:worktrees:remove", r#"{ "runId": "r6" }"#, Fails(Code::NotFound)),
        call("workflow:worktrees:list", "", Ok(json!({ "worktrees": [] }))),
        call(
            "workflow:runs:compare",
            r#"{ "runId": "r1", "otherRunId": "r6" }"#,
            Ok(json!({ "sameWorkflow": true, "sameBundle": true, "definition": [] })),
        ),
        call("workflow:runs:compare", r#"{ "runId": "r1", "otherRunId": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:runs:compare", r#"{ "runId": "nothing", "otherRunId": "r1" }"#, Fails(Code::NotFound)),
        call(
            "workflow:doctor",
            "",
            Ok(json!({ "providers": [], "store": {}, "catalog": { "workflows": 2 } })),
        ),
        call("workflow:workers", "", Ok(json!({ "workers": [], "unclaimed": 1, "waiting": 0 }))),
        call("workflow:limits", "", Ok(json!({ "limits": [] }))),
        call("workflow:stores", "", Ok(json!({}))),
        call("workflow:runs:migrate", r#"{ "runId": "r2" }"#, Ok(json!({ "diverges": [], "obstacles": [] }))),
        call("workflow:runs:migrate", r#"{ "runId": "r1", "apply": true }"#, Fails(Code::CannotMigrate)),
        call("workflow:runs:kill", r#"{ "runId": "r2" }"#, Ok(json!({}))),
        call("workflow:create", r#"{ "id": "kept", "text": "KEPT" }"#, Ok(json!({ "protected": true }))),
        call("workflow:delete", r#"{ "id": "kept" }"#, Fails(Code::Protected)),
        call(
            "workflow:update",
            r#"{ "id": "asks", "version": "old", "edits": [{ "path": "greet.prompt", "value": "Hello" }] }"#,
            Fails(Code::Stale),
        ),
        call("workflow:update", r#"{ "id": "asks", "version": "old" }"#, Fails(Code::InvalidRequest)),
        call("workflow:duplicate", r#"{ "id": "asks", "newId": "again" }"#, Ok(json!({ "id": "again" }))),
        call("workflow:duplicate", r#"{ "id": "asks", "newId": "again" }"#, Fails(Code::Exists)),
        call("workflow:duplicate", r#"{ "id": "nothing", "newId": "other" }"#, Fails(Code::NotFound)),
        call("workflow:export", r#"{ "id": "asks" }"#, Ok(json!({ "id": "asks", "parts": [], "notes": [] }))),
        call("workflow:export", r#"{ "id": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:import", r#"{ "text": "workflow: {}" }"#, Fails(Code::InvalidDefinition)),
        call(
            "workflow:import",
            r#"{ "text": "workflow_export: 1\nid: x\nworkflow: |\n  workflow: { name: An import, stages: [a] }\n  a: { provider: echo, prompt: Hi }\n" }"#,
            Ok(json!({ "id": "x", "conflicts": false, "valid": true, "sameBundle": false })),
        ),
        call(
            "workflow:import",
            r#"{ "text": "workflow_export: 1\nid: x\nworkflow: 'workflow: { name: Other, stages: [a] }'\n" }"#,
            Fails(Code::Exists),
        ),
        call("workflow:templates", "", Ok(json!({}))),
        call("workflow:schemas", "", Ok(json!({}))),
        call("workflow:providers", "", Ok(json!({ "default": null }))),
        call("workflow:create", r#"{ "id": "made", "template": "nothing" }"#, Fails(Code::NotFound)),
        call(
            "workflow:roles:put",
            r#"{ "id": "writer", "text": "Write." }"#,
            Ok(json!({ "text": "Write." })),
        ),
        call("workflow:roles:put", r#"{ "id": "writer", "text": "Write." }"#, Fails(Code::Exists)),
        call("workflow:roles:put", r#"{ "id": "writer", "text": "x", "version": "0" }"#, Fails(Code::Stale)),
        call("workflow:roles:put", r#"{ "id": "bad", "text": "{{#if" }"#, Fails(Code::InvalidDefinition)),
        call("workflow:roles", "", Ok(json!({}))),
        call("workflow:roles:get", r#"{ "id": "writer" }"#, Ok(json!({ "problems": [] }))),
        call("workflow:roles:get", r#"{ "id": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:roles:delete", r#"{ "id": "writer" }"#, Ok(json!(null))),
        call("workflow:roles:delete", r#"{ "id": "writer" }"#, Fails(Code::NotFound)),
        call(
            "workflow:profiles:put",
            r#"{ "stage": "a", "id": "b", "text": "graph: [{ id: a, type: run, prompt: Hi }]" }"#,
            Ok(json!({ "problems": [] })),
        ),
        call(
            "workflow:profiles:put",
            r#"{ "stage": "a", "id": "b", "text": "" }"#,
            Fails(Code::InvalidDefinition),
        ),
        call("workflow:profiles", "", Ok(json!({}))),
        call("workflow:profiles:get", r#"{ "stage": "a", "id": "b" }"#, Ok(json!({}))),
        call("workflow:profiles:get", r#"{ "stage": "a", "id": "c" }"#, Fails(Code::NotFound)),
        call("workflow:profiles:delete", r#"{ "stage": "a", "id": "b" }"#, Ok(json!(null))),
        call("workflow:profiles:delete", r#"{ "stage": "a", "id": "b" }"#, Fails(Code::NotFound)),
        call("workflow:skills:put", r#"{ "id": "lists", "text": "Write lists." }"#, Ok(json!({}))),
        call("workflow:skills:put", r#"{ "id": "a/b", "text": "" }"#, Fails(Code::InvalidDefinition)),
        call("workflow:skills", "", Ok(json!({}))),
        call("workflow:skills:get", r#"{ "id": "lists" }"#, Ok(json!({ "text": "Write lists." }))),
        call("workflow:skills:get", r#"{ "id": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:skills:delete", r#"{ "id": "lists" }"#, Ok(json!(null))),
        call("workflow:skills:delete", r#"{ "id": "lists" }"#, Fails(Code::NotFound)),
        call("workflow:assignments", "", Fails(Code::NotFound)),
        call("workflow:assignments:put", r#"{ "text": "plan: 5" }"#, Fails(Code::InvalidDefinition)),
        call("workflow:assignments:put", r#"{ "text": "plan: echo" }"#, Ok(json!({ "text": "plan: echo" }))),
        call("workflow:assignments:put", r#"{ "text": "plan: echo" }"#, Fails(Code::Exists)),
        call("workflow:assignments", "", Ok(json!({ "problems": [] }))),
        call("workflow:assignments:delete", "", Ok(json!(null))),
        call("workflow:assignments:delete", "", Fails(Code::NotFound)),
        call("workflow:notifications:get", "", Fails(Code::NotFound)),
        call("workflow:notifications:set", r#"{ "text": "targets: 5" }"#, Fails(Code::InvalidDefinition)),
        call(
            "workflow:notifications:set",
            r#"{ "text": "targets: {}", "version": "0" }"#,
            Fails(Code::NotFound),
        ),
        call(
            "workflow:notifications:set",
            r#"{ "text": "targets: { team: { command: [x] } }" }"#,
            Ok(json!({ "problems": [], "model": { "targets": { "team": { "command": ["x"] } } } })),
        ),
        call("workflow:notifications:set", r#"{ "text": "targets: {}" }"#, Fails(Code::Exists)),
        call(
            "workflow:notifications:set",
            r#"{ "text": "targets: {}", "version": "0" }"#,
            Fails(Code::Stale),
        ),
        call(
            "workflow:notifications:get",
            "",
            Ok(json!({ "text": "targets: { team: { command: [x] } }", "problems": [] })),
        ),
        call(
            "workflow:notifications:test",
            r#"{ "target": "team" }"#,
            Ok(json!({ "id": "ntc_1", "delivered": true })),
        ),
        call(
            "workflow:notifications:test",
            r#"{ "target": "broken" }"#,
            Ok(json!({ "delivered": false, "problem": "no answer" })),
        ),
        call("workflow:notifications:test", r#"{ "target": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:inputs", r#"{ "id": "asks" }"#, Ok(json!({ "inputs": [], "secrets": [] }))),
        call("workflow:inputs", r#"{ "id": "nothing" }"#, Fails(Code::NotFound)),
        call("workflow:run", r#"{ "id": "asks", "dryRun": true }"#, Ok(json!({ "ready": true }))),
        call(
            "workflow:run",
            r#"{ "id": "other", "text": "HELLO", "dryRun": true }"#,
            Ok(json!({ "workflow": "other", "ready": true })),
        ),
        call(
            "workflow:run",
            r#"{ "id": "other", "text": "HELLO", "runId": "unsaved" }"#,
            Ok(json!({ "runId": "unsaved" })),
        ),
        call("workflow:run", r#"{ "id": "other", "text": "workflow: {}" }"#, Fails(Code::InvalidDefinition)),
        call("workflow:run", r#"{ "id": "asks", "maxIters": 2 }"#, Fails(Code::InvalidInputs)),
        call("workflow:run", r#"{ "id": "asks", "runId": "r3" }"#, Ok(json!({}))),
        call("", "r3", Drive),
        call("workflow:runs:inbox", "", Ok(json!({ "total": 1 }))),
        call("workflow:runs:inbox", r#"{ "labels": { "owner": "ann" } }"#, Ok(json!({ "items": [] }))),
        call("workflow:runs:answer", r#"{ "runId": "r3", "wait": 99, "value": true }"#, Fails(Code::Refused)),
        call(
            "workflow:runs:signal",
            r#"{ "runId": "r3", "name": "two words" }"#,
            Fails(Code::InvalidRequest),
        ),
        call(
            "workflow:runs:signal",
            r#"{ "runId": "r3", "name": "go", "id": "" }"#,
            Fails(Code::InvalidRequest),
        ),
        call(
            "workflow:runs:signal",
            r#"{ "runId": "r3", "name": "go", "data": [1], "id": "s" }"#,
            Ok(json!({})),
        ),
        call("workflow:runs:cancel", r#"{ "runId": "r3" }"#, Ok(json!({}))),
        call("workflow:runs:signal", r#"{ "runId": "r3", "name": "go" }"#, Fails(Code::Refused)),
        call("workflow:runs:delete", r#"{ "runId": "r3" }"#, Ok(json!(null))),
        call("workflow:runs:delete", r#"{ "runId": "r3" }"#, Fails(Code::NotFound)),
        call("workflow:delete", r#"{ "id": "hello" }"#, Ok(json!(null))),
        call("workflow:delete", r#"{ "id": "hello" }"#, Fails(Code::NotFound)),
        call("workflow:lost", "", Fails(Code::UnknownOperation)),
    ]
}

/// A request to delete more runs than are deleted at once.
fn too_many() -> String {
    json!({ "runIds": (0..1_001).map(|n| format!("x{n}")).collect::<Vec<_>>() }).to_string()
}

#[test]
fn every_operation_returns_the_same_through_every_binding() {
    let mut hosts = Vec::new();
    let bindings = Binding::all(|| {
        let host = Host::new();
        let service = host.service.clone();
        hosts.push(host);
        service
    });
    for (name, request, expected) in calls() {
        if let Drive = expected {
            for host in &hosts {
                host.drive(&request);
            }
            continue;
        }
        for (binding, through) in &bindings {
            let answer = through.call(name, &request);
            match &expected {
                Ok(Value::Object(members)) => {
                    assert_eq!(answer["success"], true, "{binding} {name} {request}: {answer}");
                    for (member, value) in members {
                        assert_eq!(answer["data"][member], *value, "{binding} {name} {request}: {answer}");
                    }
                }
                Ok(data) => assert_eq!(answer["data"], *data, "{binding} {name} {request}: {answer}"),
                Fails(code) => {
                    assert_eq!(
                        answer["error"]["code"],
                        code.as_str(),
                        "{binding} {name} {request}: {answer}"
                    );
                    assert_ne!(answer["error"]["message"], "");
                }
                Drive => {}
            }
        }
    }
}

#[test]
fn responses_follow_their_schemas() {
    let host = Host::new();
    for (name, request, expected) in calls() {
        if let Drive = expected {
            host.drive(&request);
            continue;
        }
        let answer = host.call(name, &request);
        let Some(operation) = operations().iter().find(|operation| operation.meta.name == name) else {
            continue;
        };
        let mut generator = schemars::SchemaGenerator::default();
        let mut schema = operation.response_schema(&mut generator);
        schema.insert("$defs".to_owned(), generator.take_definitions(true).into());
        camel_schema(&mut schema);
        if answer.success {
            let data = data(&answer);
            let validator = jsonschema::validator_for(schema.as_value()).unwrap();
            let wrong: Vec<_> = validator.iter_errors(&data).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{name} {request}: {wrong:?}: {data}");
        }
    }
}

#[test]
fn an_update_with_the_version_that_was_read_is_stored() {
    let host = Host::new();
    host.data("workflow:create", &format!(r#"{{ "id": "hello", "text": "{HELLO}" }}"#));
    let read = host.data("workflow:get", r#"{ "id": "hello" }"#);
    let text = read["text"].as_str().unwrap().replace("Hi", "Good morning,");
    let request = json!({ "id": "hello", "version": read["version"], "text": text });
    assert_eq!(host.data("workflow:update", &request.to_string())["text"], text);
}

#[test]
fn an_answer_is_given_by_the_number_of_the_wait() {
    let host = Host::new();
    host.data("workflow:create", &format!(r#"{{ "id": "asks", "text": "{ASKS}" }}"#));
    host.data("workflow:run", r#"{ "id": "asks", "runId": "r1" }"#);
    host.drive("r1");
    let run = host.data("workflow:runs:get", r#"{ "runId": "r1" }"#);
    let wait = &run["run"]["waits"][0];
    assert_eq!(wait["question"], "Greet?");
    let request = json!({ "runId": "r1", "wait": wait["number"], "value": { "approved": true } });
    assert_eq!(host.data("workflow:runs:answer", &request.to_string())["run"]["status"], "running");
    host.drive("r1");
    assert_eq!(host.data("workflow:runs:get", r#"{ "runId": "r1" }"#)["run"]["status"], "completed");
}

#[test]
fn the_table_has_each_operation_and_a_request_that_is_not_understood_is_refused_by_all() {
    let host = Host::new();
    let tried: BTreeSet<_> = calls().into_iter().map(|(name, ..)| name).collect();
    for operation in operations() {
        assert!(
            tried.contains(operation.meta.name),
            "{} is not in the table of this test",
            operation.meta.name
        );
        for request in [r#"{ "nonsense": 1 }"#, "[", "{} {}"] {
            let error = host.call(operation.meta.name, request).error.unwrap();
            assert_eq!(error.code, Code::InvalidRequest, "{} {request}", operation.meta.name);
            assert!(error.message.contains(operation.meta.name), "{}", error.message);
        }
    }
}

#[test]
fn a_caller_uses_the_operations_of_its_scopes_only() {
    let host = Host::new();
    let reader = Caller::new("page", "http").scopes([Scope::Read]);
    for operation in operations() {
        // A valid request is not needed where the caller may not call at all; one that may is told what is wrong.
        let requests: Vec<_> = calls()
            .into_iter()
            .filter(|(name, ..)| *name == operation.meta.name)
            .map(|(_, request, _)| request)
            .collect();
        for request in requests {
            let answer = block_on(host.service.call(operation.meta.name, &request, &reader));
            let is_refused = answer.error.is_some_and(|error| error.code == Code::Forbidden);
            let is_valid = !request.contains("a b");
            assert_eq!(
                is_refused,
                operation.meta.scope != Scope::Read && is_valid,
                "{} {request}",
                operation.meta.name
            );
        }
    }
}
