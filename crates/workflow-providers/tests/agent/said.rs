//! The output of agents, and its result.

use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::Provider as _;
use workflow_core::usage::Usage;
use workflow_providers::ClaudeCodeProvider;

use super::{Agent, DEADLINE, reason};

#[test]
fn an_answer_is_told_with_what_it_used_and_its_session_before_it() {
    let (reply, said) = Agent::new("echo \"$BEGIN\"; cat >&2; echo \"$END\"").call();
    let reply = reply.unwrap();
    assert_eq!(reply.output.value(), json!("done"));
    assert_eq!(
        reply.usage,
        Some(Usage { input_tokens: Some(3), output_tokens: Some(2), cost_usd: Some(0.5) })
    );
    assert_eq!((reply.session.as_deref(), said.sessions()), (Some("s1"), vec!["s1".to_owned()]));
    assert_eq!(reply.details.as_deref(), Some(&json!({ "turns": 1 })));
}

#[test]
fn numbers_of_a_structured_answer_stay_as_they_were_written() {
    let numbers = "[23000000000000000001,1e400,-0.0,-0,1.0,1e2,0.1000,-1.50E-3,18446744073709551616]";
    let script = format!(
        "echo \"$BEGIN\"; echo \"${{END%?}},\\\"structured_output\\\":{{\\\"n\\\":{numbers}}},\\\"odd\\\":1e999}}\""
    );
    let (reply, _) = Agent::new(&script).call();
    let reply = reply.unwrap();
    assert_eq!(reply.output.json(), format!("{{\"n\":{numbers}}}"));
    assert_eq!(reply.usage.and_then(|usage| usage.cost_usd), Some(0.5));
}

#[test]
fn no_part_of_a_secret_is_left_where_the_output_of_a_tool_is_shortened() {
    let record = r#"{"type":"user","message":{"content":[{"type":"tool_result","content":"%s"}]}}"#;
    let script = format!(
        "echo \"$BEGIN\"; n=1960; while [ $n -lt 2010 ]; do x=$(head -c $n /dev/zero | tr '\\0' x); \
         printf '{record}\\n' \"$x$AGENT_API_KEY and more\"; n=$((n+1)); done; echo \"$END\""
    );
    let (reply, said) = Agent::new(&script).call();
    reply.unwrap();
    let tools = said.of(OutputKind::Tool);
    let cut = tools.iter().filter(|text| text.ends_with('…')).count();
    assert!(tools.len() == 50 && cut > 20, "{} of {}", cut, tools.len());
    for part in ["key-to", "to-be-", "hidden"] {
        assert_eq!(tools.iter().find(|text| text.contains(part)), None, "{part}");
    }
}

#[test]
fn a_success_takes_the_last_record_and_the_exit_code() {
    for (script, class, why) in [
        ("echo \"$BEGIN\"; echo \"$END\"; exit 3", FailureClass::Transient, "failed"),
        ("echo \"$BEGIN\"; exit 0", FailureClass::Transient, "stream_cut"),
        ("echo \"$BEGIN\"; kill -9 $$", FailureClass::Transient, "killed"),
        ("echo \"$BEGIN\"; echo \"${END%??}\"", FailureClass::Transient, "stream_cut"),
        ("echo 'error: unknown option x' >&2; exit 1", FailureClass::Permanent, "arguments_refused"),
        ("true", FailureClass::Transient, "stream_cut"),
        ("exec 1>&-; exec 0<&-; exit 0", FailureClass::Transient, "stream_cut"),
    ] {
        let (result, _) = Agent::new(script).call();
        let error = result.unwrap_err();
        assert_eq!((error.failure.class, reason(&error)), (class, why), "{script}: {error}");
    }
}

#[test]
fn an_agent_that_is_not_there_is_told_with_how_to_install_it() {
    let provider = ClaudeCodeProvider::builder().program("no-such-agent").build();
    let request = super::common::request(&super::unique_run(), "hello", json!({}));
    let error = super::Call::start(&provider, request).end().unwrap_err();
    assert_eq!((error.failure.class, reason(&error)), (FailureClass::Permanent, "not_installed"));
    assert!(error.to_string().contains("npm install -g @anthropic-ai/claude-code"), "{error}");
}

#[test]
fn records_may_come_late_in_pieces_and_after_the_last_one() {
    let script = r#"sleep 0.3; printf '%s' '{"type":"system","subtype":"init",'; sleep 0.1
        printf '"session_id":"s1"}\n{"type":"assistant","message":{"content":[{"type":"text","text":"caf\303'; sleep 0.1
        printf '\251"}]}}\n'; echo "$END"; echo '{"type":"system","subtype":"status"}'; echo bye"#;
    let (reply, said) = Agent::new(script).call();
    assert_eq!(reply.unwrap().output.value(), json!("done"));
    assert_eq!(said.of(OutputKind::Text), ["café"]);
    assert_eq!(said.of(OutputKind::Log), ["bye"]);
}

#[test]
fn a_gigabyte_in_one_line_is_left_out_and_costs_bounded_room() {
    let script = "echo \"$BEGIN\"; head -c 1073741824 /dev/zero | tr '\\0' x; echo; echo \"$END\"";
    let (reply, said) = Agent::new(script).call();
    assert_eq!(reply.unwrap().output.value(), json!("done"));
    assert_eq!(said.of(OutputKind::Log), ["(omitted a line that is too long to read)"]);
    let peak = peak_memory();
    assert!(peak < 256 * 1024 * 1024, "{peak} bytes");
}

#[test]
fn keys_that_are_repeated_are_not_shown() {
    let script =
        "echo \"$BEGIN\"; echo \"key is $AGENT_API_KEY\"; echo \"bad key: $AGENT_API_KEY\" >&2; exit 1";
    let (result, said) = Agent::new(script).call();
    let shown = format!("{:?} {:?}", result.unwrap_err(), said.of(OutputKind::Log));
    assert!(shown.contains("[redacted]") && !shown.contains("key-to-be-hidden"), "{shown}");
}

#[test]
fn options_that_are_unknown_or_wrong_are_refused_before_a_run() {
    let provider = ClaudeCodeProvider::new();
    for (options, problem) in [
        (json!({"modell": "x"}), "unknown option `modell`"),
        (json!({"max_turns": "many"}), "`max_turns`: invalid type"),
        (json!({"permission_mode": "yolo"}), "`permission_mode`: unknown value `yolo`"),
        (json!(["model"]), "write an object"),
    ] {
        let told = provider.check_options(&options).unwrap_err();
        assert!(told.starts_with(problem), "{told}");
    }
    for options in [json!(null), json!({}), json!({"model": "${vars.m}", "max_turns": "${vars.n}"})] {
        assert_eq!(provider.check_options(&options), Ok(()), "{options}");
    }
}

#[test]
fn a_value_does_not_become_an_option() {
    let agent = Agent::new("echo \"$BEGIN\"; echo \"$END\"");
    let call = agent.start_with(DEADLINE, json!({"allowed_tools": ["--dangerously-skip-permissions"]}));
    let error = call.end().unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Permanent);
    assert!(error.to_string().contains("would read it as an option"), "{error}");
}

#[test]
fn options_become_arguments_and_a_prompt_comes_by_standard_input() {
    let agent = Agent::new("echo \"$BEGIN\"; echo \"args: $*\"; echo \"prompt: $(cat)\"; echo \"$END\"");
    let options = json!({"model": "m", "permission_mode": "acceptEdits", "allowed_tools": ["Bash", "Read"],
        "max_turns": 3, "mcp_servers": {"x": {"command": "y"}}});
    let call = agent.start_with(DEADLINE, options);
    call.end().unwrap();
    let said = call.said.of(OutputKind::Log);
    let arguments = "args: -p --output-format stream-json --verbose --include-partial-messages --model m \
                     --permission-mode acceptEdits --allowedTools Bash Read --max-turns 3 --strict-mcp-config --mcp-config /";
    assert!(said[0].starts_with(arguments), "{}", said[0]);
    assert_eq!(said[1], "prompt: say hello");
}

/// The peak memory of this process so far, in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}
