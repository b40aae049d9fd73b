//! Processes that a host has left behind when it died.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::executor::block_on;
use workflow_core::provider::{CallId, Provider as _};
use workflow_providers::CommandProvider;

use super::common::call_id;
use super::{processes, unique_run};

/// Starts `script` as a host would have, marked as `call`, in a session of its own; returns once it
/// has printed the id of one of its processes.
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
fn every_attempt_is_ended_and_no_other_node_and_no_other_store() {
    let call = call_id(&unique_run());
    let sleeper = "echo pid $$; exec sleep 600";
    let (mut earlier, earlier_process) = orphan(&CallId { attempt: 12, ..call.clone() }, sleeper);
    let others = [
        CallId { path: "1/work[1]/run".parse().unwrap(), ..call.clone() },
        CallId { path: "11/work[0]/run".parse().unwrap(), ..call.clone() },
        CallId { seed: 8, ..call.clone() },
        CallId { run: workflow_core::ids::RunId::new(format!("{}0", call.run)).unwrap(), ..call.clone() },
    ]
    .map(|other| orphan(&other, sleeper));

    reclaim(&call);

    assert!(!processes::lives(earlier_process));
    earlier.wait().unwrap();
    for (mut child, process) in others {
        let lives = processes::lives(process);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(lives);
    }
}
