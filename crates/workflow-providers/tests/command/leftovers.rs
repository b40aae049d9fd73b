//! A command that exits by itself leaves no process running.

use serde_json::json;

use super::{call, eventually, output, processes};

/// Runs `script`, which prints `done` and perhaps the id of a process that it leaves behind.
fn leaves_nothing(script: &str) {
    let (result, _) = call("", json!({ "command": ["sh", "-c", script] }));
    let output = result.unwrap().output.value();
    let output = output.as_str().unwrap();
    assert!(output.starts_with("done"), "{output}");
    if output != "done" {
        assert!(!processes::lives(processes::pid_in(output)), "{script}");
    }
}

#[test]
fn a_grandchild_that_holds_the_pipe_does_not_hang_the_call() {
    leaves_nothing("sleep 600 & echo done $!");
}

#[test]
fn a_grandchild_in_the_background_is_ended() {
    leaves_nothing("sleep 600 >/dev/null 2>&1 & echo done $!");
}

#[test]
fn a_grandchild_that_ignores_sigterm_is_killed() {
    leaves_nothing("(trap '' TERM; sleep 600) & echo done $!");
}

#[test]
fn a_grandchild_in_a_session_of_its_own_is_ended() {
    leaves_nothing("setsid sleep 600 & echo done $!");
    leaves_nothing("setsid sh -c 'trap \"\" TERM; sleep 600' >/dev/null 2>&1 & echo done $!");
}

#[test]
fn a_daemon_that_was_detached_twice_is_ended() {
    leaves_nothing("setsid sh -c 'setsid sleep 600 & echo done $!'");
}

#[test]
fn a_group_member_without_environment_is_ended() {
    leaves_nothing("env -i sleep 600 & echo done $!");
}

#[test]
fn a_grandchild_that_keeps_printing_is_ended() {
    leaves_nothing("(while :; do echo more >&2; sleep 0.01; done) & echo done $!");
}

#[test]
fn a_grandchild_has_a_moment_for_its_last_words() {
    let script =
        "stat=/proc/$$/stat; (until grep -q ') Z ' $stat; do :; done; sleep 0.05; echo last) & echo first";
    // The time is short: a busy machine can take longer now and then.
    eventually("the last words are heard", || {
        let output = output("", json!({ "command": ["sh", "-c", script] }));
        output == "first\nlast"
    });
}
