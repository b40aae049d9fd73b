//! `--notify`: the targets of `config/notify.yml` are told what happens.

use std::io::Write as _;
use std::process::Stdio;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::home::{Home, until};

const CONFIG: &str = ".orch/config/notify.yml";
const TARGETS: &str = "targets:\n  log: { command: [sh, -c, 'cat >> told; echo >> told'] }\n";

/// What the target was told.
fn told(home: &Home) -> Vec<Value> {
    let text = std::fs::read_to_string(home.path("told")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Sends requests to `serve --stdio`, and returns its responses.
fn serve(home: &Home, args: &[&str], requests: &[Value]) -> Vec<Value> {
    let mut command = home.command(&[&["serve", "--stdio"], args].concat());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for request in requests {
        writeln!(input, "{request}").unwrap();
    }
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    let lines = std::io::BufRead::lines(output).take(requests.len());
    let answers = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    drop(input);
    assert!(child.wait().unwrap().success());
    answers
}

#[test]
fn a_worker_tells_the_targets_of_its_home_and_no_event_twice() {
    let home = Home::with_stages(&[("one", "true")]);
    home.write(CONFIG, TARGETS);
    for id in ["r1", "r2"] {
        let left = home.run(&["run", "stages.workflow.yml", "--run-id", id, "--detach"]);
        assert_eq!(left.code, Some(0), "{left:?}");
        let worker = home.start(&["worker", "--notify"]);
        until("the end of the run is told", || told(&home).iter().any(|told| told["run"]["id"] == id));
        worker.signal(Signal::TERM);
        let ended = worker.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let told: Vec<_> = told(&home).iter().map(|told| json!([told["run"]["id"], told["type"]])).collect();
    assert_eq!(told, [json!(["r1", "run.completed"]), json!(["r2", "run.completed"])]);
}

#[test]
fn a_home_executes_nothing_by_being_served_unless_that_was_asked_for() {
    let home = Home::with_stages(&[("one", "true")]);
    home.write(CONFIG, TARGETS);
    assert_eq!(home.run(&["run", "stages.workflow.yml"]).code, Some(0));
    let test = |id: u64| json!({ "id": id, "operation": "workflow:notifications:test", "request": { "target": "log" } });
    let refused = &serve(&home, &[], &[test(1)])[0];
    assert_eq!(refused["error"]["code"], "not_supported", "{refused}");
    assert!(!home.path("told").exists());
    let sent = &serve(&home, &["--notify"], &[test(1)])[0];
    assert_eq!(sent["data"]["delivered"], true, "{sent}");
    assert!(told(&home).iter().any(|told| told["type"] == "notification.test"));
}

#[test]
fn targets_with_errors_and_secrets_that_are_not_set_are_refused_at_the_start() {
    let home = Home::new();
    home.write(CONFIG, "targets:\n  team: { webhook: nowhere, secret_env: TEAM_SECRET }\n");
    let wrong = home.run(&["worker", "--notify"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("notify.yml:2:20: error: `webhook`"), "{wrong:?}");
    home.write(CONFIG, "targets:\n  team: { webhook: 'https://a.example', secret_env: TEAM_SECRET }\n");
    let unset = home.run(&["worker", "--notify"]);
    assert!(unset.code == Some(2) && unset.stderr.contains("variable TEAM_SECRET"), "{unset:?}");
}
