//! Plan, code, test, check with an agent for each stage, driven by the terminal program: to its end, killed
//! and recovered, and cancelled.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use futures::executor::block_on;
use serde_json::Value;
use workflow_core::ids::RunId;
use workflow_core::store::RunStore as _;
use workflow_store::SqliteStore;
use workflow_tests::model_api::Scenario;

use crate::cli::{ALL, Cli, told_by_the_chore};
use crate::rig::{Rig, all_in, wait_until};

for_every_cli! {
    a_program_that_is_killed_in_its_tool_is_recovered,
    a_run_that_is_cancelled_in_its_tool_leaves_no_process,
}

/// A home with the workflow `work`, and the terminal program.
pub(crate) struct Terminal {
    pub(crate) rig: Rig,
    pub(crate) environment: Vec<(String, String)>,
}

impl Terminal {
    /// The template: every agent answers, except for the one that hangs in its tool.
    fn new(in_its_tool: Option<Cli>) -> Self {
        let mut terminal = Self { rig: Rig::new(), environment: Vec::new() };
        terminal.answer(in_its_tool);
        let made = terminal.run(&["new", "work", "--template", "plan-code-test-check"]);
        assert!(made.status.success(), "{made:?}");
        let file = terminal.rig.work().join(".orch/workflows/work.workflow.yml");
        let mut text = fs::read_to_string(&file).unwrap();
        for cli in ALL {
            let stage = format!("  provider: {}\n  with: {}\n", cli.name(), cli.options());
            text = text.replacen("  provider: demo\n", &stage, 1);
        }
        fs::write(file, text).unwrap();
        terminal
    }

    fn answer(&mut self, in_its_tool: Option<Cli>) {
        let mut scenarios = all_in(Scenario::Json);
        for (cli, scenario) in &mut scenarios {
            if Some(*cli) == in_its_tool {
                *scenario = Scenario::SlowTool;
            }
        }
        self.environment = self.rig.environment(&scenarios);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(told_by_the_chore("WORKFLOW_PROGRAM"));
        command.args(arguments).env_clear().envs(self.environment.iter().cloned());
        command.current_dir(self.rig.work()).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn run_to_its_end(&self) -> Output {
        self.run(&["run", "work", "--run-id", RUN, "--store", STORE])
    }

    /// Runs the workflow in the background until an agent is in its tool.
    pub(crate) fn run_into_the_tool(&self) -> Child {
        self.run_until(|| self.rig.is_in_the_tool())
    }

    /// Runs the workflow in the background until it is somewhere.
    pub(crate) fn run_until(&self, is_there: impl Fn() -> bool) -> Child {
        let run = ["run", "work", "--run-id", RUN, "--store", STORE];
        let said = self.rig.root().join("said");
        let file = fs::File::create(&said).unwrap();
        let mut child = self.command(&run).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        wait_until(|| {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the run has ended: {}", fs::read_to_string(&said).unwrap());
            is_there()
        });
        child
    }

    pub(crate) fn recover(&self) -> Output {
        self.run(&["recover", "--store", STORE])
    }

    pub(crate) fn cancel(&self) {
        let asked = self.run(&["cancel", RUN, "--store", STORE]);
        assert!(asked.status.success(), "{asked:?}");
    }

    pub(crate) fn events(&self) -> Vec<Value> {
        let store = SqliteStore::open(self.database()).unwrap();
        let log = block_on(store.events(&RunId::new(RUN).unwrap(), 0, usize::MAX)).unwrap();
        log.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
    }

    fn database(&self) -> PathBuf {
        self.rig.work().join("runs.db")
    }

    /// How many events of a type belong to a stage.
    pub(crate) fn count(&self, kind: &str, stage: &str) -> usize {
        let is_one = |event: &&Value| {
            let path = event["data"]["path"].as_str().unwrap_or_default();
            event["type"] == kind && path.split(['/', '[']).any(|part| part == stage)
        };
        self.events().iter().filter(is_one).count()
    }
}

const RUN: &str = "run";
const STORE: &str = "sqlite:runs.db";

/// The stage of an agent.
fn stage(cli: Cli) -> &'static str {
    match cli {
        Cli::ClaudeCode => "plan",
        Cli::Codex => "code",
        Cli::Gemini => "test",
        Cli::Grok => "check",
    }
}

#[test]
fn the_template_runs_with_an_agent_for_each_stage() {
    let terminal = Terminal::new(None);
    let ran = terminal.run_to_its_end();
    assert!(ran.status.success(), "{ran:?}");
    assert_eq!(terminal.rig.processes(), [""; 0]);
    // Code is written and reviewed, with two calls.
    assert_eq!(ALL.map(|cli| terminal.count("attempt_succeeded", stage(cli))), [1, 2, 1, 1]);
    let asked = terminal.rig.api.asked();
    for path in ["/v1/messages", "/v1/responses", ":streamGenerateContent", "/v1/chat/completions"] {
        assert!(asked.iter().any(|asked| asked.path.contains(path)), "{path} was not asked");
    }
    // The coder's prompt contains the planner's answer.
    let coder =
        asked.iter().find(|asked| asked.path.ends_with("/v1/responses") && asked.mentions("Do this:"));
    assert!(coder.unwrap().mentions("src/hello.rs"));
}

fn a_program_that_is_killed_in_its_tool_is_recovered(cli: Cli) {
    let mut terminal = Terminal::new(Some(cli));
    let mut child = terminal.run_into_the_tool();
    child.kill().unwrap();
    child.wait().unwrap();
    terminal.answer(None);
    let recovered = terminal.recover();
    assert!(recovered.status.success(), "{recovered:?}");
    assert_eq!(terminal.rig.processes(), [""; 0]);
    assert_eq!(terminal.events().last().unwrap()["type"], "run_completed");
    assert_eq!(terminal.count("attempt_interrupted", stage(cli)), 1);
    assert_eq!(ALL.map(|cli| terminal.count("attempt_succeeded", stage(cli))), [1, 2, 1, 1]);
}

fn a_run_that_is_cancelled_in_its_tool_leaves_no_process(cli: Cli) {
    let terminal = Terminal::new(Some(cli));
    let mut child = terminal.run_into_the_tool();
    terminal.cancel();
    assert_eq!(child.wait().unwrap().code(), Some(3), "the run was cancelled");
    assert_eq!(terminal.rig.processes(), [""; 0]);
    assert_eq!(terminal.events().last().unwrap()["type"], "run_cancelled");
}
