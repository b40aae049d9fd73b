//! Schemathesis against `workflow serve`: requests made from the OpenAPI, and responses compared with it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::workspace::{cargo, root, run};

/// The version that is installed.
const VERSION: &str = "4.32.5";
/// What is compared.
const CHECKS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";
/// A server that was started without notifications says so with 501.
const EXPECTED: &str = "[checks.not_a_server_error]\nexpected-statuses = [\"2xx\", \"4xx\", \"501\"]\n";
/// How many requests are made of each operation, at most, in a phase with random ones.
const REQUESTS: &str = "15";

/// The files of the home, beside those that `workflow init` makes.
const FILES: [(&str, &str); 4] = [
    (
        "workflows/asks.workflow.yml",
        "workflow: { name: Asks, stages: [greet] }\ngreet: { provider: demo, prompt: Hi, approval: \"Greet?\" }\n",
    ),
    ("workflows/stages/greet.hello.yml", "graph: [{ id: a, type: run, prompt: Hi }]\n"),
    ("roles/hello.md", "Write.\n"),
    ("skills/hello/SKILL.md", "Write lists.\n"),
];

/// The runs, each with the exit code that its command has: one that has completed, one that asks, one that has not begun.
const RUNS: [(&[&str], i32); 3] = [
    (&["run", "hello", "--run-id", "done"], 0),
    (&["run", "asks", "--run-id", "asking"], 4),
    (&["run", "hello", "--run-id", "left", "--detach"], 0),
];

/// The virtual environment.
fn environment() -> PathBuf {
    root().join("target/schemathesis")
}

/// Installs the pinned version into a virtual environment, and says why that is not possible here if it is not.
pub(crate) fn hindrance() -> Option<String> {
    let program = environment().join("bin/schemathesis");
    let shown = Command::new(&program).arg("--version").output();
    if shown.is_ok_and(|shown| String::from_utf8_lossy(&shown.stdout).contains(VERSION)) {
        return None;
    }
    let steps = [
        ("python3", vec!["-m".to_owned(), "venv".to_owned(), environment().display().to_string()]),
        ("pip", ["install", "--quiet", "--disable-pip-version-check"].map(str::to_owned).to_vec()),
    ];
    for (name, mut arguments) in steps {
        let mut command = Command::new(name);
        if name == "pip" {
            command = Command::new(environment().join("bin/pip"));
            arguments.push(format!("schemathesis=={VERSION}"));
        }
        match command.args(arguments).stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let last = said.lines().last().unwrap_or_default();
                return Some(format!("schemathesis {VERSION} cannot be installed by {name}: {last}"));
            }
            Err(error) => return Some(format!("{name} cannot be started: {error}")),
        }
    }
    None
}

/// A server of the terminal program, which is stopped when this is dropped.
struct Server {
    home: TempDir,
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(program: &Path) -> Result<Self> {
        let home = tempfile::tempdir().context("cannot create a home for the server")?;
        let command = |arguments: &[&str]| {
            let mut command = Command::new(program);
            command.args(arguments).current_dir(home.path()).env("HOME", home.path());
            command.env_remove("XDG_STATE_HOME").env_remove("WORKFLOW_STORE");
            command
        };
        run(&mut command(&["init"]))?;
        for (name, text) in FILES {
            let path = home.path().join(".orch").join(name);
            fs::create_dir_all(path.parent().unwrap_or(&path))?;
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        for (arguments, expected) in RUNS {
            let code = command(arguments).stdout(Stdio::null()).status()?.code();
            ensure!(code == Some(expected), "`workflow {}` exited with {code:?}", arguments.join(" "));
        }
        // Without a worker: runs stay as they are.
        let mut serve = command(&["serve", "--listen", "127.0.0.1:0", "--no-worker"]);
        serve.args(["--allow", "edit", "--allow", "admin"]).stdout(Stdio::piped());
        let mut child = serve.spawn().context("cannot start `workflow serve`")?;
        let Some(output) = child.stdout.take() else { bail!("`workflow serve` has no standard output") };
        let mut url = String::new();
        let read = BufReader::new(output).read_line(&mut url);
        let server = Self { home, child, url: url.trim().to_owned() };
        read.context("cannot read the address of `workflow serve`")?;
        ensure!(server.url.starts_with("http://"), "`workflow serve` did not print its address");
        Ok(server)
    }

    fn token(&self) -> Result<String> {
        let path = self.home.path().join(".orch/serve-token");
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// Makes requests of every operation, valid ones and others, and checks the responses.
///
/// # Errors
///
/// If a response is not as the OpenAPI says, or a step fails.
pub(crate) fn check() -> Result<()> {
    run(&mut cargo(&["build", "--quiet", "--package", "workflow-cli"]))?;
    let server = Server::start(&root().join("target/debug/workflow"))?;
    // The token is in a folder that only this user can enter, and not in the list of processes.
    let config = server.home.path().join("schemathesis.toml");
    let headers = format!("headers = {{ Authorization = \"Bearer {}\" }}\n", server.token()?.trim());
    fs::write(&config, headers + EXPECTED)?;
    let mut schemathesis = Command::new(environment().join("bin/schemathesis"));
    schemathesis.arg("--config-file").arg(&config).arg("run");
    schemathesis.arg(format!("{}/api/v1/openapi.json", server.url));
    schemathesis.args(["--checks", CHECKS, "--phases", "coverage,fuzzing", "--max-examples", REQUESTS]);
    schemathesis.args(["--seed", "1", "--continue-on-failure", "--no-color", "--warnings", "off"]);
    // Its database of former failures belongs to a run, not to the clone.
    schemathesis.current_dir(server.home.path());
    schemathesis.env("SCHEMATHESIS_HOOKS", "hooks").env("PYTHONPATH", root().join("xtask/schemathesis"));
    run(schemathesis.env("PYTHONDONTWRITEBYTECODE", "1"))
}
