//! What each operation returns where the store fails, where the engine was shut down, and to a caller who may do nothing.

use std::collections::BTreeSet;

use futures::executor::block_on;
use serde_json::json;
use workflow_core::stop::Stop;
use workflow_service::{Caller, Code, operations};

use crate::broken::Breakable;
use crate::host::Host;

/// What a call returns.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Returns {
    Success,
    Error(Code),
}

use Returns::{Error, Success};

/// The store failed.
const LOST: Returns = Error(Code::Unavailable);
/// The engine starts no more runs.
const DOWN: Returns = Error(Code::ShuttingDown);

/// Each operation with a request that succeeds, what it returns where the store fails, and after a shutdown. `VERSION` is
/// that of the workflow `asks`, `WAIT` the number of the question of the run `asking`.
const ROWS: &[(&str, &str, Returns, Returns)] = &[
    ("service:hello", r#"{ "protocol": 1 }"#, Success, Success),
    // Files need no store.
    ("workflow:assignments", "", Success, Success),
    ("workflow:assignments:delete", "", Success, Success),
    ("workflow:assignments:put", r#"{ "text": "a: echo", "version": "ASSIGNED" }"#, Success, Success),
    ("workflow:create", r#"{ "id": "new", "text": "ASKS" }"#, Success, Success),
    ("workflow:duplicate", r#"{ "id": "asks", "newId": "new" }"#, Success, Success),
    ("workflow:export", r#"{ "id": "asks" }"#, Success, Success),
    ("workflow:get", r#"{ "id": "asks" }"#, Success, Success),
    ("workflow:graph", r#"{ "id": "asks" }"#, Success, Success),
    (
        "workflow:import",
        r#"{ "text": "workflow_export: 1\nid: x\nworkflow: |\n  ASKS\n" }"#,
        Success,
        Success,
    ),
    ("workflow:inputs", r#"{ "id": "asks" }"#, Success, Success),
    ("workflow:notifications:get", "", Success, Success),
    ("workflow:notifications:set", r#"{ "text": "targets: {}", "version": "NOTIFIED" }"#, Success, Success),
    ("workflow:notifications:test", r#"{ "target": "team" }"#, Success, Success),
    ("workflow:profiles", "", Success, Success),
    ("workflow:profiles:delete", r#"{ "stage": "a", "id": "deep" }"#, Success, Success),
    ("workflow:profiles:get", r#"{ "stage": "a", "id": "deep" }"#, Success, Success),
    (
        "workflow:profiles:put",
        r#"{ "stage": "a", "id": "new", "text": "graph: [{ id: a, type: run }]" }"#,
        Success,
        Success,
    ),
    ("workflow:providers", "", Success, Success),
    ("workflow:roles", "", Success, Success),
    ("workflow:roles:delete", r#"{ "id": "writer" }"#, Success, Success),
    ("workflow:roles:get", r#"{ "id": "writer" }"#, Success, Success),
    ("workflow:roles:put", r#"{ "id": "new", "text": "Write." }"#, Success, Success),
    ("workflow:schemas", "", Success, Success),
    ("workflow:skills", "", Success, Success),
    ("workflow:skills:delete", r#"{ "id": "lists" }"#, Success, Success),
    ("workflow:skills:get", r#"{ "id": "lists" }"#, Success, Success),
    ("workflow:skills:put", r#"{ "id": "new", "text": "Write." }"#, Success, Success),
    ("workflow:templates", "", Success, Success),
    (
        "workflow:update",
        r#"{ "id": "asks", "version": "VERSION", "edits": [{ "path": "a.prompt", "value": "Hello" }] }"#,
        Success,
        Success,
    ),
    (
        "workflow:edit",
        r#"{ "text": "a: {}", "edits": [{ "path": "a.prompt", "value": "Hello" }] }"#,
        Success,
        Success,
    ),
    ("workflow:validate", r#"{ "id": "asks", "text": "ASKS" }"#, Success, Success),
    // Whether it is in use, and its last run, are in the store.
    ("workflow:delete", r#"{ "id": "unused" }"#, LOST, Success),
    ("workflow:list", "", LOST, Success),
    ("workflow:estimate", r#"{ "id": "asks" }"#, LOST, Success),
    // What is wrong with the host is their response.
    ("workflow:doctor", "", Success, Success),
    ("workflow:limits", "", Success, Success),
    ("workflow:stores", "", LOST, Success),
    ("workflow:workers", "", LOST, Success),
    ("workflow:worktrees:list", "", LOST, Success),
    ("workflow:worktrees:patch", r#"{ "runId": "r6" }"#, LOST, Success),
    ("workflow:worktrees:remove", r#"{ "runId": "r6" }"#, LOST, Success),
    // New runs.
    ("workflow:run", r#"{ "id": "asks" }"#, LOST, DOWN),
    ("workflow:runs:fork", r#"{ "runId": "done" }"#, LOST, DOWN),
    ("workflow:runs:rerun", r#"{ "runId": "done" }"#, LOST, DOWN),
    ("workflow:runs:migrate", r#"{ "runId": "left", "apply": true }"#, LOST, DOWN),
    // Runs can be read and controlled without the engine.
    (
        "workflow:runs:answer",
        r#"{ "runId": "asking", "wait": WAIT, "value": { "approved": true } }"#,
        LOST,
        Success,
    ),
    ("workflow:runs:cancel", r#"{ "runId": "left" }"#, LOST, Success),
    ("workflow:runs:compare", r#"{ "runId": "done", "otherRunId": "left" }"#, LOST, Success),
    ("workflow:runs:delete", r#"{ "runId": "done" }"#, LOST, Success),
    // The result of each run is in the response.
    ("workflow:runs:deleteMany", r#"{ "runIds": ["done"] }"#, Success, Success),
    ("workflow:runs:diff", r#"{ "runId": "r6" }"#, LOST, Success),
    ("workflow:runs:events", r#"{ "runId": "done" }"#, LOST, Success),
    ("workflow:runs:get", r#"{ "runId": "done" }"#, LOST, Success),
    ("workflow:runs:inbox", "", LOST, Success),
    ("workflow:runs:kill", r#"{ "runId": "left" }"#, LOST, Success),
    ("workflow:runs:list", "", LOST, Success),
    ("workflow:runs:logs", r#"{ "runId": "done" }"#, LOST, Success),
    ("workflow:runs:pause", r#"{ "runId": "left" }"#, LOST, Success),
    ("workflow:runs:plan", r#"{ "runId": "done" }"#, LOST, Success),
    ("workflow:runs:prune", r#"{ "endedBefore": "2020-01-01T00:00:00Z" }"#, LOST, Success),
    ("workflow:runs:report", r#"{ "runId": "done" }"#, LOST, Success),
    ("workflow:runs:resume", r#"{ "runId": "asking" }"#, LOST, Success),
    ("workflow:runs:signal", r#"{ "runId": "left", "name": "go" }"#, LOST, Success),
];

const ASKS: &str =
    "workflow: { name: Asks, stages: [a] }\\n  a: { provider: echo, prompt: Hi, approval: Go? }\\n";

/// A host with something of everything, its store, and the text of a request with what the host has.
fn host() -> (Host, Breakable, impl Fn(&str) -> String) {
    let store = Breakable::default();
    let host = Host::over(store.clone());
    let asks = ASKS.replace("\\n", "\n").replace("  a:", "a:");
    for (path, text) in [
        ("workflows/asks.workflow.yml", asks.as_str()),
        ("workflows/unused.workflow.yml", &asks),
        ("workflows/quick.workflow.yml", &asks.replace(", approval: Go?", "")),
        ("workflows/stages/a.deep.yml", "graph: [{ id: a, type: run, prompt: Hi }]\n"),
        ("roles/writer.md", "Write.\n"),
        ("skills/lists/SKILL.md", "Write lists.\n"),
        ("config/assignments.yml", "a: echo\n"),
        ("config/notify.yml", "targets: { team: { command: [x] } }\n"),
    ] {
        host.write(path, text);
    }
    for (id, run) in [("quick", "done"), ("asks", "asking"), ("quick", "r6")] {
        let request = json!({ "id": id, "runId": run, "isolated": run == "r6" });
        host.data("workflow:run", &request.to_string());
        host.drive(run);
    }
    host.data("workflow:run", r#"{ "id": "quick", "runId": "left" }"#);
    let wait =
        host.data("workflow:runs:get", r#"{ "runId": "asking" }"#)["run"]["waits"][0]["number"].clone();
    let version = host.data("workflow:get", r#"{ "id": "asks" }"#)["version"].as_str().unwrap().to_owned();
    let assigned = host.data("workflow:assignments", "")["version"].as_str().unwrap().to_owned();
    let notified = host.data("workflow:notifications:get", "")["version"].as_str().unwrap().to_owned();
    let fill = move |request: &str| {
        let text = if request.contains("workflow_export") { ASKS } else { &ASKS.replace("  a:", "a:") };
        let filled = request
            .replace("VERSION", &version)
            .replace("ASSIGNED", &assigned)
            .replace("NOTIFIED", &notified);
        filled.replace("WAIT", &wait.to_string()).replace("ASKS", text)
    };
    (host, store, fill)
}

fn returned(host: &Host, name: &str, request: &str, caller: &Caller) -> (Returns, String) {
    let answer = block_on(host.service.call(name, request, caller));
    let returned = answer.error.as_ref().map_or(Success, |error| Error(error.code));
    (returned, answer.to_json())
}

#[test]
fn each_operation_has_a_row() {
    let rows: BTreeSet<_> = ROWS.iter().map(|(name, ..)| *name).collect();
    let all: BTreeSet<_> = operations().iter().map(|operation| operation.meta.name).collect();
    assert_eq!(rows, all, "an operation needs a row in this file, and a row an operation");
}

#[test]
fn a_store_that_fails_and_a_shutdown_have_codes_of_their_own() {
    for (name, request, lost, down) in ROWS {
        let (ready, _, fill) = host();
        let (got, answer) = returned(&ready, name, &fill(request), &Caller::host());
        assert_eq!(got, Success, "{name}: {answer}");
        let (failing, store, fill) = host();
        store.fail();
        let (got, answer) = returned(&failing, name, &fill(request), &Caller::host());
        assert_eq!(got, *lost, "{name} where the store fails: {answer}");
        if *lost == LOST {
            assert!(answer.contains("the cable is cut"), "{name}: {answer}");
        }
        let (stopped, _, fill) = host();
        block_on(stopped.service.engine().shutdown(Stop::AtOnce));
        let (got, answer) = returned(&stopped, name, &fill(request), &Caller::host());
        assert_eq!(got, *down, "{name} after a shutdown: {answer}");
    }
}

#[test]
fn a_caller_without_a_scope_may_do_nothing() {
    let (host, store, fill) = host();
    // The policy decides before anything is read.
    store.fail();
    let stranger = Caller::new("stranger", "http").scopes([]);
    for (name, request, ..) in ROWS {
        let (got, answer) = returned(&host, name, &fill(request), &stranger);
        assert_eq!(got, Error(Code::Forbidden), "{name}: {answer}");
    }
}
