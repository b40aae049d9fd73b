//! Streams as the services send them.

use serde_json::{Value, json};

use crate::service::Act;

pub(crate) const APIS: [&str; 3] = ["chat", "responses", "messages"];

/// The events of an answer in two pieces, with a thought before it; `stop` is how it ends.
pub(crate) fn events(api: &str, pieces: &[&str], stop: &str) -> Vec<Value> {
    match api {
        "chat" => {
            let delta =
                |delta: Value| json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] });
            let mut events = vec![delta(json!({ "role": "assistant", "content": "" }))];
            events.push(delta(json!({ "reasoning_content": "hm" })));
            events.extend(pieces.iter().map(|piece| delta(json!({ "content": piece }))));
            events.push(json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": stop }] }));
            events
                .push(json!({ "choices": [], "usage": { "prompt_tokens": 1000, "completion_tokens": 100 } }));
            events
        }
        "responses" => {
            let mut events =
                vec![json!({ "type": "response.created", "response": { "status": "in_progress" } })];
            events.push(json!({ "type": "response.reasoning_summary_text.delta", "delta": "hm" }));
            events.extend(
                pieces.iter().map(|piece| json!({ "type": "response.output_text.delta", "delta": piece })),
            );
            let status = if stop == "completed" { "completed" } else { "incomplete" };
            events.push(json!({ "type": format!("response.{status}"), "response": {
                "status": status,
                "incomplete_details": { "reason": stop },
                "output": [{ "type": "message", "content": [{ "type": "output_text", "text": pieces.concat() }] }],
                "usage": { "input_tokens": 1000, "output_tokens": 100 },
            } }));
            events
        }
        _ => {
            let mut events = vec![
                json!({ "type": "message_start", "message": { "usage": { "input_tokens": 1000, "output_tokens": 1 } } }),
                json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "" } }),
                json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": "hm" } }),
                json!({ "type": "ping" }),
                json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "text", "text": "" } }),
            ];
            let delta = |piece| json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": piece } });
            events.extend(pieces.iter().map(delta));
            events.push(json!({ "type": "message_delta", "delta": { "stop_reason": stop }, "usage": { "output_tokens": 100 } }));
            events.push(json!({ "type": "message_stop" }));
            events
        }
    }
}

/// How an answer that is complete ends.
pub(crate) fn complete(api: &str) -> &'static str {
    match api {
        "chat" => "stop",
        "responses" => "completed",
        _ => "end_turn",
    }
}

/// How an answer that reached its largest number of tokens ends.
pub(crate) fn cut(api: &str) -> &'static str {
    match api {
        "chat" => "length",
        "responses" => "max_output_tokens",
        _ => "max_tokens",
    }
}

/// An error in the middle of a stream.
pub(crate) fn error(api: &str, kind: &str, message: &str) -> Value {
    let error = json!({ "type": kind, "message": message });
    match api {
        "chat" => json!({ "error": error }),
        "responses" => {
            json!({ "type": "response.failed", "response": { "status": "failed", "error": { "code": kind, "message": message } } })
        }
        _ => json!({ "type": "error", "error": error }),
    }
}

pub(crate) const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n";

/// The text of a stream.
pub(crate) fn text(api: &str, events: &[Value]) -> String {
    let mut text = String::new();
    for event in events {
        if let Some(kind) = event["type"].as_str() {
            text.extend(["event: ", kind, "\n"]);
        }
        text.extend(["data: ", &event.to_string(), "\n\n"]);
    }
    if api == "chat" {
        text += "data: [DONE]\n\n";
    }
    text
}

pub(crate) fn acts(api: &str, events: &[Value]) -> Vec<Act> {
    vec![Act::Say(HEAD.to_owned() + &text(api, events))]
}
