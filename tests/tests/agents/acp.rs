//! The same command lines through the `acp` provider: by themselves where they speak the Agent Client Protocol, with the
//! adapters of the protocol's organisation for Claude Code and Codex.

use std::fs;
use std::sync::Arc;
use std::thread;

use jiff::Timestamp;
use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::Reply;
use workflow_core::stop::Stop;
use workflow_tests::model_api::{COMMAND, Scenario, TEXT};

use crate::cli::Cli;
use crate::rig::{Call, Rig, wait_until};
use crate::together::Terminal;

for_every_cli! {
    a_prompt_is_answered,
    a_tool_that_a_rule_allows_is_used,
    a_tool_that_no_rule_allows_is_not_used,
    a_session_is_continued,
    a_failing_service_is_not_a_success,
    a_call_that_is_stopped_in_a_tool_leaves_no_process,
    a_call_that_is_stopped_in_an_answer_leaves_no_process,
    a_call_that_is_killed_in_a_tool_leaves_no_process,
    a_program_that_is_killed_in_its_tool_is_recovered_in_its_session,
    a_run_that_is_cancelled_in_its_tool_leaves_no_process,
}

/// Options with rules. Codex asks for nothing, and has a sandbox instead.
fn options(cli: Cli, allow: &[&str]) -> Value {
    let mut options = json!({ "command": cli.acp_command(), "allow": allow });
    if cli == Cli::Codex && allow.is_empty() {
        options["mode"] = "read-only".into();
    }
    options
}

fn tokens(reply: &Reply) -> Option<(u64, u64)> {
    let usage = reply.usage.as_ref()?;
    usage.input_tokens.zip(usage.output_tokens)
}

fn a_prompt_is_answered(cli: Cli) {
    let rig = Rig::new();
    let call = Call::new("Say hello to the lighthouse.", options(cli, &[]));
    let reply = call.made(&rig.acp(cli, Scenario::Ok)).unwrap();
    assert_eq!(reply.output.value(), TEXT);
    assert_eq!(tokens(&reply), Some((19, 7)));
    assert!(call.said(OutputKind::TextDelta).ends_with(TEXT));
    assert_eq!(call.sessions(), [reply.session.unwrap()]);
    assert!(rig.api.asked().iter().any(|asked| asked.mentions("Say hello to the lighthouse.")));
    assert_eq!(rig.processes(), [""; 0]);
}

fn a_tool_that_a_rule_allows_is_used(cli: Cli) {
    let rig = Rig::new();
    let call = Call::new("Use the tool.", options(cli, &["execute(*cat tool_out.txt*)"]));
    let reply = call.made(&rig.acp(cli, Scenario::Tool)).unwrap();
    assert_eq!(reply.output.value(), TEXT);
    assert_eq!(tokens(&reply), Some((38, 14)));
    assert_eq!(fs::read_to_string(rig.work().join("tool_out.txt")).unwrap(), "tool-ran\n");
    let told = call.said(OutputKind::Tool);
    assert!(told.contains(COMMAND) && told.ends_with(": completed"), "{told}");
    let denials = reply.details.as_ref().and_then(|details| details.get("permission_denials"));
    assert_eq!(denials, None);
    assert_eq!(rig.processes(), [""; 0]);
}

fn a_tool_that_no_rule_allows_is_not_used(cli: Cli) {
    let rig = Rig::new();
    let call = Call::new("Use the tool.", options(cli, &[]));
    let result = call.made(&rig.acp(cli, Scenario::Tool));
    assert!(!rig.work().join("tool_out.txt").exists());
    let log = call.said(OutputKind::Log);
    assert_eq!(log.contains("not allowed: "), cli != Cli::Codex, "{log} {result:?}");
    assert_eq!(rig.processes(), [""; 0]);
}

/// Gemini CLI names the file of a session after the minute, and finds none that it loads in the minute in which it began.
pub(crate) fn session_can_be_loaded(cli: Cli) {
    let minute = || Timestamp::now().as_second() / 60;
    let began = minute();
    wait_until(|| cli != Cli::Gemini || minute() > began);
}

fn a_session_is_continued(cli: Cli) {
    let rig = Rig::new();
    let provider = rig.acp(cli, Scenario::Ok);
    let mut call = Call::new("The first word is lighthouse.", options(cli, &[]));
    let first = call.made(&provider).unwrap();
    let words = if cli == Cli::Gemini { &["harbour"][..] } else { &["harbour", "gull"] };
    for word in words {
        session_can_be_loaded(cli);
        call.request.prompt = format!("The next word is {word}.");
        call.request.session.clone_from(&first.session);
        let next = call.made(&provider).unwrap();
        assert_eq!(next.output.value(), TEXT, "what the session repeats is not part of the answer");
        assert_eq!(next.session, first.session);
        let asked = rig.api.asked();
        assert!(asked.iter().any(|asked| asked.mentions(word) && asked.mentions("lighthouse")));
    }
}

fn a_failing_service_is_not_a_success(cli: Cli) {
    for scenario in [Scenario::Status(401), Scenario::Status(400), Scenario::Cut] {
        let rig = Rig::new();
        let call = Call::new("Say hello.", options(cli, &[]));
        match call.made(&rig.acp(cli, scenario)) {
            Err(error) => assert!(!error.failure.message.is_empty(), "{scenario}: {error:?}"),
            // Its adapter tells an error as an answer, without a mark: it is not hidden.
            Ok(reply) if cli == Cli::Codex && scenario != Scenario::Status(401) => {
                assert!(![TEXT, "Hello from"].contains(&reply.output.value().as_str().unwrap()), "{reply:?}");
            }
            // It asks again by itself.
            Ok(reply) => assert_eq!((scenario, reply.output.value()), (Scenario::Cut, TEXT.into())),
        }
    }
}

/// Makes a call and stops it as soon as the condition holds.
fn stopped(cli: Cli, scenario: Scenario, how: Stop, when: impl FnOnce(&Rig)) {
    let rig = Rig::new();
    let provider = rig.acp(cli, scenario);
    let call = Arc::new(Call::new("Continue.", options(cli, &["*"])));
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

/// A workflow whose one stage is the agent.
fn terminal(cli: Cli) -> Terminal {
    let rig = Rig::new();
    let program = rig.acp_program(cli, Scenario::SlowTool);
    let home = rig.work().join(".orch/workflows");
    fs::create_dir_all(&home).unwrap();
    let text = format!(
        "workflow: {{ name: Work, stages: [work] }}\n\
         work: {{ provider: acp, prompt: Continue., with: {} }}\n",
        json!({ "command": [program], "allow": ["*"] })
    );
    fs::write(home.join("work.workflow.yml"), text).unwrap();
    let environment = rig.environment(&[]);
    Terminal { rig, environment }
}

fn a_program_that_is_killed_in_its_tool_is_recovered_in_its_session(cli: Cli) {
    let terminal = terminal(cli);
    let mut child = terminal.run_into_the_tool();
    child.kill().unwrap();
    child.wait().unwrap();
    terminal.rig.acp_program(cli, Scenario::Ok);
    session_can_be_loaded(cli);
    let recovered = terminal.recover();
    assert!(recovered.status.success(), "{recovered:?}");
    assert_eq!(terminal.rig.processes(), [""; 0]);
    assert_eq!(terminal.events().last().unwrap()["type"], "run_completed");
    assert_eq!(terminal.count("attempt_interrupted", "work"), 1);
    assert_eq!(terminal.count("attempt_succeeded", "work"), 1);
    let sessions: Vec<_> = terminal
        .events()
        .iter()
        .filter(|event| event["type"] == "session_recorded")
        .map(|event| event["data"]["session"].clone())
        .collect();
    assert!(sessions.iter().all(|session| *session == sessions[0]), "{sessions:?}");
}

fn a_run_that_is_cancelled_in_its_tool_leaves_no_process(cli: Cli) {
    let terminal = terminal(cli);
    let mut child = terminal.run_into_the_tool();
    terminal.cancel();
    assert_eq!(child.wait().unwrap().code(), Some(3), "the run was cancelled");
    assert_eq!(terminal.rig.processes(), [""; 0]);
    assert_eq!(terminal.events().last().unwrap()["type"], "run_cancelled");
}
