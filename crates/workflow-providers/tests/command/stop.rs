//! Calls that are stopped: gracefully, at once, and by being dropped.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::json;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallHost, CallId, Provider as _, ProviderError, SessionLost};
use workflow_core::stop::{Stop, StopSource};

use super::{Call, common, eventually, host_of, processes, provider, request, start_host, unique_run};

/// Runs `script` until it prints `ready` and the id of one of its processes, then ends the call in each of
/// the three ways; no process may be left.
fn is_ended_in_every_way(script: &str) {
    for how in [Stop::Gracefully, Stop::AtOnce, Stop::None] {
        let mut call = Call::start(&provider(), request("", json!({ "command": ["sh", "-c", script] })));
        let process = processes::pid_in(&call.wait_for("ready"));
        assert!(processes::lives(process), "{script}");
        if how == Stop::None {
            call.drop_future();
            eventually("the processes of a dropped call are gone", || {
                processes::of_run(&call.run).is_empty() && !processes::lives(process)
            });
        } else {
            call.stop.stop(how);
            let error = call.end().unwrap_err();
            assert_eq!(error.failure, ProviderError::cancelled().failure, "{script}");
            // Its output is reported all the same.
            let printed = error.output.unwrap().value();
            assert!(printed.as_str().unwrap().starts_with("ready"), "{printed}");
            assert!(!processes::lives(process), "{how:?}: {script}");
        }
    }
}

#[test]
fn a_child_and_its_child() {
    is_ended_in_every_way("sleep 600 & echo ready $!; wait");
}

#[test]
fn one_that_ignores_sigterm() {
    is_ended_in_every_way("trap '' TERM; sleep 600 & echo ready $!; wait");
}

#[test]
fn a_grandchild_that_ignores_sigterm() {
    is_ended_in_every_way("sh -c 'trap \"\" TERM; echo ready $$; sleep 600; sleep 600' & wait");
}

#[test]
fn a_grandchild_in_a_session_of_its_own() {
    is_ended_in_every_way("setsid sleep 600 & echo ready $!; wait");
}

#[test]
fn a_grandchild_in_a_session_of_its_own_that_ignores_sigterm() {
    is_ended_in_every_way("setsid sh -c 'trap \"\" TERM; echo ready $$; sleep 600; sleep 600' & wait");
}

#[test]
fn a_daemon_that_was_detached_twice() {
    is_ended_in_every_way("setsid sh -c 'setsid sleep 600 & echo ready $!'; sleep 600");
}

#[test]
fn one_that_has_closed_its_output() {
    is_ended_in_every_way("echo ready $$; exec >&- 2>&-; sleep 600; sleep 600");
}

#[test]
fn one_that_does_not_read_its_input() {
    let request =
        request(&"x".repeat(1024 * 1024), json!({ "command": ["sh", "-c", "echo ready; sleep 600"] }));
    let call = Call::start(&provider(), request);
    call.wait_for("ready");
    call.stop.stop(Stop::Gracefully);
    assert_eq!(call.end().unwrap_err().failure, ProviderError::cancelled().failure);
}

#[test]
fn one_that_prints_without_end() {
    let script = "echo ready; while :; do echo more; done";
    let call = Call::start(&provider(), request("", json!({ "command": ["sh", "-c", script] })));
    call.wait_for("more");
    call.stop.stop(Stop::Gracefully);
    assert_eq!(call.end().unwrap_err().failure, ProviderError::cancelled().failure);
}

#[test]
fn descendants_without_marker_and_group_are_known_by_their_parents() {
    // Not when the future is dropped: then the group is killed before a scan.
    for how in [Stop::Gracefully, Stop::AtOnce] {
        let script = "env -i \"$(command -v setsid)\" \"$(command -v sleep)\" 600 & echo ready $!; wait";
        let call = Call::start(&provider(), request("", json!({ "command": ["sh", "-c", script] })));
        let process = processes::pid_in(&call.wait_for("ready"));
        call.stop.stop(how);
        assert_eq!(call.end().unwrap_err().failure, ProviderError::cancelled().failure);
        assert!(!processes::lives(process), "{how:?}");
    }
}

#[test]
fn one_that_is_asked_can_finish_what_it_does_and_say_so() {
    let script = "trap 'echo finished; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
    let patient = workflow_providers::CommandProvider::new();
    let call = Call::start(&patient, request("", json!({ "command": ["sh", "-c", script] })));
    call.wait_for("ready");
    call.stop.stop(Stop::Gracefully);
    assert_eq!(call.end().unwrap_err().failure, ProviderError::cancelled().failure);
    assert_eq!(call.said.of(OutputKind::Stdout).last().unwrap(), "finished");
}

#[test]
fn a_second_more_urgent_request_ends_the_grace_period() {
    let script = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done";
    let patient = workflow_providers::CommandProvider::builder().grace(Duration::MAX).build();
    let call = Call::start(&patient, request("", json!({ "command": ["sh", "-c", script] })));
    call.wait_for("ready");
    call.stop.stop(Stop::Gracefully);
    call.wait_for("asked");
    call.stop.stop(Stop::AtOnce);
    assert_eq!(call.end().unwrap_err().failure, ProviderError::cancelled().failure);
}

#[test]
fn a_call_that_was_stopped_before_it_began_starts_nothing() {
    let marker = tempfile::tempdir().unwrap();
    let file = marker.path().join("started");
    let request = request("", json!({ "command": ["touch", file.to_str().unwrap()] }));
    let (context, _, stop) = common::context(&request);
    stop.stop(Stop::Gracefully);
    let result = block_on(provider().call(request, context));
    assert_eq!(result.unwrap_err().failure, ProviderError::cancelled().failure);
    assert!(!file.exists());
}

#[test]
fn one_whose_host_drops_it_and_exits() {
    let script = "trap '' TERM; echo $$ >\"$1.new\"; mv \"$1.new\" \"$1\"; sleep 600; sleep 600";
    if let Some((run, file)) = host_of() {
        let options = json!({ "command": ["sh", "-c", script, "sh", file] });
        let mut call = Call::start(&provider(), common::request(&run, "", options));
        eventually("the command is at work", || fs::exists(&file).unwrap());
        call.drop_future();
        std::process::exit(0);
    }
    // Several times: the host may be faster than the thread that has just started the command.
    for _ in 0..10 {
        let directory = tempfile::tempdir().unwrap();
        let (run, file) = (unique_run(), directory.path().join("pid"));
        let mut host = start_host("stop::one_whose_host_drops_it_and_exits", &run, &file);
        assert!(host.wait().unwrap().success());
        let process = fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        eventually("the processes of the host are gone", || {
            processes::of_run(&run).is_empty() && !processes::lives(process)
        });
    }
}

/// Panics at the first line.
struct Panicking;

impl CallHost for Panicking {
    fn output(&self, _: &CallId, _: OutputKind, text: String) {
        panic!("a host that cannot take {text:?}");
    }

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }

    fn record_session<'a>(&'a self, _: &'a CallId, _: &'a str) -> BoxFuture<'a, Result<(), SessionLost>> {
        ready(Ok(())).boxed()
    }
}

#[test]
fn one_whose_host_panics() {
    let script = "setsid sleep 600 & echo a line; trap '' TERM; sleep 600; sleep 600";
    let request = request("", json!({ "command": ["sh", "-c", script] }));
    let run = request.id.run.to_string();
    let context = CallContext::new(request.id.clone(), StopSource::new().signal(), Arc::new(Panicking));
    let panic = catch_unwind(AssertUnwindSafe(|| block_on(provider().call(request, context)))).unwrap_err();
    let text = panic.downcast_ref::<String>().map(String::as_str);
    assert_eq!(text, Some("a host that cannot take \"a line\""), "it is resumed in the awaited call");
    assert_eq!(processes::of_run(&run), Vec::<i32>::new());
}

#[test]
fn the_threads_of_a_call_end_with_it() {
    let script = "setsid sleep 600 & echo ready $!; wait";
    let call = Call::start(&provider(), request("", json!({ "command": ["sh", "-c", script] })));
    call.wait_for("ready");
    assert!(processes::threads_of_calls() >= 2);
    call.stop.stop(Stop::AtOnce);
    call.end().unwrap_err();
    eventually("no thread of a call is left", || processes::threads_of_calls() == 0);
}
