//! `OpenAI`'s chat completions.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, list, text};
use super::stream::{Answer, Script};
use super::turn::{Fault, Turn};

/// Reads a request.
pub(super) fn read(body: &Value) -> Asked {
    let mut asked = Asked {
        model: text(body, "model").to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        schema: body.pointer("/response_format/json_schema/schema").cloned(),
        ..Asked::default()
    };
    for tool in list(body, "tools").iter().filter(|tool| text(tool, "type") == "function") {
        let schema = tool["function"].get("parameters").cloned().unwrap_or_default();
        asked.tools.insert(text(&tool["function"], "name").to_owned(), schema);
    }
    for message in list(body, "messages") {
        match text(message, "role") {
            "tool" => {
                asked.answered = true;
                asked.results += 1;
            }
            "user" => {
                asked.said(text(message, "content"));
                asked.said_in(list(message, "content"));
            }
            _ => {}
        }
    }
    asked
}

/// Answers.
pub(super) fn say(asked: &Asked, turn: &Turn, number: u64) -> Answer {
    let usage = json!({
        "prompt_tokens": 19,
        "completion_tokens": 7,
        "total_tokens": 26,
        "prompt_tokens_details": { "cached_tokens": 5 },
        "completion_tokens_details": { "reasoning_tokens": 2 },
    });
    let finish = match turn {
        Turn { call: Some(_), .. } => "tool_calls",
        Turn { cut_short: true, .. } => "length",
        _ => "stop",
    };
    let call = turn.call.as_ref().map(|(name, arguments)| {
        json!({
            "index": 0,
            "id": format!("call_fake{number}"),
            "type": "function",
            "function": { "name": name, "arguments": arguments.to_string() },
        })
    });
    let base = |object: &str, choices: Value| {
        json!({
            "id": format!("chatcmpl-fake{number}"),
            "object": object,
            "created": 1_700_000_000,
            "model": asked.model,
            "choices": choices,
        })
    };
    if !asked.stream {
        let said = (!turn.text.is_empty()).then_some(&turn.text);
        let mut message = json!({ "role": "assistant", "content": said });
        if let Some(call) = call {
            message["tool_calls"] = json!([call]);
        }
        let choice = json!({ "index": 0, "message": message, "finish_reason": finish });
        let mut whole = base("chat.completion", json!([choice]));
        whole["usage"] = usage;
        return Answer::Json(StatusCode::OK, whole);
    }

    let mut script = Script::default();
    let chunk = |script: &mut Script, delta: Value, finish: Option<&str>| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        script.data(&base("chat.completion.chunk", json!([choice])));
    };
    chunk(&mut script, json!({ "role": "assistant", "content": "" }), None);
    if !turn.thought.is_empty() {
        chunk(&mut script, json!({ "reasoning_content": turn.thought }), None);
    }
    for piece in turn.pieces() {
        chunk(&mut script, json!({ "content": piece }), None);
        if let Some(fault) = turn.fault {
            if matches!(fault, Fault::Error) {
                let error = json!({ "message": "Overloaded", "type": "server_error", "code": 503 });
                script.data(&json!({ "error": error }));
            }
            return Answer::Events(script.fail(fault));
        }
    }
    if let Some(call) = call {
        chunk(&mut script, json!({ "tool_calls": [call] }), None);
    }
    chunk(&mut script, json!({}), Some(finish));
    let mut last = base("chat.completion.chunk", json!([]));
    last["usage"] = usage;
    script.data(&last);
    script.raw("data: [DONE]\n\n".to_owned());
    Answer::Events(script)
}
