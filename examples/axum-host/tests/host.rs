//! The host answers over HTTP, and asks its policy.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails is to say where")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

struct Host {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    address: String,
    _home: tempfile::TempDir,
}

impl Host {
    fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_workflow-axum-host"));
        let mut child = command.arg(home.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("http://").unwrap().to_owned();
        Self { child, _stdout: stdout, address, _home: home }
    }

    /// The status and the body of a response.
    fn send(&self, method: &str, path: &str, team: Option<&str>, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let team = team.map(|team| format!("X-Team: {team}\r\n")).unwrap_or_default();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{team}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    fn call(&self, operation: &str, team: Option<&str>, request: &Value) -> (u16, Value) {
        let (status, body) = self.send("POST", &format!("/api/{operation}"), team, &request.to_string());
        (status, serde_json::from_str(&body).unwrap())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_team_runs_and_follows_a_workflow_and_others_only_read() {
    let host = Host::start();
    let ops = Some("ops");
    let text = "workflow: { name: Demo, stages: [plan] }\nplan: { provider: demo, prompt: Plan it }\n";
    let create = json!({ "id": "w", "text": text });
    assert_eq!(host.call("workflow:create", Some("web"), &create).0, 403);
    assert_eq!(host.call("workflow:create", None, &create).0, 403);
    assert_eq!(host.call("workflow:create", ops, &create).0, 200);
    assert_eq!(host.call("workflow:create", ops, &create).0, 409);
    let (status, refused) = host.call("workflow:run", Some("web"), &json!({ "id": "w" }));
    assert_eq!((status, &refused["error"]["message"]), (403, &"web may not run: ask ops".into()));
    let (_, started) = host.call("workflow:run", ops, &json!({ "id": "w", "runId": "first" }));
    assert_eq!(started, json!({ "success": true, "data": { "runId": "first" } }));

    // The stream ends with the run.
    let (status, stream) = host.send("GET", "/runs/first/events", Some("web"), "");
    assert_eq!(status, 200);
    let messages: Vec<Value> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .flat_map(|batch| serde_json::from_str::<Vec<Value>>(batch).unwrap())
        .collect();
    assert_eq!(messages[0]["event"]["type"], "run_created");
    assert_eq!(messages.last().unwrap()["type"], "workflow-run:end");
    let (_, run) = host.call("workflow:runs:get", Some("web"), &json!({ "runId": "first" }));
    assert_eq!(run["data"]["run"]["status"], "completed");
    assert_eq!(host.send("GET", "/runs/none/events", Some("web"), "").0, 404);
    assert_eq!(host.send("GET", "/runs/first/events", None, "").0, 403);
    assert_eq!(host.call("workflow:list", None, &json!({})).0, 403);
}
