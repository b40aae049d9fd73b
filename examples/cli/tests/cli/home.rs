//! A working directory, and processes that are killed when a test ends.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use workflow_core::ids::RunId;
use workflow_core::store::RunStore as _;
use workflow_store::SqliteStore;

/// The time-out of all waits.
const DEADLINE: Duration = Duration::from_secs(60);

/// An empty current directory.
pub(crate) struct Home {
    directory: TempDir,
    /// The user's state directory beside it.
    state: TempDir,
    /// The value of `WORKFLOW_STORE`; without it the program chooses.
    store: Option<String>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::new().unwrap(), state: TempDir::new().unwrap(), store: None }
    }

    /// Lets the program keep its runs in another store.
    pub(crate) fn on(mut self, store: &str) -> Self {
        self.store = Some(store.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A directory with `stages.workflow.yml`, which runs these stages one after the other.
    pub(crate) fn with_stages(stages: &[(&str, &str)]) -> Self {
        let home = Self::new();
        let names: Vec<_> = stages.iter().map(|(name, _)| *name).collect();
        let mut text = format!("workflow: {{ name: Some stages, stages: [{}] }}\n", names.join(", "));
        for (name, script) in stages {
            let script = serde_json::to_string(script).unwrap();
            let stage = format!("{name}: {{ provider: command, with: {{ command: [sh, -c, {script}] }} }}\n");
            text.push_str(&stage);
        }
        home.write("stages.workflow.yml", &text);
        home
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The program, with only the `PATH` of this process's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_workflow"));
        command
            .args(args)
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TZ", "UTC")
            .env("USER", "ann")
            // No home is searched for above it.
            .env("HOME", self.directory.path())
            .env("XDG_STATE_HOME", self.state.path())
            .stdin(Stdio::null());
        if let Some(store) = &self.store {
            command.env("WORKFLOW_STORE", store);
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        self.command(args).output().unwrap().into()
    }

    /// Starts the program.
    pub(crate) fn start(&self, args: &[&str]) -> Started {
        Started::of(&mut self.command(args))
    }

    /// Starts a run, and waits until its stages have created the file `begun`.
    pub(crate) fn start_until(&self, args: &[&str], begun: &str) -> Started {
        let mut started = self.start(args);
        until(begun, || {
            assert_eq!(started.0.try_wait().unwrap(), None, "it ended before it had made `{begun}`");
            self.path(begun).exists()
        });
        started
    }

    /// The output of `show --json` for a run.
    pub(crate) fn show(&self, run: &str) -> Value {
        let shown = self.run(&["show", run, "--json"]);
        assert_eq!(shown.code, Some(0), "{shown:?}");
        serde_json::from_str(&shown.stdout).unwrap()
    }

    /// A run's events, from the store of the home.
    pub(crate) fn log(&self, run: &str) -> Vec<Value> {
        let store = SqliteStore::open(self.path(".orch/runs.db")).unwrap();
        let run = RunId::new(run).unwrap();
        let events = block_on(store.events(&run, 0, usize::MAX)).unwrap();
        events.iter().map(|event| serde_json::to_value(event).unwrap()).collect()
    }

    /// The kinds of a run's events.
    pub(crate) fn events(&self, run: &str) -> Vec<String> {
        self.log(run).iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }

    /// The files of the program's own home.
    pub(crate) fn own_files(&self) -> BTreeSet<(PathBuf, Vec<u8>)> {
        let mut found = BTreeSet::new();
        collect(&self.path(".orch"), &mut found);
        found
    }

    /// Whether the program's own home exists.
    pub(crate) fn own_files_exist(&self) -> bool {
        self.path(".orch").exists()
    }

    /// All files, except those of the program's own home.
    pub(crate) fn files(&self) -> BTreeSet<(PathBuf, Vec<u8>)> {
        let mut found = BTreeSet::new();
        collect(self.directory.path(), &mut found);
        found
    }
}

fn collect(directory: &Path, found: &mut BTreeSet<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with(".orch") {
                collect(&path, found);
            }
        } else {
            let text = fs::read(&path).unwrap();
            found.insert((path, text));
        }
    }
}

/// Copies a folder and all below.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl Ended {
    /// The lines of standard output as JSON.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// A process that is killed when a test ends before it does.
pub(crate) struct Started(Child);

impl Started {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Reads standard error up to a line that contains `text`.
    pub(crate) fn wait_for_stderr(&mut self, text: &str) {
        let stderr = self.0.stderr.as_mut().unwrap();
        let mut said = Vec::new();
        let mut byte = [0];
        while !String::from_utf8_lossy(&said).contains(text) {
            assert_eq!(stderr.read(&mut byte).unwrap(), 1, "standard error ended without `{text}`");
            said.push(byte[0]);
        }
    }

    pub(crate) fn stdin(&mut self) -> ChildStdin {
        self.0.stdin.take().unwrap()
    }

    pub(crate) fn stdout(&mut self) -> BufReader<ChildStdout> {
        BufReader::new(self.0.stdout.take().unwrap())
    }

    pub(crate) fn wait(mut self) -> Ended {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        if let Some(mut pipe) = self.0.stdout.take() {
            pipe.read_to_string(&mut stdout).unwrap();
        }
        if let Some(mut pipe) = self.0.stderr.take() {
            pipe.read_to_string(&mut stderr).unwrap();
        }
        Ended { code: self.0.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a line.
pub(crate) fn line(from: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line
}

/// Waits for a condition.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited too long for `{what}`");
        sleep(Duration::from_millis(5));
    }
}

/// Whether the process whose id is in a file is alive.
pub(crate) fn lives(home: &Home, file: &str) -> bool {
    let number: i32 = home.read(file).trim().parse().unwrap();
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    // The field after the name is the state. A zombie has ended.
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// Snapshots without times, and without the widths of columns that depend on them.
pub(crate) fn stable(check: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    for (pattern, shown) in [
        (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z|Z)?", "[date]"),
        (r"\b\d\d:\d\d:\d\d\b", "[time]"),
        (r"\b(\d+ms|\d+\.\ds|\d+s)\b", "[took]"),
        (r"process \d+ on [^ )]+( at [^ )]+)?", "[process]"),
        (r#""seed":\d+"#, r#""seed":"[seed]""#),
        (r#""duration":\d+"#, r#""duration":"[millis]""#),
        (r#""timeMs":\d+"#, r#""timeMs":"[millis]""#),
        (r#""bundle":"[0-9a-f]{64}""#, r#""bundle":"[hash]""#),
        (r"\b[0-9a-f]{12}…", "[hash]"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[run]"),
        (r"(\S) {2,}", "$1  "),
    ] {
        settings.add_filter(pattern, shown);
    }
    settings.bind(check);
}
