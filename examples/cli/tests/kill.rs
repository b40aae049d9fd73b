//! Kills the program with SIGKILL at random moments, hundreds of times, during a workflow whose steps write a
//! trace file. The runs that `recover` completes must match the trace.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::executor::block_on;
use serde_json::Value;
use workflow_core::ids::RunId;
use workflow_core::status::WaitReason;
use workflow_core::store::RunStore;
use workflow_store::{FileStore, SqliteStore};

const WORKFLOW: &str = r#"
workflow:
  name: Leave traces
  stages: [first, lanes, flaky, last]
  loop: { max_iters: 20, stop_when: "$.done == true" }
first:
  provider: command
  retry_backoff: 0.01
  with: { command: [sh, -c, 'echo "$WORKFLOW_CALL" >>"$TRACE"; sleep 0.02; echo one'], env: { TRACE: "${vars.trace}" } }
lanes:
  retry_backoff: 0.01
  mode: parallel
  providers: [{ provider: command }, { provider: command }, { provider: command }]
  with: { command: [sh, -c, 'echo "$WORKFLOW_CALL" >>"$TRACE"; sleep 0.03 & wait; echo two'], env: { TRACE: "${vars.trace}" } }
flaky:
  provider: command
  on_failure: retry
  retry_backoff: 0.01
  with:
    command: [sh, -c, 'echo "$WORKFLOW_CALL" >>"$TRACE"; case "$WORKFLOW_CALL" in *:1) exit 1;; esac']
    env: { TRACE: "${vars.trace}" }
last:
  provider: command
  retry_backoff: 0.01
  with:
    command: [sh, -c, 'echo "$WORKFLOW_CALL" >>"$TRACE"; test "$1" -lt 20 && echo "{\"done\": false}" || echo "{\"done\": true}"', sh, "${iteration}"]
    output: json
    env: { TRACE: "${vars.trace}" }
"#;

#[test]
fn nothing_recorded_is_redone_however_often_the_program_is_killed() {
    check("sqlite:runs.db", |dir| Box::new(SqliteStore::open(dir.join("runs.db")).unwrap()), 300);
}

#[test]
fn nothing_recorded_is_redone_with_files_either() {
    check("file:runs", |dir| Box::new(FileStore::open(dir.join("runs")).unwrap()), 100);
}

/// Opens the store that the program uses in that directory.
type Open = fn(&Path) -> Box<dyn RunStore>;

/// Kills the program this many times, with one store.
fn check(store: &str, open: Open, most: usize) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("traces.workflow.yml");
    let trace = dir.path().join("trace");
    fs::write(&file, WORKFLOW).unwrap();
    // SplitMix64, so that a failing sequence of moments can be repeated.
    let mut seed = 0x5eed_u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    };

    let mut runs = 0;
    let mut kills = 0;
    while kills < most {
        runs += 1;
        let id = format!("run-{runs}");
        let var = format!("trace={}", trace.display());
        let start = ["run", file.to_str().unwrap(), "--run-id", &id, "--var", &var];
        let mut args: Vec<String> = start.map(str::to_owned).to_vec();
        loop {
            let mut child = workflow(dir.path(), store, &args);
            std::thread::sleep(Duration::from_millis(random(250)));
            // The child was not waited for, so its id was not reused.
            child.kill().unwrap();
            let ended_by_itself = child.wait().unwrap().code().is_some();
            if ended_by_itself {
                let Some(wait) = asked(&*open(dir.path()), &id) else { break };
                // The same step was killed many times in a row.
                args = rerun(&id, wait).to_vec();
                continue;
            }
            kills += 1;
            // Not by opening the store: that would create one that the program does not know.
            let created = workflow(dir.path(), store, &["show", &id]).wait().unwrap().success();
            args = if created { vec!["recover".to_owned()] } else { start.map(str::to_owned).to_vec() };
            if kills >= most {
                break;
            }
        }
    }
    loop {
        let ended = workflow(dir.path(), store, &["recover"]).wait().unwrap();
        let runs = (1..=runs).map(|number| format!("run-{number}"));
        let asking: Vec<_> =
            runs.filter_map(|run| asked(&*open(dir.path()), &run).map(|wait| (run, wait))).collect();
        if asking.is_empty() {
            assert_eq!(ended.code(), Some(0), "the last recovery");
            break;
        }
        for (run, wait) in asking {
            workflow(dir.path(), store, &rerun(&run, wait)).wait().unwrap();
        }
    }

    let executions = fs::read_to_string(&trace).unwrap();
    let mut seen = HashSet::new();
    for call in executions.lines() {
        assert!(seen.insert(call.to_owned()), "{call} was executed twice");
    }
    let interrupted: usize =
        (1..=runs).map(|number| check_run(&*open(dir.path()), &format!("run-{number}"), &seen)).sum();
    assert!(
        interrupted > most / 10,
        "only {interrupted} calls were interrupted: the kills came too early or late"
    );
    assert_eq!(still_running(&trace), Vec::<String>::new());
}

/// The number of the wait that asks a person for the outcome of a step: of one, if there are several.
fn asked(store: &dyn RunStore, run: &str) -> Option<u64> {
    let wait = block_on(store.get(&RunId::new(run).unwrap())).ok()?.head.wait?;
    wait.number.filter(|_| wait.reason == WaitReason::UnknownOutcome)
}

/// The arguments that repeat such a step.
fn rerun(run: &str, wait: u64) -> [String; 5] {
    let wait = wait.to_string();
    ["answer", run, "--rerun", "--wait", &wait].map(str::to_owned)
}

/// Compares a run's log with the calls that were executed. Returns how many of its calls were interrupted.
fn check_run(store: &dyn RunStore, run: &str, executed: &HashSet<String>) -> usize {
    let log = block_on(store.events(&RunId::new(run).unwrap(), 0, usize::MAX)).unwrap();
    let events: Vec<Value> = log.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    let numbers: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>(), "{run}: numbers have no gaps");
    assert_eq!(events.last().unwrap()["type"], "run_completed", "{run}");

    let mut started: HashSet<(String, u64)> = HashSet::new();
    let mut succeeded: HashMap<String, u64> = HashMap::new();
    for event in &events {
        let data = &event["data"];
        let node = || (data["path"].as_str().unwrap().to_owned(), data["attempt"].as_u64().unwrap());
        match event["type"].as_str().unwrap() {
            "attempt_started" => {
                let (path, attempt) = node();
                assert!(!succeeded.contains_key(&path), "{run}: {path} started after its recorded result");
                assert!(started.insert((path, attempt)), "{run}: an attempt started twice");
            }
            "attempt_succeeded" => {
                let (path, attempt) = node();
                assert!(succeeded.insert(path, attempt).is_none(), "{run}: two results of one node");
            }
            _ => {}
        }
    }
    for call in executed {
        let mut parts = call.split(':');
        if parts.next() != Some(run) {
            continue;
        }
        let (path, attempt) = (parts.nth(1).unwrap().to_owned(), parts.next().unwrap().parse().unwrap());
        let result = succeeded.get(&path).copied();
        assert!(started.contains(&(path, attempt)), "{run}: {call} was executed without its attempt_started");
        assert!(
            result.is_some_and(|result| attempt <= result),
            "{run}: {call} came after the recorded result"
        );
    }
    events.iter().filter(|event| event["type"] == "attempt_interrupted").count()
}

/// Processes that still have the trace file in their environment: steps, and their children.
fn still_running(trace: &Path) -> Vec<String> {
    let wanted = format!("TRACE={}", trace.display());
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // Processes may end meanwhile; those of other users cannot be read.
        let Ok(environ) = fs::read(entry.path().join("environ")) else { continue };
        if environ.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found
}

fn workflow(dir: &Path, store: &str, args: &[impl AsRef<OsStr>]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_workflow"))
        .current_dir(dir)
        .env("XDG_STATE_HOME", dir.join("state"))
        .args(args)
        .args(["--store", store])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
