//! `serve`: the host interface for other programs, over standard input and output and over HTTP.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::home::{Home, Started, line, until};

/// A program that speaks JSON lines.
struct Client(Child, std::io::BufReader<std::process::ChildStdout>, u64);

impl Client {
    fn of(home: &Home) -> Self {
        let mut command = home.command(&["serve", "--stdio"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().unwrap();
        let stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        Self(child, stdout, 0)
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
    }

    /// Sends a request, and reads its response.
    fn call(&mut self, operation: &str, request: &Value) -> Value {
        self.2 += 1;
        let line = json!({ "id": self.2, "operation": operation, "request": request });
        writeln!(self.0.stdin.as_mut().unwrap(), "{line}").unwrap();
        loop {
            let answer = self.read();
            if answer["id"] == self.2 {
                return answer;
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn another_program_creates_starts_follows_and_answers_over_standard_input_and_output() {
    let home = Home::new();
    let mut client = Client::of(&home);
    assert_eq!(client.call("service:hello", &json!({ "protocol": 1 }))["success"], true);
    let text = "workflow: { name: Ship it, stages: [build, ship] }\n\
                build: { provider: command, with: { command: [echo, built] } }\n\
                ship: { provider: command, with: { command: [echo, shipped] }, approval: \"Ship it?\" }\n";
    assert_eq!(client.call("workflow:create", &json!({ "id": "ship", "text": text }))["success"], true);
    let started = client.call("workflow:run", &json!({ "id": "ship", "runId": "first" }));
    assert_eq!(started["data"]["runId"], "first");
    let subscribe = json!({ "runs": [{ "runId": "first", "afterOutput": 0 }] });
    let subscription = client.call("workflow:runs:subscribe", &subscribe)["data"]["subscription"].clone();
    let (mut lines, mut answered) = (Vec::new(), false);
    loop {
        let news = client.read();
        if news["ended"] == true {
            assert_eq!(news["subscription"], subscription);
            break;
        }
        for message in news["messages"].as_array().into_iter().flatten() {
            if message["type"] == "workflow-run:output" {
                lines.push(message["entry"]["text"].as_str().unwrap().to_owned());
            }
            if message["event"]["type"] == "run_waiting" && !answered {
                answered = true;
                let wait = &message["event"]["data"]["wait"]["number"];
                let request = json!({ "runId": "first", "wait": wait, "value": { "approved": true } });
                let line = json!({ "id": 99, "operation": "workflow:runs:answer", "request": request });
                writeln!(client.0.stdin.as_mut().unwrap(), "{line}").unwrap();
            }
        }
    }
    assert_eq!(lines, ["built", "shipped"]);
    // The input ends, and so does the program.
    drop(client.0.stdin.take());
    assert_eq!(client.0.wait().unwrap().code(), Some(0));
    assert_eq!(home.show("first")["status"], "completed");
}

/// Calls an operation over HTTP: the status, and the body.
fn post(url: &str, operation: &str, token: &str, request: &Value) -> (u16, Value) {
    let host = url.trim().strip_prefix("http://").unwrap();
    let body = request.to_string();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST /api/v1/{operation} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[test]
fn an_http_client_with_the_token_starts_runs_and_others_do_not() {
    let home = Home::with_stages(&[("one", "echo done")]);
    let text = home.read("stages.workflow.yml");
    home.write(".orch/workflows/stages.workflow.yml", &text);
    let mut server = home.start(&["serve", "--listen", "127.0.0.1:0"]);
    let url = line(&mut server.stdout());
    let token = home.read(".orch/serve-token");
    let mode = std::fs::metadata(home.path(".orch/serve-token")).unwrap().permissions().mode();
    assert_eq!((token.len(), mode & 0o777), (32, 0o600));
    assert_eq!(post(&url, "workflow:list", "not-the-token-at-all", &json!({})).0, 401);
    let (status, started) = post(&url, "workflow:run", &token, &json!({ "id": "stages", "runId": "first" }));
    assert_eq!((status, &started["data"]["runId"]), (200, &"first".into()));
    until("the run has completed", || {
        post(&url, "workflow:runs:get", &token, &json!({ "runId": "first" })).1["data"]["run"]["status"]
            == "completed"
    });
    // The token does not allow changes unless the server was started with `--allow edit`.
    assert_eq!(post(&url, "workflow:delete", &token, &json!({ "id": "stages" })).0, 403);
    server.signal(Signal::TERM);
    assert_eq!(server.wait().code, Some(0));
}

#[test]
fn a_server_that_was_killed_resumes_its_runs_when_it_starts_again() {
    let home = Home::with_stages(&[
        ("one", "touch begun; while [ ! -e gate ]; do sleep 0.05; done"),
        ("two", "true"),
    ]);
    let text = home.read("stages.workflow.yml");
    home.write(".orch/workflows/stages.workflow.yml", &text);
    let mut server = home.start(&["serve", "--listen", "127.0.0.1:0"]);
    let url = line(&mut server.stdout());
    let token = home.read(".orch/serve-token");
    assert_eq!(post(&url, "workflow:run", &token, &json!({ "id": "stages", "runId": "first" })).0, 200);
    until("the run has begun", || home.path("begun").exists());
    server.signal(Signal::KILL);
    drop(server);
    home.write("gate", "");
    let _again: Started = home.start(&["serve", "--listen", "127.0.0.1:0"]);
    until("the run has completed", || home.show("first")["status"] == "completed");
}

#[test]
fn a_server_raises_the_limit_of_open_files_for_its_streams() {
    let home = Home::with_stages(&[("one", "ulimit -n >limit")]);
    let text = home.read("stages.workflow.yml");
    home.write(".orch/workflows/stages.workflow.yml", &text);
    let program = home.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -Sn 256 && exec \"$0\" \"$@\""]).arg(program.get_program());
    limited.args(program.get_args()).current_dir(home.path("")).env_clear();
    limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = limited.stdout(Stdio::piped()).spawn().unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut server = Client(child, output, 0);
    let mut url = String::new();
    server.1.read_line(&mut url).unwrap();
    let token = home.read(".orch/serve-token");
    let run = json!({ "id": "stages", "runId": "first" });
    assert_eq!(post(url.trim(), "workflow:run", &token, &run).0, 200);
    until("the run has completed", || home.show("first")["status"] == "completed");
    let limit = home.read("limit");
    assert!(limit.trim().parse::<u64>().is_ok_and(|limit| limit > 256) || limit == "unlimited\n", "{limit}");
}

#[test]
fn a_token_that_others_can_read_is_refused() {
    let home = Home::new();
    home.write("token", "a-token-of-some-length");
    std::fs::set_permissions(home.path("token"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = home.run(&["serve", "--token-file", "token"]);
    assert!(refused.stderr.contains("chmod 600 token"), "{refused:?}");
}

/// A message of the Model Context Protocol.
fn request(id: u64, method: &str, params: &Value) -> String {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string()
}

#[test]
fn an_agent_runs_a_workflow_over_standard_input_and_output_and_ends_the_program_with_its_input() {
    let home = Home::with_stages(&[("one", "echo done; echo noise >&2")]);
    let text = home.read("stages.workflow.yml");
    home.write(".orch/workflows/stages.workflow.yml", &text);
    let mut command = home.command(&["mcp"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env("WORKFLOW_LOG", "trace").spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let client = json!({ "name": "test", "version": "1" });
    let initialize = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let run = json!({ "id": "stages", "runId": "first", "waitSeconds": 60 });
    writeln!(input, "{}", request(1, "initialize", &initialize)).unwrap();
    writeln!(input, "{}", json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).unwrap();
    writeln!(input, "{}", request(2, "tools/call", &json!({ "name": "run_workflow", "arguments": run })))
        .unwrap();
    // Standard error is read too, so that a full pipe does not stop the program.
    let mut stderr = child.stderr.take().unwrap();
    let log = std::thread::spawn(move || {
        let mut log = Vec::new();
        stderr.read_to_end(&mut log).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    });
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut result = Value::Null;
    while result.is_null() {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let message: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
        assert_eq!(message["jsonrpc"], "2.0", "{line}");
        if message["id"] == 2 {
            result = message["result"]["structuredContent"].clone();
        }
    }
    assert_eq!(
        (&result["runId"], &result["run"]["status"]),
        (&"first".into(), &"completed".into()),
        "{result}"
    );
    drop(input);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!((child.wait().unwrap().code(), rest.as_str()), (Some(0), ""));
    assert!(log.join().unwrap().contains("TRACE"), "the log goes to standard error");
}

#[test]
fn an_agent_that_may_only_read_cannot_start_a_run_and_a_signal_ends_the_program() {
    let home = Home::with_stages(&[("one", "true")]);
    let text = home.read("stages.workflow.yml");
    home.write(".orch/workflows/stages.workflow.yml", &text);
    let mut command = home.command(&["mcp", "--read-only"]);
    let mut agent = Started::of(command.stdin(Stdio::piped()));
    let mut input = agent.stdin();
    let client = json!({ "name": "test", "version": "1" });
    let initialize = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    writeln!(input, "{}", request(1, "initialize", &initialize)).unwrap();
    let call = json!({ "name": "run_workflow", "arguments": { "id": "stages" } });
    writeln!(input, "{}", request(2, "tools/call", &call)).unwrap();
    let mut output = agent.stdout();
    let messages = [line(&mut output), line(&mut output)];
    let answer: Value = serde_json::from_str(&messages[1]).unwrap();
    assert_eq!(answer["result"]["structuredContent"]["code"], "forbidden", "{answer}");
    // Its input is still open.
    agent.signal(Signal::TERM);
    assert_eq!(agent.wait().code, Some(0));
    drop(input);
}
