//! The tools and resources of agents, over two streams.
#![allow(clippy::needless_pass_by_value, reason = "the calls of tests are easier to read")]

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{
    AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use workflow_service::{Caller, Scope, mcp};

use crate::host::Host;

/// A client of the protocol, message by message.
struct Client {
    runtime: Runtime,
    output: BufReader<ReadHalf<DuplexStream>>,
    input: WriteHalf<DuplexStream>,
    serving: JoinHandle<std::io::Result<()>>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    id: u64,
    /// The notifications that were received.
    told: Vec<Value>,
}

impl Client {
    /// A client of a service that has not said anything yet.
    fn silent(host: &Host, caller: Caller) -> Self {
        let runtime = Runtime::new().unwrap();
        let (ours, theirs) = duplex(1 << 20);
        let (input, output) = split(theirs);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopped = async move { drop(stopped.await) };
        let serving = runtime.spawn(mcp::serve(host.service.clone(), caller, input, output, stopped));
        let (output, input) = split(ours);
        Self {
            runtime,
            output: BufReader::new(output),
            input,
            serving,
            stop: Some(stop),
            id: 0,
            told: Vec::new(),
        }
    }

    fn new(host: &Host, scopes: &[Scope]) -> Self {
        let mut client = Self::silent(host, Caller::new("agent", "mcp").scopes(scopes.iter().copied()));
        let answer = client.initialize("2025-11-25");
        assert_eq!(answer["result"]["serverInfo"]["name"], "workflow", "{answer}");
        client
    }

    fn initialize(&mut self, version: &str) -> Value {
        let client = json!({ "name": "test", "version": "1" });
        let answer = self.request(
            "initialize",
            json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client }),
        );
        self.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        answer
    }

    fn send(&mut self, message: &Value) {
        let line = format!("{message}\n");
        self.runtime.block_on(self.input.write_all(line.as_bytes())).unwrap();
    }

    /// The next line, which has to be a message of the protocol; `None` at the end.
    fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.output.read_line(&mut line);
        let length =
            self.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), read).await });
        (length.unwrap().unwrap() > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    fn ask(&mut self, method: &str, params: Value) -> u64 {
        self.id += 1;
        let id = self.id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        id
    }

    fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.read().unwrap();
            if message["id"] == id {
                return message;
            }
            self.told.push(message);
        }
    }

    fn request(&mut self, method: &str, params: Value) -> Value {
        let id = self.ask(method, params);
        self.answer(id)
    }

    fn tool(&mut self, name: &str, arguments: Value) -> Value {
        let answer = self.request("tools/call", json!({ "name": name, "arguments": arguments }));
        let result = answer["result"].clone();
        assert!(result.is_object(), "{answer}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"], "the text is for clients that read nothing else");
        result
    }

    fn data(&mut self, name: &str, arguments: Value) -> Value {
        let result = self.tool(name, arguments);
        assert_eq!(result["isError"], false, "{result}");
        result["structuredContent"].clone()
    }

    /// The code of an error.
    fn code(&mut self, name: &str, arguments: Value) -> String {
        let result = self.tool(name, arguments);
        assert_eq!(result["isError"], true, "{result}");
        result["structuredContent"]["code"].as_str().unwrap().to_owned()
    }

    /// Ends what the server reads.
    fn close(&mut self) {
        self.runtime.block_on(self.input.shutdown()).unwrap();
    }

    /// Waits for the end of the session.
    fn ended(mut self) -> std::io::Result<()> {
        while self.read().is_some() {}
        self.runtime.block_on(&mut self.serving).unwrap()
    }
}

const AGENT: [Scope; 2] = [Scope::Read, Scope::Run];

fn host() -> Host {
    let host = Host::new();
    let text = "workflow: { name: Ship, description: Ships it, stages: [plan, ship] }\n\
                plan: { provider: echo, prompt: \"plan ${vars.what}\" }\n\
                ship: { provider: echo, prompt: ship, approval: \"Ship it?\" }\n";
    host.data("workflow:create", &json!({ "id": "ship", "text": text }).to_string());
    host
}

/// Drives a run from a thread, until it is idle.
fn drive(client: &Client, host: &Host, run: &str) {
    let (engine, run) = (host.service.engine().clone(), run.parse().unwrap());
    client.runtime.spawn(async move { engine.drive(&run).await });
}

#[test]
fn an_agent_finds_runs_follows_answers_and_reads_a_workflow() {
    let host = host();
    let mut client = Client::new(&host, &AGENT);
    let listed = client.data("list_workflows", json!({ "search": "SHIP" }));
    assert_eq!(listed["workflows"][0]["id"], "ship");
    let described = client.data("describe_workflow", json!({ "id": "ship" }));
    assert_eq!(described["inputs"]["inputs"][0]["name"], "what");
    assert!(described["workflow"]["text"].as_str().unwrap().contains("Ship it?"), "{described}");

    let started =
        client.data("run_workflow", json!({ "id": "ship", "runId": "first", "vars": { "what": "all" } }));
    assert_eq!(started, json!({ "runId": "first" }));
    let id = client.ask(
        "tools/call",
        json!({
            "name": "run_status",
            "arguments": { "runId": "first", "waitSeconds": 60 },
            "_meta": { "progressToken": "t" },
        }),
    );
    // It follows the run now.
    let created = client.read().unwrap();
    assert_eq!(created["params"]["message"], "run pending", "{created}");
    client.told.push(created);
    drive(&client, &host, "first");
    let waiting = client.answer(id)["result"]["structuredContent"].clone();
    assert_eq!(waiting["run"]["waits"][0]["question"], "Ship it?", "{waiting}");
    assert_eq!(waiting["run"]["context"]["stages"]["plan"]["output"], "plan all");
    let progress: Vec<_> =
        client.told.iter().filter(|told| told["method"] == "notifications/progress").collect();
    let numbers: Vec<_> = progress.iter().map(|told| told["params"]["progress"].as_f64().unwrap()).collect();
    assert!(numbers.len() > 1 && numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
    assert!(progress.iter().all(|told| told["params"]["progressToken"] == "t"));

    let wait = &waiting["run"]["waits"][0]["number"];
    client.data("answer_run", json!({ "runId": "first", "wait": wait, "value": true }));
    // The next wait tells nothing that happened before it.
    let id = client.ask(
        "tools/call",
        json!({
            "name": "run_status",
            "arguments": { "runId": "first", "waitSeconds": 60 },
            "_meta": { "progressToken": "u" },
        }),
    );
    drive(&client, &host, "first");
    let done = client.answer(id)["result"]["structuredContent"].clone();
    assert_eq!(done["run"]["status"], "completed");
    let last = waiting["run"]["lastEvent"].as_f64().unwrap();
    let later = client.told.iter().filter(|told| told["params"]["progressToken"] == "u");
    assert!(later.clone().all(|told| told["params"]["progress"].as_f64().unwrap() >= last));
    let logs = client.data("run_logs", json!({ "runId": "first", "stage": "plan" }));
    assert_eq!(logs["entries"][0]["text"], "plan all");

    let again = json!({ "id": "ship", "runId": "second", "vars": { "what": "all" } });
    client.data("run_workflow", again);
    let cancelled = client.data("cancel_run", json!({ "runId": "second" }));
    assert_eq!(cancelled["run"]["status"], "cancelled");
}

#[test]
fn each_tool_says_what_does_not_exist_and_what_is_wrong_with_its_arguments() {
    let host = host();
    let mut client = Client::new(&host, &AGENT);
    let answer = json!({ "runId": "none", "wait": 1, "value": true });
    for (tool, arguments) in [
        ("describe_workflow", json!({ "id": "none" })),
        ("run_workflow", json!({ "id": "none" })),
        ("run_status", json!({ "runId": "none" })),
        ("run_status", json!({ "runId": "none", "waitSeconds": 1 })),
        ("run_logs", json!({ "runId": "none" })),
        ("answer_run", answer),
        ("cancel_run", json!({ "runId": "none" })),
    ] {
        assert_eq!(client.code(tool, arguments), "not_found", "{tool}");
    }
    for tool in [
        "list_workflows",
        "describe_workflow",
        "run_workflow",
        "run_status",
        "run_logs",
        "answer_run",
        "cancel_run",
    ] {
        assert_eq!(client.code(tool, json!({ "nonsense": 1 })), "invalid_request", "{tool}");
    }
    for wait in [json!(-1), json!(3_601), json!("1")] {
        let arguments = json!({ "runId": "none", "waitSeconds": wait });
        assert_eq!(client.code("run_status", arguments), "invalid_request");
    }
    let unknown = client.request("tools/call", json!({ "name": "run_workflows" }));
    let message = unknown["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("there is no tool `run_workflows`") && message.contains("run_workflow`"),
        "{message}"
    );
}

#[test]
fn the_policy_decides_about_tools_and_resources() {
    let host = host();
    host.data("workflow:run", r#"{ "id": "ship", "runId": "first", "vars": { "what": "all" } }"#);
    let answer = json!({ "runId": "first", "wait": 1, "value": true });
    let mut reader = Client::new(&host, &[Scope::Read]);
    for (tool, arguments) in [
        ("run_workflow", json!({ "id": "ship" })),
        ("answer_run", answer),
        ("cancel_run", json!({ "runId": "first" })),
    ] {
        assert_eq!(reader.code(tool, arguments), "forbidden", "{tool}");
    }
    assert_eq!(reader.data("run_status", json!({ "runId": "first" }))["run"]["runId"], "first");
    let mut unknown = Client::new(&host, &[]);
    for (tool, arguments) in [
        ("list_workflows", json!({})),
        ("describe_workflow", json!({ "id": "ship" })),
        ("run_status", json!({ "runId": "first" })),
        ("run_status", json!({ "runId": "first", "waitSeconds": 60 })),
        ("run_logs", json!({ "runId": "first" })),
    ] {
        assert_eq!(unknown.code(tool, arguments), "forbidden", "{tool}");
    }
    let report = json!({ "uri": "workflow://runs/first/report" });
    assert_eq!(unknown.request("resources/read", report)["error"]["data"]["code"], "forbidden");
    for (method, params) in
        [("resources/list", json!({})), ("resources/read", json!({ "uri": "workflow://runs/first" }))]
    {
        assert_eq!(unknown.request(method, params)["error"]["data"]["code"], "forbidden", "{method}");
    }
}

#[test]
fn tools_have_the_schemas_of_their_operations_and_say_what_changes_something() {
    let mut client = Client::new(&host(), &AGENT);
    let listed = client.request("tools/list", json!({}))["result"]["tools"].clone();
    let hints = |tool: &Value| {
        let annotations = &tool["annotations"];
        (annotations["readOnlyHint"] == true, annotations["destructiveHint"] == true)
    };
    let found: Vec<_> =
        listed.as_array().unwrap().iter().map(|tool| (tool["name"].as_str().unwrap(), hints(tool))).collect();
    let (reads, changes) = ((true, false), (false, true));
    let expected = [
        ("list_workflows", reads),
        ("describe_workflow", reads),
        ("run_workflow", changes),
        ("run_status", reads),
        ("run_logs", reads),
        ("answer_run", changes),
        ("cancel_run", changes),
    ];
    assert_eq!(found, expected);
    for tool in listed.as_array().unwrap() {
        let schema = &tool["inputSchema"];
        assert_eq!(schema["type"], "object", "{tool}");
        assert!(!schema.to_string().contains("$ref"), "{tool}");
        jsonschema::validator_for(schema).unwrap();
    }
    let run = &listed[2]["inputSchema"];
    assert_eq!(run["required"], json!(["id"]));
    assert!(run["properties"]["idempotencyKey"].is_object() && run["properties"]["waitSeconds"].is_object());
    let validator = jsonschema::validator_for(run).unwrap();
    assert!(validator.is_valid(&json!({ "id": "ship", "vars": { "what": 1 }, "onFailure": "retry" })));
    assert!(
        !validator.is_valid(&json!({ "id": "not an id!" })) || !validator.is_valid(&json!({ "vars": 1 }))
    );
}

#[test]
fn runs_and_their_reports_are_resources() {
    let host = host();
    host.data("workflow:run", r#"{ "id": "ship", "runId": "first", "vars": { "what": "all" } }"#);
    let mut client = Client::new(&host, &AGENT);
    let listed = client.request("resources/list", json!({}))["result"]["resources"].clone();
    assert_eq!(listed[0]["uri"], "workflow://runs/first/report", "{listed}");
    let templates =
        client.request("resources/templates/list", json!({}))["result"]["resourceTemplates"].clone();
    let uris = [&templates[0]["uriTemplate"], &templates[1]["uriTemplate"]];
    assert_eq!(uris, ["workflow://runs/{runId}/report", "workflow://runs/{runId}"]);
    let report =
        client.request("resources/read", json!({ "uri": "workflow://runs/first/report" }))["result"].clone();
    assert_eq!(report["contents"][0]["mimeType"], "text/markdown");
    assert!(report["contents"][0]["text"].as_str().unwrap().contains("first"), "{report}");
    let read = client.request("resources/read", json!({ "uri": "workflow://runs/first" }))["result"].clone();
    let text: Value = serde_json::from_str(read["contents"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!((&text["run"]["runId"], &text["run"]["status"]), (&"first".into(), &"pending".into()));
    for uri in [
        "workflow://runs/none",
        "workflow://runs/none/report",
        "workflow://runs//report",
        "workflow://runs/../first",
        "file:///etc/passwd",
    ] {
        let error = client.request("resources/read", json!({ "uri": uri }))["error"].clone();
        assert_eq!(
            (&error["code"], &error["data"]["code"]),
            (&(-32002).into(), &"not_found".into()),
            "{uri}"
        );
    }
    let cursor = client.request("resources/list", json!({ "cursor": "a b" }));
    assert_eq!(cursor["error"]["code"], -32602, "{cursor}");
}

#[test]
fn old_clients_get_their_version_of_the_protocol_and_newer_ones_are_told_which_one_there_is() {
    let host = host();
    for (asked, agreed) in [
        ("2024-11-05", "2024-11-05"),
        ("2025-06-18", "2025-06-18"),
        ("2025-11-25", "2025-11-25"),
        // The client of that version can continue with the one that it is offered, or say what to update.
        ("2099-01-01", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ] {
        let mut client = Client::silent(&host, Caller::new("agent", "mcp"));
        let answer = client.initialize(asked);
        assert_eq!(answer["result"]["protocolVersion"], agreed, "{asked}");
        assert_eq!(answer["result"]["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(client.data("list_workflows", json!({}))["workflows"][0]["id"], "ship");
    }
}

#[test]
fn the_session_ends_with_its_input_also_while_a_tool_waits() {
    let host = host();
    host.data("workflow:run", r#"{ "id": "ship", "runId": "first", "vars": { "what": "all" } }"#);
    let waits = json!({ "name": "run_status", "arguments": { "runId": "first", "waitSeconds": 3_600 } });
    let mut client = Client::new(&host, &AGENT);
    let id = client.ask("tools/call", waits.clone());
    client.close();
    // The request that was in progress is answered with the run as it was read last.
    assert_eq!(client.answer(id)["result"]["structuredContent"]["run"]["status"], "pending");
    client.ended().unwrap();

    let mut stopped = Client::new(&host, &AGENT);
    stopped.ask("tools/call", waits);
    drop(stopped.stop.take());
    stopped.ended().unwrap();

    let mut silent = Client::silent(&host, Caller::new("agent", "mcp"));
    silent.close();
    silent.ended().unwrap();

    let mut confused = Client::silent(&host, Caller::new("agent", "mcp"));
    confused.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    assert!(confused.ended().unwrap_err().to_string().contains("initialize"));
}

#[test]
fn a_call_that_the_client_cancels_stops_waiting_and_the_session_continues() {
    let host = host();
    host.data("workflow:run", r#"{ "id": "ship", "runId": "first", "vars": { "what": "all" } }"#);
    let mut client = Client::new(&host, &AGENT);
    let waits = json!({ "name": "run_status", "arguments": { "runId": "first", "waitSeconds": 3_600 } });
    let id = client.ask("tools/call", waits);
    let cancel =
        json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
    client.send(&cancel);
    assert_eq!(client.data("run_status", json!({ "runId": "first" }))["run"]["status"], "pending");
    // Nothing keeps the run from being deleted.
    assert!(host.call("workflow:runs:cancel", r#"{ "runId": "first" }"#).success);
    assert!(host.call("workflow:runs:delete", r#"{ "runId": "first" }"#).success);
}

#[test]
fn a_tool_that_waits_for_a_run_returns_when_the_run_is_paused() {
    let host = host();
    host.data("workflow:run", r#"{ "id": "ship", "runId": "first", "vars": { "what": "all" } }"#);
    let mut client = Client::new(&host, &AGENT);
    let call = json!({
        "name": "run_status",
        "arguments": { "runId": "first", "waitSeconds": 3_600 },
        "_meta": { "progressToken": "t" },
    });
    let id = client.ask("tools/call", call);
    // It follows the run now.
    assert_eq!(client.read().unwrap()["params"]["message"], "run pending");
    host.data("workflow:runs:pause", r#"{ "runId": "first" }"#);
    assert_eq!(client.answer(id)["result"]["structuredContent"]["run"]["status"], "paused");
}
