//! Calls that end early: by the protocol, and then by signals.

use std::time::Duration;

use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::ProviderError;
use workflow_core::stop::Stop;
use workflow_providers::AcpProvider;

use crate::agent::{Agent, ends, says};
use crate::call::{Call, eventually};
use crate::processes;

/// A call that has said its first words.
fn begun(agent: &Agent, provider: &AcpProvider) -> Call {
    let call = Call::start(provider, agent.request(&json!({})));
    eventually("the agent speaks", || !call.said.of(OutputKind::TextDelta).is_empty());
    call
}

fn is_cancelled(error: &ProviderError) {
    assert_eq!(error.failure.class, FailureClass::Cancelled, "{error}");
}

#[test]
fn an_agent_that_is_told_to_stop_is_asked_by_the_protocol_first() {
    let agent = Agent::new(&[says("Hello")]).answers("cancel", &[says(" and bye"), ends("cancelled")]);
    let call = begun(&agent, &agent.provider());
    call.stop.stop(Stop::Gracefully);
    is_cancelled(&call.end().unwrap_err());
    let cancel = agent.asked().pop().unwrap();
    assert_eq!(
        (&cancel["method"], &cancel["params"]["sessionId"]),
        (&json!("session/cancel"), &json!("s-1"))
    );
    assert_eq!(call.said.of(OutputKind::TextDelta), ["Hello", " and bye"]);
}

#[test]
fn an_agent_that_does_not_listen_is_stopped_by_signals() {
    for hangs in ["initialize", "open", "prompt"] {
        let agent = Agent::new(&[says("Hello")]).then(hangs, "hang");
        let provider =
            AcpProvider::builder().work_root(agent.folder.path()).grace(Duration::from_millis(400)).build();
        let call = Call::start(&provider, agent.request(&json!({})));
        eventually("the agent hangs", || {
            let count = match hangs {
                "initialize" => 1,
                "open" => 2,
                _ => 3,
            };
            agent.asked().len() == count && processes::of_run(&call.run).len() >= 2
        });
        call.stop.stop(Stop::Gracefully);
        is_cancelled(&call.end().unwrap_err());
    }
}

#[test]
fn a_call_that_is_stopped_at_once_is_not_asked() {
    let agent = Agent::new(&[says("Hello")]);
    let call = begun(&agent, &agent.provider());
    call.stop.stop(Stop::AtOnce);
    is_cancelled(&call.end().unwrap_err());
    assert_eq!(agent.asked().len(), 3);
}

#[test]
fn nothing_is_left_of_a_call_whose_future_is_dropped() {
    let agent = Agent::new(&[says("Hello")]).then("prompt", "hang");
    let mut call = begun(&agent, &agent.provider());
    call.drop_future();
    eventually("no process is left", || processes::of_run(&call.run).is_empty());
}

#[test]
fn an_agent_that_falls_silent_is_given_up() {
    let agent = Agent::new(&[says("Hello")]);
    let provider =
        AcpProvider::builder().work_root(agent.folder.path()).patience(Duration::from_millis(300)).build();
    let error = Call::start(&provider, agent.request(&json!({}))).end().unwrap_err();
    assert_eq!(error.failure.class, FailureClass::IdleTimeout, "{error}");
    assert_eq!(error.failure.details.unwrap()["reason"], "silent");
}

#[test]
fn an_agent_that_does_not_exit_after_its_answer_is_a_success() {
    let agent = Agent::new(&[says("Hello."), ends("end_turn")]).then("prompt", "hang");
    assert_eq!(agent.run(&json!({})).0.unwrap().output.json(), "\"Hello.\"");
}
