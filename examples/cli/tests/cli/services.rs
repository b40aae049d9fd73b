//! A workflow of a service, a model, an agent that speaks ACP, and an agent's own program, against fakes on loopback:
//! run, killed and recovered in each of its stages, and cancelled in each.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustix::process::Signal;

use super::home::{Home, Started, copy, until};
use super::service::{Act, Asked, Service, json, response};

/// The stages, and the files that make them wait and that show that they do.
const STAGES: [&str; 4] = ["fetch", "judge", "fix", "tell"];

const KEY: &str = "model-key-123456";

const GEMINI: &str = r#"#!/bin/sh
waits() {
    touch "begun-$1"
    if [ -e "wait-$1" ]; then sleep 600; fi
}
if [ "$1" = --acp ]; then
    while read -r line; do
        case $line in
            *'"method":"initialize"'*) echo '{"id":1,"result":{"protocolVersion":1}}' ;;
            *'"method":"session/new"'*) echo '{"id":2,"result":{"sessionId":"s"}}' ;;
            *'"method":"session/prompt"'*)
                waits fix
                echo '{"method":"session/update","params":{"sessionId":"s","update":{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"It is fixed."}}}}'
                echo '{"id":3,"result":{"stopReason":"end_turn"}}' ;;
        esac
    done
    exit
fi
cat > prompt
waits tell
echo '{"type":"message","role":"assistant","content":"A note."}'
echo '{"type":"result","status":"success"}'
"#;

struct Place {
    home: Home,
    service: Service,
    run: String,
}

impl Place {
    fn new(name: &str) -> Self {
        let home = Home::new();
        let workflows = Path::new(env!("CARGO_MANIFEST_DIR")).join("../workflows/services");
        copy(&workflows, &home.path("services"));
        home.write("bin/gemini", GEMINI);
        fs::set_permissions(home.path("bin/gemini"), fs::Permissions::from_mode(0o755)).unwrap();
        let folder = home.path("");
        let service = Service::start(move |asked| answer(&folder, asked));
        Self { home, service, run: format!("{name}-{}", std::process::id()) }
    }

    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.home.command(args);
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.home.path("bin").display()));
        command.env("WORKFLOW_SECRET_model", KEY).env("WORKFLOW_PRIVATE_HOSTS", "127.0.0.1");
        command
    }

    fn start(&self) -> Started {
        let service = format!("service={}", self.service.url(""));
        let file = "services/four-kinds.workflow.yml";
        Started::of(&mut self.command(&["run", file, "--run-id", &self.run, "--var", &service]))
    }

    /// Starts the run, and waits until the stage waits for its agent or service.
    fn start_until(&self, stage: &str) -> Started {
        self.home.write(&format!("wait-{stage}"), "");
        let run = self.start();
        until(stage, || self.home.path(&format!("begun-{stage}")).exists());
        run
    }

    fn status(&self) -> String {
        self.home.show(&self.run)["status"].as_str().unwrap().to_owned()
    }

    /// Waits until there is neither a connection nor a process of the run.
    fn nothing_is_left(&self) {
        self.service.wait_for_open(0);
        until("no process is left", || processes(&self.run).is_empty());
    }
}

/// The processes with the marker of a run.
fn processes(run: &str) -> Vec<String> {
    let entry = format!("WORKFLOW_RUN_ID={run}");
    let carries = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|other| other == entry.as_bytes())
    };
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(carries).collect()
}

fn answer(folder: &Path, asked: &Asked) -> Vec<Act> {
    let (stage, acts) = match asked.path() {
        "/builds?state=failed" => ("fetch", json(r#"{"builds":[7]}"#)),
        "/v1/chat/completions" => {
            let events = [
                r#"{"choices":[{"delta":{"content":"Build 7."}}]}"#,
                r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
                r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2}}"#,
            ];
            let body: Vec<_> = events.iter().map(|event| format!("data: {event}\n\n")).collect();
            ("judge", response(200, &[("content-type", "text/event-stream")], &body.concat()))
        }
        _ => return response(404, &[], ""),
    };
    fs::write(folder.join(format!("begun-{stage}")), "").unwrap();
    if folder.join(format!("wait-{stage}")).exists() { vec![Act::Hang] } else { acts }
}

#[test]
fn each_kind_of_provider_does_its_part() {
    let place = Place::new("parts");
    place.home.write(".orch/config/prices.yml", "qwen3:8b: { input: 100000, output: 0 }\n");
    let ended = place.start().wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let prompt = place.home.read("prompt");
    assert_eq!(prompt, "Write a note about this change: It is fixed.");
    let asked = place.service.asked();
    assert!(asked[1].body.contains(r#"{\"builds\":[7]}"#), "{}", asked[1].body);
    assert_eq!(asked[1].header("authorization"), Some(&*format!("Bearer {KEY}")));
    let log = serde_json::to_string(&place.home.log(&place.run)).unwrap();
    assert!(log.contains("\"cost_usd\":1.0") && !log.contains(KEY), "{log}");
    place.nothing_is_left();
}

#[test]
fn a_private_address_is_refused_unless_the_user_allows_it() {
    let place = Place::new("refused");
    let service = format!("service={}", place.service.url(""));
    let args = ["run", "services/four-kinds.workflow.yml", "--run-id", &place.run, "--var", &service];
    let ended = place.command(&args).env_remove("WORKFLOW_PRIVATE_HOSTS").output().unwrap();
    assert_eq!(ended.status.code(), Some(1));
    let shown = place.home.run(&["show", &place.run]).stdout;
    assert!(shown.contains("127.0.0.1, an address of this machine"), "{shown}");
    assert!(place.service.asked().is_empty());
    let args = ["runs"];
    let wrong = place.command(&args).env("WORKFLOW_PRIVATE_HOSTS", "http://x").output().unwrap();
    let told = String::from_utf8(wrong.stderr).unwrap();
    assert!(told.contains("WORKFLOW_PRIVATE_HOSTS: `http://x` names no host"), "{told}");
}

#[test]
fn a_program_that_is_killed_in_any_stage_is_recovered() {
    for stage in STAGES {
        let place = Place::new(&format!("killed-in-{stage}"));
        let run = place.start_until(stage);
        run.signal(Signal::KILL);
        run.wait();
        fs::remove_file(place.home.path(&format!("wait-{stage}"))).unwrap();
        let recovered = place.command(&["recover"]).output().unwrap();
        assert_eq!(recovered.status.code(), Some(0), "{stage}: {recovered:?}");
        assert_eq!(place.status(), "completed", "{stage}");
        place.nothing_is_left();
    }
}

#[test]
fn a_run_that_is_cancelled_in_any_stage_leaves_nothing() {
    for stage in STAGES {
        let place = Place::new(&format!("cancelled-in-{stage}"));
        let run = place.start_until(stage);
        let cancelled = place.command(&["cancel", &place.run]).output().unwrap();
        assert_eq!(cancelled.status.code(), Some(0), "{stage}: {cancelled:?}");
        run.wait();
        assert_eq!(place.status(), "cancelled", "{stage}");
        place.nothing_is_left();
    }
}
