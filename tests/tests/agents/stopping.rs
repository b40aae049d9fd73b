//! Calls that are stopped in the middle of a tool or an answer: no process is left.

use std::sync::Arc;
use std::thread;

use workflow_core::failure::FailureClass;
use workflow_core::stop::Stop;
use workflow_tests::model_api::Scenario;

use crate::cli::Cli;
use crate::rig::{Call, Rig, wait_until};

for_every_cli! {
    a_call_that_is_stopped_in_a_tool_leaves_no_process,
    a_call_that_is_stopped_in_an_answer_leaves_no_process,
    a_call_that_is_killed_in_a_tool_leaves_no_process,
}

/// Makes a call and stops it as soon as the condition holds.
fn stopped(cli: Cli, scenario: Scenario, how: Stop, when: impl FnOnce(&Rig)) {
    let rig = Rig::new();
    let provider = rig.provider(cli, scenario);
    let call = Arc::new(Call::new("Continue.", cli.options()));
    let made = thread::spawn({
        let call = call.clone();
        move || call.made(&provider)
    });
    when(&rig);
    call.stop.stop(how);
    let error = made.join().unwrap().unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Cancelled, "{error:?}");
    assert_eq!(rig.processes(), [""; 0]);
}

fn a_call_that_is_stopped_in_a_tool_leaves_no_process(cli: Cli) {
    stopped(cli, Scenario::SlowTool, Stop::Gracefully, Rig::wait_for_the_tool);
}

fn a_call_that_is_stopped_in_an_answer_leaves_no_process(cli: Cli) {
    stopped(cli, Scenario::Hang, Stop::Gracefully, |rig| wait_until(|| !rig.api.asked().is_empty()));
}

fn a_call_that_is_killed_in_a_tool_leaves_no_process(cli: Cli) {
    stopped(cli, Scenario::SlowTool, Stop::AtOnce, Rig::wait_for_the_tool);
}
