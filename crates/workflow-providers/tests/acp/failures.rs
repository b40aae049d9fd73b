//! Agents that end early, refuse, or say things in another order.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;

use crate::agent::{Agent, ends, initialized, opened, says};

fn error(id: u64, code: i64, message: &str, data: &Value) -> Value {
    json!({ "id": id, "error": { "code": code, "message": message, "data": data } })
}

#[test]
fn the_end_of_a_prompt_says_why() {
    for (end, reason, is_retried) in [
        ("max_tokens", "max_tokens", false),
        ("max_turn_requests", "max_turns", false),
        ("refusal", "refused", false),
        ("cancelled", "killed", true),
        ("", "stream_cut", true),
    ] {
        let agent = Agent::new(&[says("Hello"), ends(end)]);
        let error = agent.run(&json!({})).0.unwrap_err();
        let details = error.failure.details.as_ref().unwrap();
        assert_eq!(
            (&details["reason"], error.failure.class.is_retryable()),
            (&json!(reason), is_retried),
            "{end}"
        );
        assert_eq!(error.output.unwrap().json(), "\"Hello\"");
        assert_eq!(details["text"] == "Hello", end == "max_tokens");
    }
    for text in ["", " \n"] {
        assert_eq!(Agent::new(&[says(text), ends("end_turn")]).reason(&json!({})), "empty_answer");
    }
    assert_eq!(
        Agent::new(&[says("Hello."), ends("some_new_reason")]).run(&json!({})).0.unwrap().output.json(),
        "\"Hello.\""
    );
}

#[test]
fn each_refusal_has_a_reason_and_says_what_to_do() {
    let null = &Value::Null;
    let limit = json!({ "details": "You've hit your usage limit. Try again in 2 hours." });
    for (method, refusal, reason, shown) in [
        ("initialize", error(1, -32601, "Method not found", null), "arguments_refused", "speaks ACP"),
        (
            "initialize",
            json!({ "id": 1, "result": { "protocolVersion": 2 } }),
            "arguments_refused",
            "version 2",
        ),
        ("initialize", json!({ "id": 1, "result": {} }), "arguments_refused", "version"),
        ("open", error(2, -32000, "Authentication required", null), "not_logged_in", "it offers: an API key"),
        ("open", json!({ "id": 2, "result": {} }), "failed", "without an id"),
        ("prompt", error(3, -32603, "Internal error", &limit), "rate_limited", "usage limit"),
        ("prompt", error(3, -32603, "529 overloaded_error", null), "overloaded", "overloaded"),
        ("prompt", error(3, -32000, "Please log in", null), "not_logged_in", "log in with"),
        ("prompt", error(3, -32603, "Credit balance is too low", null), "billing", "see the account"),
        ("prompt", error(3, -32603, "", null), "failed", "did not say why"),
        ("prompt", json!({ "id": 3, "error": "broken" }), "failed", "did not say why"),
    ] {
        let agent = Agent::new(&[]).answers(method, &[refusal]);
        let error = agent.run(&json!({})).0.unwrap_err();
        assert_eq!(error.failure.details.as_ref().unwrap()["reason"], reason, "{error}");
        assert!(error.failure.message.contains(shown), "{error}");
        assert_eq!(error.until.is_some(), error.failure.class == FailureClass::RateLimited);
    }
}

#[test]
fn a_session_that_is_gone_is_told_as_such() {
    let gone = error(2, -32002, "Session not found", &Value::Null);
    for (capabilities, open) in
        [(json!({ "loadSession": true }), gone), (json!({ "loadSession": false }), opened())]
    {
        let mut initialized = initialized();
        initialized["result"]["agentCapabilities"] = capabilities;
        let agent = Agent::new(&[]).answers("initialize", &[initialized]).answers("open", &[open]);
        let mut request = agent.request(&json!({}));
        request.session = Some("s-0".to_owned());
        let error = agent.call(request).0.unwrap_err();
        assert_eq!(error.failure.details.unwrap()["reason"], "session_unknown");
    }
}

#[test]
fn an_agent_that_exits_after_any_message_is_a_failure() {
    let conversation = [
        ("initialize", vec![initialized()]),
        ("open", vec![opened()]),
        ("prompt", vec![says("Hello "), says("there."), ends("end_turn")]),
    ];
    for (method, messages) in &conversation {
        for count in 0..=messages.len() {
            let agent =
                Agent::new(&conversation[2].1).answers(method, &messages[..count]).then(method, "exit");
            let result = agent.run(&json!({})).0;
            let is_whole = *method == "prompt" && count == messages.len();
            assert_eq!(result.is_ok(), is_whole, "{method} {count}: {result:?}");
            if let Err(error) = result {
                assert!(error.failure.class.is_retryable(), "{method} {count}: {error}");
                assert_eq!(error.failure.details.unwrap()["reason"], "stream_cut", "{method} {count}");
            }
        }
    }
}

#[test]
fn a_message_that_is_cut_anywhere_is_not_a_success() {
    let whole = format!("{}\n{}\n", says("Hello."), ends("end_turn"));
    let least = whole.len() - 1;
    for cut in (0..whole.len()).filter(|cut| cut % 9 == 0 || cut + 12 > least) {
        let agent = Agent::new(&[]).prints("prompt", &whole[..cut]).then("prompt", "exit");
        assert_eq!(agent.run(&json!({})).0.is_ok(), cut >= least, "{:?}", &whole[..cut]);
    }
}

#[test]
fn messages_in_any_order_end_in_something_typed() {
    let messages = [initialized(), opened(), says("Hello."), ends("end_turn")];
    let mut order: Vec<usize> = (0..messages.len()).collect();
    // Every order of the messages, all of them before the first request is answered.
    permutations(&mut order, 0, &mut |order| {
        let all: Vec<_> = order.iter().map(|number| messages[*number].clone()).collect();
        let agent = Agent::new(&[]).answers("initialize", &all).prints("open", "").then("initialize", "exit");
        let result = agent.run(&json!({})).0;
        // Only an agent that answers before it is asked, but in order, is understood.
        assert_eq!(result.is_ok(), order == [0, 1, 2, 3], "{order:?}: {result:?}");
        assert!(result.is_ok() || !result.unwrap_err().failure.message.is_empty());
    });
}

fn permutations(order: &mut Vec<usize>, from: usize, each: &mut dyn FnMut(&[usize])) {
    if from == order.len() {
        return each(order);
    }
    for other in from..order.len() {
        order.swap(from, other);
        permutations(order, from + 1, each);
        order.swap(from, other);
    }
}

#[test]
fn a_program_that_is_not_there_or_speaks_something_else_says_so() {
    let agent = Agent::new(&[]);
    for (command, reason) in [
        (json!(["no-such-program-anywhere"]), "not_installed"),
        (json!(["sh", "-c", "echo 'error: unknown option --acp' >&2; exit 2"]), "arguments_refused"),
        (json!(["sh", "-c", "echo hello; exit 0"]), "stream_cut"),
        (json!(["cat"]), "arguments_refused"),
    ] {
        let error = agent.run(&json!({ "command": command })).0.unwrap_err();
        assert_eq!(error.failure.details.as_ref().unwrap()["reason"], reason, "{command}: {error}");
    }
}
