//! Processes that a dead host has left behind.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::executor::block_on;
use serde_json::json;
use workflow_core::provider::{CallId, Provider as _};
use workflow_providers::CommandProvider;

use super::common::{call_id, request};
use super::{Call, eventually, host_of, processes, start_host, unique_run};

/// Starts `script` as a host would have, marked as `call`, in a separate session; returns once it has printed
/// the id of one of its processes.
fn orphan(call: &CallId, script: &str) -> (Child, i32) {
    let mut child = Command::new("setsid")
        .args(["sh", "-c", script])
        .env("WORKFLOW_CALL", format!("{}:{:016x}:{}:{}", call.run, call.seed, call.path, call.attempt))
        .env("WORKFLOW_RUN_ID", call.run.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, processes::pid_in(line.trim()))
}

fn reclaim(call: &CallId) {
    let provider = CommandProvider::builder().grace(Duration::from_millis(200)).build();
    block_on(provider.reclaim(call)).unwrap();
}

#[test]
fn nothing_to_find_is_fine() {
    reclaim(&call_id(&unique_run()));
}

#[test]
fn whatever_is_left_of_a_call_is_ended() {
    for script in [
        "sleep 600 & echo pid $!; wait",
        "trap '' TERM; sleep 600 & echo pid $!; wait",
        "setsid sleep 600 & echo pid $!; wait",
        "setsid sleep 600 & echo pid $!",
        "env -i \"$(command -v setsid)\" \"$(command -v sleep)\" 600 & echo pid $!; wait",
    ] {
        let call = call_id(&unique_run());
        let (mut child, process) = orphan(&call, script);
        reclaim(&call);
        assert!(!processes::lives(process), "{script}");
        assert_eq!(processes::of_run(call.run.as_str()), Vec::<i32>::new(), "{script}");
        child.wait().unwrap();
    }
}

#[test]
fn the_attempts_up_to_this_one_are_ended_and_no_later_one_and_no_other_node_and_no_other_store() {
    let call = CallId { attempt: 12, ..call_id(&unique_run()) };
    let sleeper = "echo pid $$; exec sleep 600";
    let ended = [2, 12].map(|attempt| orphan(&CallId { attempt, ..call.clone() }, sleeper));
    let others = [
        CallId { attempt: 13, ..call.clone() },
        CallId { attempt: 120, ..call.clone() },
        CallId { path: "1/work[1]/run".parse().unwrap(), ..call.clone() },
        CallId { path: "11/work[0]/run".parse().unwrap(), ..call.clone() },
        CallId { seed: 8, ..call.clone() },
        CallId { run: workflow_core::ids::RunId::new(format!("{}0", call.run)).unwrap(), ..call.clone() },
    ]
    .map(|other| orphan(&other, sleeper));

    reclaim(&call);

    for (mut child, process) in ended {
        assert!(!processes::lives(process));
        child.wait().unwrap();
    }
    for (mut child, process) in others {
        let lives = processes::lives(process);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(lives);
    }
}

#[test]
fn the_calls_of_a_host_that_was_killed_are_ended() {
    if let Some((run, file)) = host_of() {
        let script =
            "setsid sleep 600 & trap '' TERM; echo $! >\"$1.new\"; mv \"$1.new\" \"$1\"; wait; sleep 600";
        let options = json!({ "command": ["sh", "-c", script, "sh", file] });
        Call::start(&CommandProvider::new(), request(&run, "", options)).end().unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let (run, file) = (unique_run(), directory.path().join("pid"));
    let mut host = start_host("reclaim::the_calls_of_a_host_that_was_killed_are_ended", &run, &file);
    eventually("the command is at work", || file.exists());
    host.kill().unwrap();
    host.wait().unwrap();
    let process = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
    assert!(processes::lives(process));

    reclaim(&call_id(&run));

    assert!(!processes::lives(process));
    assert_eq!(processes::of_run(&run), Vec::<i32>::new());
}
