//! Agents that are stopped or hang, and the processes that they leave.

use std::time::Duration;

use futures::executor::block_on;
use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::provider::Provider as _;
use workflow_core::stop::Stop;

use super::{Agent, Call, DEADLINE, common, eventually, processes, reason, unique_run};

/// Runs the agent until it prints `ready` and the id of one of its processes, then ends the call in each of
/// the three ways; no process may be left.
fn is_ended_in_every_way(script: &str) {
    let agent = Agent::new(script);
    for how in [Stop::Gracefully, Stop::AtOnce, Stop::None] {
        let mut call = agent.start();
        let process = processes::pid_in(&call.wait_for("ready"));
        if how == Stop::None {
            call.drop_future();
            eventually("the processes of a dropped call are gone", || {
                processes::of_run(&call.run).is_empty() && !processes::lives(process)
            });
        } else {
            call.stop.stop(how);
            assert_eq!(call.end().unwrap_err().failure.class, FailureClass::Cancelled, "{script}");
            assert!(!processes::lives(process), "{how:?}: {script}");
        }
    }
}

#[test]
fn one_with_a_tool_in_a_session_of_its_own() {
    is_ended_in_every_way("echo \"$BEGIN\"; setsid sleep 600 & echo ready $!; wait");
}

#[test]
fn one_that_ignores_what_it_is_asked_with() {
    is_ended_in_every_way(
        "trap '' INT TERM; echo \"$BEGIN\"; sleep 600 & echo ready $!; while :; do sleep 1; done",
    );
}

#[test]
fn one_that_exits_and_leaves_a_tool_that_ignores_everything() {
    let script = "echo \"$BEGIN\"; setsid sh -c 'trap \"\" INT TERM HUP; echo ready $$; sleep 600; sleep 600' & \
                  trap 'exit 0' INT TERM; while :; do sleep 0.05; done";
    is_ended_in_every_way(script);
}

#[test]
fn what_it_used_is_told_where_it_says_so_when_it_is_interrupted() {
    let aborted = r#"{"type":"result","subtype":"error_during_execution","is_error":true,"terminal_reason":"aborted_tools","total_cost_usd":0.25,"usage":{"input_tokens":9,"output_tokens":1}}"#;
    let script = format!(
        "ABORTED='{aborted}'\ntrap 'echo \"$ABORTED\"; exit 0' INT\necho \"$BEGIN\"; echo ready $$; while :; do sleep 0.02; done"
    );
    let agent = Agent::new(&script);
    let call = agent.start();
    call.wait_for("ready");
    call.stop.stop(Stop::Gracefully);
    let error = call.end().unwrap_err();
    assert_eq!((error.failure.class, error.usage.unwrap().cost_usd), (FailureClass::Cancelled, Some(0.25)));
}

#[test]
fn one_that_is_silent_is_given_up_before_and_after_it_began() {
    for script in ["sleep 600", "echo \"$BEGIN\"; sleep 600", "trap '' INT TERM; sleep 600"] {
        let agent = Agent::new(script);
        let call = agent.start_with(Duration::from_millis(300), json!({}));
        let error = call.end().unwrap_err();
        assert_eq!((error.failure.class, reason(&error)), (FailureClass::IdleTimeout, "silent"), "{script}");
    }
}

#[test]
fn one_that_has_said_all_but_keeps_a_tool_has_succeeded_and_the_tool_is_ended() {
    let (reply, _) = Agent::new("echo \"$BEGIN\"; setsid sleep 600 & echo \"$END\"").call();
    assert_eq!(reply.unwrap().output.value(), json!("done"));
}

#[test]
fn what_a_dead_host_has_left_is_ended() {
    let agent = Agent::new("setsid sleep 600 & echo ready $!; wait");
    let run = unique_run();
    let request = common::request(&run, "say hello", json!({}));
    let id = request.id.clone();
    let call = Call::start(&agent.provider(DEADLINE), request);
    let process = processes::pid_in(&call.wait_for("ready"));
    // Like another host that acquires the run.
    block_on(agent.provider(DEADLINE).reclaim(&id)).unwrap();
    assert!(!processes::lives(process));
    assert_eq!(processes::of_run(&run), Vec::<i32>::new());
    call.end().unwrap_err();
}
