//! What an agent asks to be allowed.

use serde_json::{Value, json};
use workflow_core::output::OutputKind;

use crate::agent::{Agent, ends, says, update};

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
