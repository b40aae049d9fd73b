//! What is said, and what the output is of it.

use serde_json::{Value, json};
use std::sync::Arc;
use workflow_core::output::OutputKind;
use workflow_core::usage::Usage;

use crate::agent::{Agent, ends, initialized, opened, says, unknown, update};

fn tool(id: &str, title: &str) -> Value {
    update(
        &json!({ "sessionUpdate": "tool_call", "toolCallId": id, "title": title, "kind": "execute", "status": "pending" }),
    )
}

fn tool_ended(id: &str, status: &str) -> Value {
    update(&json!({ "sessionUpdate": "tool_call_update", "toolCallId": id, "status": status }))
}

fn thinks(text: &str) -> Value {
    update(&json!({ "sessionUpdate": "agent_thought_chunk", "content": { "type": "text", "text": text } }))
}

#[test]
fn the_conversation_is_as_the_protocol_has_it() {
    let agent = Agent::new(&[says("Hello."), ends("end_turn")]);
    let (reply, said) = agent.run(&json!({}));
    let reply = reply.unwrap();
    assert_eq!((reply.output.json(), reply.session.as_deref()), ("\"Hello.\"", Some("s-1")));
    assert_eq!(said.sessions(), ["s-1"]);
    assert_eq!(reply.details.unwrap()["agent"]["name"], "scripted");
    let asked = agent.asked();
    let methods: Vec<_> = asked.iter().map(|asked| asked["method"].as_str().unwrap()).collect();
    assert_eq!(methods, ["initialize", "session/new", "session/prompt"]);
    let folder = agent.folder.path().canonicalize().unwrap();
    assert_eq!(asked[1]["params"], json!({ "cwd": folder, "mcpServers": [] }));
    let prompt = json!({ "sessionId": "s-1", "prompt": [{ "type": "text", "text": "Say hello." }] });
    assert_eq!(asked[2]["params"], prompt);
}

#[test]
fn what_the_agent_does_is_shown_as_it_comes() {
    let plan = json!({ "sessionUpdate": "plan", "entries": [
        { "content": "look", "status": "completed" }, { "content": "fix", "status": "in_progress" }, { "content": "test", "status": "pending" },
    ] });
    let agent = Agent::new(&[
        update(&json!({ "sessionUpdate": "available_commands_update", "availableCommands": [] })),
        thinks("hm"),
        update(&plan),
        says("I will look."),
        tool("t", "cargo test"),
        tool_ended("t", "completed"),
        says("It is "),
        says("done."),
        update(
            &json!({ "sessionUpdate": "usage_update", "used": 10, "size": 100, "cost": { "amount": 0.25, "currency": "USD" } }),
        ),
        json!({ "id": 3, "result": { "stopReason": "end_turn", "usage": { "totalTokens": 30, "inputTokens": 10, "cachedReadTokens": 5, "outputTokens": 15 } } }),
    ]);
    let (reply, said) = agent.run(&json!({}));
    let reply = reply.unwrap();
    assert_eq!(reply.output.json(), "\"It is done.\"");
    assert_eq!(
        reply.usage,
        Some(Usage { input_tokens: Some(15), output_tokens: Some(15), cost_usd: Some(0.25) })
    );
    assert_eq!(said.of(OutputKind::TextDelta), ["I will look.", "It is ", "done."]);
    assert_eq!(said.of(OutputKind::Thinking), ["hm"]);
    assert_eq!(said.of(OutputKind::Tool), ["cargo test", "cargo test: completed"]);
    assert_eq!(said.of(OutputKind::Log), ["plan: [x] look [>] fix [ ] test"]);
}

#[test]
fn a_session_is_resumed_or_loaded_and_what_it_repeats_is_not_shown() {
    let resumes = json!({ "sessionCapabilities": { "resume": {} }, "loadSession": true });
    for (capabilities, method) in
        [(json!({ "loadSession": true }), "session/load"), (resumes, "session/resume")]
    {
        let mut initialized = initialized();
        initialized["result"]["agentCapabilities"] = capabilities;
        let old = update(
            &json!({ "sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": { "amount": 1.0, "currency": "USD" } }),
        );
        let new = update(
            &json!({ "sessionUpdate": "usage_update", "used": 1, "size": 2, "cost": { "amount": 1.75, "currency": "USD" } }),
        );
        let prompt = if method == "session/load" { 4 } else { 3 };
        let end = json!({ "id": prompt, "result": { "stopReason": "end_turn" } });
        let agent = Agent::new(&[says("Hello again."), new, end])
            .answers("initialize", &[initialized])
            .answers("ready1", &[unknown(3)])
            .answers("open", &[says("Hello."), tool("t", "ls"), old, json!({ "id": 2, "result": null })]);
        let mut request = agent.request(&json!({}));
        request.session = Some("s-1".to_owned());
        request.session_usage = Some(Usage { cost_usd: Some(1.0), ..Usage::default() });
        let (reply, said) = agent.call(request);
        let reply = reply.unwrap();
        assert_eq!((reply.output.json(), reply.session.as_deref()), ("\"Hello again.\"", Some("s-1")));
        assert_eq!(reply.usage.unwrap().cost_usd, Some(0.75));
        assert_eq!(said.of(OutputKind::TextDelta), ["Hello again."]);
        assert_eq!(said.of(OutputKind::Tool), Vec::<String>::new());
        assert_eq!(agent.asked()[1]["method"], method);
        assert_eq!(agent.asked()[1]["params"]["sessionId"], "s-1");
    }
}

#[test]
fn what_a_session_repeats_after_it_was_loaded_is_not_part_of_the_answer() {
    let agent =
        Agent::new(&[says("Hello again."), json!({ "id": 5, "result": { "stopReason": "end_turn" } })])
            .answers("open", &[says("First."), opened()])
            .answers("ready1", &[says("Second."), tool("t", "ls"), says("Third."), unknown(3)])
            .answers(
                "ready2",
                &[update(&json!({ "sessionUpdate": "available_commands_update" })), unknown(4)],
            );
    let mut request = agent.request(&json!({}));
    request.session = Some("s-1".to_owned());
    let (reply, said) = agent.call(request);
    assert_eq!(reply.unwrap().output.json(), "\"Hello again.\"");
    assert_eq!(said.of(OutputKind::TextDelta), ["Hello again."]);
    let asked = agent.asked();
    let methods: Vec<_> = asked.iter().map(|asked| asked["method"].as_str().unwrap()).collect();
    let ready = "_workflow/is_ready";
    assert_eq!(methods, ["initialize", "session/load", ready, ready, "session/prompt"]);
}

#[test]
fn a_notice_of_the_program_is_not_part_of_the_models_message() {
    let of = |message: &str, text: &str| {
        update(
            &json!({ "sessionUpdate": "agent_message_chunk", "messageId": message, "content": { "type": "text", "text": text } }),
        )
    };
    let agent = Agent::new(&[
        says("Warning: the model is new. "),
        of("m-1", "It is "),
        says("Warning: the connection was lost. "),
        of("m-2", "It "),
        of("m-2", "is "),
        of("m-3", "done."),
        ends("end_turn"),
    ]);
    let (reply, said) = agent.run(&json!({}));
    assert_eq!(reply.unwrap().output.json(), "\"It is done.\"");
    assert_eq!(said.of(OutputKind::TextDelta).len(), 6);
}

#[test]
fn a_tool_is_shown_by_the_last_title_that_it_was_given() {
    let named =
        update(&json!({ "sessionUpdate": "tool_call_update", "toolCallId": "t", "title": "cargo test" }));
    let agent = Agent::new(&[
        tool("t", "Terminal"),
        named,
        tool_ended("t", "completed"),
        says("Done."),
        ends("end_turn"),
    ]);
    let (reply, said) = agent.run(&json!({}));
    reply.unwrap();
    assert_eq!(said.of(OutputKind::Tool), ["Terminal", "cargo test: completed"]);
}

#[test]
fn tokens_are_read_where_agents_tell_them() {
    for (told, tokens) in [
        (json!({ "usage": { "inputTokens": 14, "cachedReadTokens": 5, "outputTokens": 7 } }), (19, 7)),
        (
            json!({ "_meta": { "quota": { "token_count": { "input_tokens": 19, "output_tokens": 7 } } } }),
            (19, 7),
        ),
        (
            json!({ "_meta": { "usage": { "inputTokens": 19, "outputTokens": 7, "cachedReadTokens": 5 } } }),
            (19, 7),
        ),
    ] {
        let mut result = told;
        result["stopReason"] = "end_turn".into();
        let (reply, _) = Agent::new(&[says("Hello."), json!({ "id": 3, "result": result })]).run(&json!({}));
        let usage = reply.unwrap().usage.unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(tokens.0), Some(tokens.1)));
    }
}

#[test]
fn the_session_of_an_agent_that_cannot_continue_it_is_not_told() {
    for (can_load, told) in [(true, Some("s-1")), (false, None)] {
        let mut initialized = initialized();
        initialized["result"]["agentCapabilities"] = json!({ "loadSession": can_load });
        let agent = Agent::new(&[says("Hello."), ends("end_turn")]).answers("initialize", &[initialized]);
        let (reply, said) = agent.run(&json!({}));
        assert_eq!(reply.unwrap().session.as_deref(), told);
        assert_eq!(said.sessions().first().map(String::as_str), told);
    }
}

#[test]
fn a_mode_is_set_before_the_prompt() {
    let end = json!({ "id": 4, "result": { "stopReason": "end_turn" } });
    let agent = Agent::new(&[says("Hello."), end]).answers("mode", &[json!({ "id": 3, "result": {} })]);
    agent.run(&json!({ "mode": "architect" })).0.unwrap();
    assert_eq!(agent.asked()[2]["params"], json!({ "sessionId": "s-1", "modeId": "architect" }));
    let refused = json!({ "id": 3, "error": { "code": -32602, "message": "no such mode" } });
    let agent = Agent::new(&[]).answers("mode", &[refused]);
    assert_eq!(agent.reason(&json!({ "mode": "x" })), "arguments_refused");
}

#[test]
fn a_schema_is_told_in_the_prompt() {
    let agent = Agent::new(&[says("{}"), ends("end_turn")]);
    let mut request = agent.request(&json!({}));
    request.output_schema = Some(Arc::new(json!({ "type": "object" })));
    agent.call(request).0.unwrap();
    let asked = agent.asked();
    let prompt = asked[2]["params"]["prompt"][0]["text"].as_str().unwrap();
    assert!(prompt.starts_with("Say hello.") && prompt.contains("{\"type\":\"object\"}"), "{prompt}");
}

#[test]
fn what_is_not_known_is_counted_once_and_changes_nothing() {
    let agent = Agent::new(&[
        update(&json!({ "sessionUpdate": "new_kind", "x": 1 })),
        json!({ "method": "session/new_method", "params": {} }),
        json!({ "id": 77, "result": {} }),
        json!({ "id": 1, "result": { "protocolVersion": 9 } }),
        json!({ "method": "_extension/x", "params": {} }),
        json!({ "method": "session/update", "params": { "sessionId": "other", "update": { "sessionUpdate": "agent_message_chunk", "content": { "type": "text", "text": "not this" } } } }),
        says("Hello."),
        json!([{ "id": 3 }]),
        ends("end_turn"),
        ends("refusal"),
        says("too late"),
    ])
    .prints("answered", "");
    let (reply, said) = agent.run(&json!({}));
    assert_eq!(reply.unwrap().output.json(), "\"Hello.\"");
    let log = said.of(OutputKind::Log);
    let counted: Vec<_> = log.iter().filter(|line| line.contains("of a kind that is not known")).collect();
    assert_eq!(counted.len(), 1, "{log:?}");
    assert!(counted[0].starts_with("5 records") && counted[0].contains("new_kind"), "{counted:?}");
}

#[test]
fn a_request_for_something_that_is_not_offered_is_refused_and_the_prompt_continues() {
    let read = json!({ "id": "r-1", "method": "fs/read_text_file", "params": { "sessionId": "s-1", "path": "/etc/passwd" } });
    let agent = Agent::new(&[read]).answers("answered", &[says("Then not."), ends("end_turn")]);
    assert_eq!(agent.run(&json!({})).0.unwrap().output.json(), "\"Then not.\"");
    let answer = agent.asked().pop().unwrap();
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!("r-1"), &json!(-32601)));
}

#[test]
fn noise_around_the_messages_changes_nothing() {
    let message =
        format!("warning: old node\n\u{1b}]0;agent\u{7}{}\r\n\n{}\n", says("Hello."), ends("end_turn"));
    let agent = Agent::new(&[])
        .prints("initialize", &format!("\u{feff}starting\n{}\n", initialized()))
        .prints("open", &format!("{}\n", opened()))
        .prints("prompt", &message);
    assert_eq!(agent.run(&json!({})).0.unwrap().output.json(), "\"Hello.\"");
}
