//! Who calls an operation is recorded in the log of the run; changes of files are told to `tracing`.

use std::io::Write;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_service::{Caller, Code, Scope};

use crate::bindings::{exchange, serve};
use crate::host::{Host, data};

const ASKS: &str = "
workflow: { id: asks, name: Asks, stages: [plan, ship] }
plan: { provider: echo, prompt: Plan, approval: Plan? }
ship: { provider: echo, prompt: Ship, approval: Ship? }
";

/// A host with the workflow above.
fn host() -> Host {
    let host = Host::new();
    host.write("workflows/asks.workflow.yml", ASKS);
    host
}

fn caller(id: &str) -> Caller {
    Caller::new(id, "http").name(id.to_uppercase()).scopes(Scope::ALL)
}

fn call(host: &Host, who: &str, name: &str, request: &Value) -> Value {
    data(&block_on(host.service.call(name, &request.to_string(), &caller(who))))
}

/// The kinds of the events of a run that say who did it, and who that was.
fn named(host: &Host, run: &str) -> Vec<(String, Value)> {
    let events = host.data("workflow:runs:events", &json!({ "runId": run }).to_string())["events"].clone();
    let named = |event: &Value| {
        Some((
            event["type"].as_str()?.to_owned(),
            event["data"].get("by").filter(|by| !by.is_null())?.clone(),
        ))
    };
    events.as_array().unwrap().iter().filter_map(named).collect()
}

fn by(kind: &str, id: &str) -> (String, Value) {
    (kind.to_owned(), json!({ "id": id, "name": id.to_uppercase(), "via": "http" }))
}

#[test]
fn what_callers_do_with_a_run_is_in_its_log_with_their_names() {
    let host = host();
    call(&host, "ann", "workflow:run", &json!({ "id": "asks", "runId": "r1" }));
    host.drive("r1");
    call(&host, "bob", "workflow:runs:pause", &json!({ "runId": "r1" }));
    let run = &host.data("workflow:runs:get", r#"{"runId":"r1"}"#)["run"];
    assert_eq!((&run["startedBy"]["name"], &run["stoppedBy"]["name"]), (&json!("ANN"), &json!("BOB")));
    let listed = &host.data("workflow:runs:list", "{}")["runs"][0];
    assert_eq!((&listed["startedBy"]["id"], &listed["stoppedBy"]["id"]), (&json!("ann"), &json!("bob")));
    call(&host, "cid", "workflow:runs:resume", &json!({ "runId": "r1" }));
    let waits = host.data("workflow:runs:get", r#"{"runId":"r1"}"#)["run"]["waits"].clone();
    let answer = json!({ "runId": "r1", "wait": waits[0]["number"], "value": true });
    call(&host, "dan", "workflow:runs:answer", &answer);
    host.drive("r1");
    host.write("workflows/asks.workflow.yml", &ASKS.replace("prompt: Ship", "prompt: Ship it"));
    call(&host, "eve", "workflow:runs:migrate", &json!({ "runId": "r1", "apply": true }));
    call(&host, "fay", "workflow:runs:fork", &json!({ "runId": "r1", "newRunId": "r2" }));
    call(&host, "gil", "workflow:runs:rerun", &json!({ "runId": "r1", "newRunId": "r3" }));
    call(&host, "hal", "workflow:runs:cancel", &json!({ "runId": "r1" }));
    call(&host, "ida", "workflow:runs:kill", &json!({ "runId": "r2" }));
    assert_eq!(
        named(&host, "r1"),
        [
            by("run_created", "ann"),
            by("pause_requested", "bob"),
            by("run_resumed", "cid"),
            by("answered", "dan"),
            by("run_migrated", "eve"),
            by("cancel_requested", "hal"),
        ]
    );
    let forked = [by("run_created", "ann"), by("run_forked", "fay"), by("cancel_requested", "ida")];
    assert_eq!(named(&host, "r2"), forked);
    assert_eq!(named(&host, "r3"), [by("run_created", "ann"), by("run_forked", "gil")]);
    assert_eq!(host.data("workflow:runs:get", r#"{"runId":"r3"}"#)["run"]["startedBy"]["id"], "gil");
}

#[test]
fn a_text_that_is_not_in_the_catalog_runs_only_for_those_who_may_edit() {
    let host = host();
    call(&host, "ann", "workflow:run", &json!({ "id": "asks", "runId": "r1" }));
    let runner = Caller::new("page", "http").scopes([Scope::Read, Scope::Run]);
    let editor = Caller::new("studio", "http").scopes([Scope::Read, Scope::Run, Scope::Edit]);
    let text = ASKS.replace("prompt: Plan", "prompt: Plan again");
    let run = json!({ "id": "asks", "runId": "r2", "text": text });
    let fork = json!({ "runId": "r1", "newRunId": "r3", "text": text });
    for (operation, request) in [("workflow:run", &run), ("workflow:runs:fork", &fork)] {
        let refused = block_on(host.service.call(operation, &request.to_string(), &runner)).error.unwrap();
        assert_eq!(refused.code, Code::Forbidden, "{operation}");
        assert!(refused.message.contains("`edit`"), "{}", refused.message);
        data(&block_on(host.service.call(operation, &request.to_string(), &editor)));
    }
    let shown = json!({ "id": "asks", "text": text, "dryRun": true }).to_string();
    assert_eq!(data(&block_on(host.service.call("workflow:run", &shown, &runner)))["ready"], true);
    for run in ["r2", "r3"] {
        host.drive(run);
        let wait =
            host.data("workflow:runs:get", &json!({ "runId": run }).to_string())["run"]["waits"][0].clone();
        call(
            &host,
            "ann",
            "workflow:runs:answer",
            &json!({ "runId": run, "wait": wait["number"], "value": true }),
        );
        host.drive(run);
        let stages =
            host.data("workflow:runs:get", &json!({ "runId": run }).to_string())["run"]["context"].clone();
        assert_eq!(stages["stages"]["plan"]["output"], "Plan again", "{run}");
    }
}

#[test]
fn over_http_the_token_says_who_it_is_whatever_the_request_says() {
    const TOKEN: &str = "the-token-of-ann-alone";
    let host = host();
    let (runtime, address) = serve(host.service.clone(), |options| {
        options.tokens.add(TOKEN, Caller::new("ann", "http")).unwrap();
    });
    let post = |body: &str| {
        let head = format!(
            "POST /api/v1/workflow:run HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        runtime.block_on(exchange(address, &(head + body)))
    };
    assert_eq!(post(r#"{"id":"asks","runId":"r1"}"#).0, 200);
    assert_eq!(post(r#"{"id":"asks","runId":"r2","by":{"id":"bob"}}"#).0, 400);
    assert_eq!(named(&host, "r1"), [("run_created".to_owned(), json!({ "id": "ann", "via": "http" }))]);
}

/// What a subscriber writes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn who_changes_files_or_deletes_runs_is_told_to_tracing_and_cannot_forge_lines() {
    let host = host();
    call(&host, "ann", "workflow:run", &json!({ "id": "asks", "runId": "r1" }));
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let mallory = Caller::new("m\n\u{1b}[2J", "http").scopes(Scope::ALL);
        let create = json!({ "id": "other", "text": ASKS.replace("id: asks", "id: other") }).to_string();
        assert!(block_on(host.service.call("workflow:create", &create, &mallory)).success);
        // It exists already.
        assert!(!block_on(host.service.call("workflow:create", &create, &mallory)).success);
        call(
            &host,
            "bob",
            "workflow:roles:put",
            &json!({ "id": "dev", "text": "---\nname: Dev\n---\nDo it" }),
        );
        call(&host, "cid", "workflow:runs:deleteMany", &json!({ "runIds": ["r1"] }));
        call(&host, "dan", "workflow:list", &json!({}));
    });
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().filter(|line| line.contains("carried out")).collect();
    let part = |operation: &str, target: &str, caller: &str| {
        let needles = [
            format!("operation=\"{operation}\""),
            format!("target=\"{target}\""),
            format!("caller={caller}"),
        ];
        lines.iter().filter(|line| needles.iter().all(|needle| line.contains(needle))).count()
    };
    assert_eq!(part("workflow:create", "workflow `other`", r#""m\n\u{1b}[2J""#), 1, "{text}");
    assert_eq!(part("workflow:roles:put", "role `dev`", "\"bob\""), 1, "{text}");
    assert_eq!(part("workflow:runs:delete", "run `r1`", "\"cid\""), 1, "{text}");
    assert!(!text.contains("workflow:list") && !text.contains('\u{1b}'), "{text}");
}
