//! What an agent asks to be allowed.

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::output::OutputKind;
use workflow_core::provider::{GivenAnswer, Provider as _, ProviderError, Reply};

use crate::agent::{Agent, ends, initialized, opened, says, unknown, update};
use crate::common;

fn asks(id: &str, kind: Option<&str>, title: &str) -> Value {
    json!({ "id": id, "method": "session/request_permission", "params": {
        "sessionId": "s-1",
        "toolCall": { "toolCallId": "t", "kind": kind, "title": title },
        "options": [
            { "optionId": "yes", "name": "Yes", "kind": "allow_once" },
            { "optionId": "no", "name": "No", "kind": "reject_once" },
        ],
    } })
}

#[test]
fn rules_decide_and_nothing_is_allowed_without_one() {
    for (options, kind, title, answer) in [
        (json!({}), "edit", "Edit a.rs", "no"),
        (json!({ "allow": ["edit"] }), "edit", "Edit a.rs", "yes"),
        (json!({ "allow": ["execute(cargo test*)"] }), "execute", "cargo test --all", "yes"),
        (json!({ "allow": ["execute(cargo test*)"] }), "execute", "rm -rf /", "no"),
        (json!({ "allow": ["*"], "deny": ["execute(*push*)"] }), "execute", "git push", "no"),
    ] {
        let agent = Agent::new(&[asks("p", Some(kind), title)])
            .answers("answered", &[says("Done."), ends("end_turn")]);
        let (reply, said) = agent.run(&options);
        let details = reply.unwrap().details.unwrap();
        let answered = agent.asked().pop().unwrap();
        assert_eq!(answered["id"], "p");
        assert_eq!(
            answered["result"]["outcome"],
            json!({ "outcome": "selected", "optionId": answer }),
            "{options}"
        );
        let denials = &details["permission_denials"];
        assert_eq!(denials[0]["title"] == title, answer == "no", "{denials}");
        assert_eq!(
            said.of(OutputKind::Log).iter().any(|line| line.starts_with("not allowed: ")),
            answer == "no"
        );
    }
}

#[test]
fn the_kind_that_was_told_with_the_tool_counts() {
    let call = update(
        &json!({ "sessionUpdate": "tool_call", "toolCallId": "t", "title": "Edit a.rs", "kind": "edit" }),
    );
    let mut asks = asks("p", None, "");
    asks["params"]["toolCall"] = json!({ "toolCallId": "t" });
    let agent = Agent::new(&[call, asks]).answers("answered", &[says("Done."), ends("end_turn")]);
    agent.run(&json!({ "allow": ["edit(Edit a*)"] })).0.unwrap();
    assert_eq!(agent.asked().pop().unwrap()["result"]["outcome"]["optionId"], "yes");
}

#[test]
fn a_request_that_comes_at_the_wrong_time_or_without_options_is_answered() {
    for (method, expected) in [("initialize", "selected"), ("open", "selected")] {
        let messages = match method {
            "initialize" => vec![asks("early", Some("edit"), "x"), crate::agent::initialized()],
            _ => vec![asks("early", Some("edit"), "x"), crate::agent::opened()],
        };
        let agent = Agent::new(&[says("Done."), ends("end_turn")]).answers(method, &messages);
        agent.run(&json!({})).0.unwrap();
        let answer = agent.asked().into_iter().find(|asked| asked["id"] == "early").unwrap();
        assert_eq!(answer["result"]["outcome"]["outcome"], expected, "{method}");
    }
    let mut asks = asks("p", Some("edit"), "x");
    asks["params"]["options"] = json!([]);
    let agent = Agent::new(&[asks]).answers("answered", &[says("Done."), ends("end_turn")]);
    agent.run(&json!({ "allow": ["*"] })).0.unwrap();
    assert_eq!(agent.asked().pop().unwrap()["result"]["outcome"], json!({ "outcome": "cancelled" }));
}

/// Calls the agent with these answers of persons, in the session of the call before.
fn answered(agent: &Agent, answers: &[(&str, &str)]) -> Result<Reply, ProviderError> {
    let mut request = agent.request(&json!({ "ask": ["execute"] }));
    request.session = (!answers.is_empty()).then(|| "s-1".to_owned());
    let (context, _, _stop) = common::context(&request);
    let answers: Vec<_> = answers
        .iter()
        .map(|(question, answer)| GivenAnswer { question: (*question).into(), answer: (*answer).into() })
        .collect();
    block_on(agent.provider().call(request, context.with_answers(&answers)))
}

/// An agent that asks for this in a session that was loaded.
fn asks_again(requests: &[Value]) -> Agent {
    let agent = Agent::new(requests).answers("ready1", &[unknown(3)]).answers("open", &[opened()]);
    agent.answers("answered", &[says("Done."), json!({ "id": 4, "result": { "stopReason": "end_turn" } })])
}

#[test]
fn a_person_is_asked_and_the_call_is_made_again_with_the_answer() {
    let mut request = asks("p", Some("execute"), "cargo publish");
    request["params"]["toolCall"]["rawInput"] = json!({ "command": "cargo publish", "cwd": "/work" });
    let agent = Agent::new(&[request.clone()]).answers("cancel", &[ends("cancelled")]);
    let error = answered(&agent, &[]).unwrap_err();
    let question = error.question.unwrap();
    assert_eq!(
        question.text,
        "The agent asks to be allowed: cargo publish (execute)\n{\n  \"command\": \"cargo publish\",\n  \"cwd\": \"/work\"\n}"
    );
    assert_eq!(question.schema.unwrap().value(), json!({ "enum": ["allow", "deny"] }));
    // The prompt was cancelled as the protocol says: every request is answered.
    let asked = agent.asked();
    let cancelled = asked.iter().position(|asked| asked["method"] == "session/cancel").unwrap();
    let answer = asked.iter().position(|asked| asked["id"] == "p").unwrap();
    assert!(cancelled < answer, "{asked:?}");
    assert_eq!(asked[answer]["result"]["outcome"], json!({ "outcome": "cancelled" }));

    for (given, option) in [("allow", "yes"), ("deny", "no")] {
        let agent = asks_again(&[request.clone()]);
        let reply = answered(&agent, &[(&question.text, given)]).unwrap();
        assert_eq!(reply.output.json(), "\"Done.\"");
        let asked = agent.asked();
        let answer = asked.iter().find(|asked| asked["id"] == "p").unwrap();
        assert_eq!(answer["result"]["outcome"]["optionId"], option);
        let prompt = asked.iter().find(|asked| asked["method"] == "session/prompt").unwrap();
        let prompt = prompt["params"]["prompt"][0]["text"].as_str().unwrap();
        let decision = if given == "allow" { "allowed" } else { "denied" };
        assert!(
            prompt.starts_with("Say hello.") && prompt.contains(&format!("It is {decision}: cargo publish"))
        );
    }
}

#[test]
fn an_answer_is_for_the_same_request_once_and_the_last_one_counts() {
    let request = asks("p", Some("execute"), "ls");
    let text = "The agent asks to be allowed: ls (execute)";
    // Another request, and the same one again in one call.
    for requests in
        [vec![asks("q", Some("execute"), "ls -a")], vec![request.clone(), asks("q", Some("execute"), "ls")]]
    {
        let agent = asks_again(&requests).answers("answered", &[]);
        let error = answered(&agent, &[(text, "allow")]).unwrap_err();
        assert!(error.question.is_some(), "{error}");
        let asked = agent.asked();
        let answer = asked.iter().find(|asked| asked["id"] == "q").unwrap();
        assert_eq!(answer["result"]["outcome"]["outcome"], "cancelled");
    }
    let agent = asks_again(&[request]);
    answered(&agent, &[(text, "deny"), (text, "allow")]).unwrap();
    let asked = agent.asked();
    let answer = asked.iter().find(|asked| asked["id"] == "p").unwrap();
    assert_eq!(answer["result"]["outcome"]["optionId"], "yes");
}

#[test]
fn an_agent_that_ends_instead_of_cancelling_asks_all_the_same() {
    for how in ["exit", "hang"] {
        let agent = Agent::new(&[asks("p", Some("execute"), "ls")]).then("cancel", how);
        let error = answered(&agent, &[]).unwrap_err();
        assert!(error.question.is_some(), "{how}: {error}");
    }
}

#[test]
fn no_person_is_asked_where_the_answer_could_not_reach_the_agent_or_the_request_not_be_shown() {
    let mut cannot_load = initialized();
    cannot_load["result"]["agentCapabilities"] = json!({});
    let short = asks("p", Some("execute"), "ls");
    let mut long = short.clone();
    long["params"]["toolCall"]["rawInput"] = json!({ "command": "x".repeat(20_000) });
    for (initialized, request) in [(cannot_load, short), (initialized(), long)] {
        let agent = Agent::new(&[request])
            .answers("initialize", &[initialized])
            .answers("answered", &[says("Then not."), ends("end_turn")]);
        let reply = answered(&agent, &[]).unwrap();
        assert_eq!(reply.details.unwrap()["permission_denials"][0]["title"], "ls");
    }
}
