//! A workflow of a service, a model, an agent that speaks the Agent Client Protocol, and a command line through its own
//! provider, driven by the terminal program: to its end, killed and recovered in each stage, and cancelled in each.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;
use workflow_tests::model_api::Scenario;

use crate::acp::session_can_be_loaded;
use crate::cli::Cli;
use crate::rig::{Rig, wait_until};
use crate::together::Terminal;

for_every_cli! {
    each_kind_of_provider_does_its_part,
    a_program_that_is_killed_in_any_stage_is_recovered,
    a_run_that_is_cancelled_in_any_stage_leaves_nothing,
}

const STAGES: [&str; 4] = ["fetch", "judge", "fix", "tell"];

/// A service with builds, and with a model that speaks the chat completions of OpenAI.
#[derive(Default)]
struct Service {
    /// The stage whose request is not answered.
    holds: Mutex<Option<&'static str>>,
    /// Whether it has such a request.
    is_held: AtomicBool,
}

impl Service {
    fn start() -> (Arc<Self>, String) {
        let (service, listener) = (Arc::new(Self::default()), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("http://{}", listener.local_addr().unwrap());
        let serving = service.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let service = serving.clone();
                thread::spawn(move || service.answer(stream));
            }
        });
        (service, url)
    }

    /// Answers the one request of a connection.
    fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first)?;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? <= 2 {
                break;
            }
            if let Some(told) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = told.trim().parse().unwrap();
            }
        }
        io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
        let (stage, kind, body) = if first.starts_with("GET /builds") {
            ("fetch", "application/json", r#"{"builds":[7]}"#.to_owned())
        } else {
            let said =
                json!({ "choices": [{ "delta": { "content": "Build 7." }, "finish_reason": "stop" }] });
            ("judge", "text/event-stream", format!("data: {said}\n\ndata: [DONE]\n\n"))
        };
        if *self.holds.lock().unwrap() == Some(stage) {
            self.is_held.store(true, Ordering::SeqCst);
            // Until the client closes the connection.
            let closed = io::copy(&mut reader, &mut io::sink());
            self.is_held.store(false, Ordering::SeqCst);
            return closed.map(drop);
        }
        let head = format!("content-type: {kind}\r\ncontent-length: {}\r\nconnection: close", body.len());
        write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}")
    }
}

struct Place {
    cli: Cli,
    terminal: Terminal,
    service: Arc<Service>,
}

impl Place {
    /// A home with the workflow, which hangs in a stage.
    fn new(cli: Cli, hangs_in: Option<&'static str>) -> Self {
        let (rig, (service, url)) = (Rig::new(), Service::start());
        let agent = rig.acp_program(Cli::Gemini, Scenario::Ok);
        let text = json!({
            "workflow": { "name": "Four kinds", "stages": STAGES },
            "fetch": { "provider": "http", "with": { "url": format!("{url}/builds") } },
            "judge": {
                "provider": "model",
                "prompt": "Which of these builds matters most? ${stages.fetch.output}",
                "with": { "model": "m", "base_url": format!("{url}/v1"), "key": "${secrets.model}" },
            },
            "fix": {
                "provider": "acp",
                "prompt": "Fix this build: ${stages.judge.output}",
                "with": { "command": [agent], "allow": ["*"] },
            },
            "tell": {
                "provider": cli.name(),
                "prompt": "Write a note about this change: ${stages.fix.output}",
                "with": cli.options(),
            },
        });
        let workflows = rig.work().join(".orch/workflows");
        fs::create_dir_all(&workflows).unwrap();
        fs::write(workflows.join("work.workflow.yml"), text.to_string()).unwrap();
        let mut place = Self { cli, terminal: Terminal { rig, environment: Vec::new() }, service };
        place.hang_in(hangs_in);
        place
    }

    fn hang_in(&mut self, stage: Option<&'static str>) {
        let scenario = |of| if stage == Some(of) { Scenario::SlowTool } else { Scenario::Ok };
        let rig = &self.terminal.rig;
        rig.acp_program(Cli::Gemini, scenario("fix"));
        let mut environment = rig.environment(&[(self.cli, scenario("tell"))]);
        for (name, value) in
            [("WORKFLOW_SECRET_model", "key-of-the-model"), ("WORKFLOW_PRIVATE_HOSTS", "127.0.0.1")]
        {
            environment.push((name.to_owned(), value.to_owned()));
        }
        self.terminal.environment = environment;
        *self.service.holds.lock().unwrap() = stage;
    }

    /// Whether the run hangs.
    fn hangs(&self) -> bool {
        self.service.is_held.load(Ordering::SeqCst) || self.terminal.rig.is_in_the_tool()
    }

    /// Nothing of the run is left: no connection, and no process.
    fn has_nothing_left(&self) {
        wait_until(|| !self.service.is_held.load(Ordering::SeqCst));
        assert_eq!(self.terminal.rig.processes(), [""; 0]);
    }

    fn has_completed(&self) {
        assert_eq!(self.terminal.events().last().unwrap()["type"], "run_completed");
        assert_eq!(STAGES.map(|stage| self.terminal.count("attempt_succeeded", stage)), [1; 4]);
    }
}

fn each_kind_of_provider_does_its_part(cli: Cli) {
    let place = Place::new(cli, None);
    let ran = place.terminal.run_to_its_end();
    assert!(ran.status.success(), "{ran:?}");
    place.has_completed();
    place.has_nothing_left();
    let asked = place.terminal.rig.api.asked();
    assert!(
        asked.iter().any(|asked| asked.mentions("Fix this build: Build 7.")),
        "the agent has the model's answer"
    );
}

fn a_program_that_is_killed_in_any_stage_is_recovered(cli: Cli) {
    for stage in STAGES {
        let mut place = Place::new(cli, Some(stage));
        let mut child = place.terminal.run_until(|| place.hangs());
        child.kill().unwrap();
        child.wait().unwrap();
        place.hang_in(None);
        if stage == "fix" {
            session_can_be_loaded(Cli::Gemini);
        }
        let recovered = place.terminal.recover();
        assert!(recovered.status.success(), "{stage}: {recovered:?}");
        place.has_completed();
        assert_eq!(place.terminal.count("attempt_interrupted", stage), 1, "{stage}");
        place.has_nothing_left();
    }
}

fn a_run_that_is_cancelled_in_any_stage_leaves_nothing(cli: Cli) {
    for stage in STAGES {
        let place = Place::new(cli, Some(stage));
        let mut child = place.terminal.run_until(|| place.hangs());
        place.terminal.cancel();
        assert_eq!(child.wait().unwrap().code(), Some(3), "{stage}: the run was cancelled");
        assert_eq!(place.terminal.events().last().unwrap()["type"], "run_cancelled", "{stage}");
        place.has_nothing_left();
    }
}
