//! Anthropic's messages.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, list, text};
use super::stream::{Answer, Script};
use super::turn::{Fault, Turn, pieces};

/// Reads a request.
pub(super) fn read(body: &Value) -> Asked {
    let mut asked = Asked {
        model: text(body, "model").to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        ..Asked::default()
    };
    for tool in list(body, "tools") {
        let schema = tool.get("input_schema").cloned().unwrap_or_default();
        asked.tools.insert(text(tool, "name").to_owned(), schema);
    }
    for message in list(body, "messages").iter().filter(|message| text(message, "role") == "user") {
        let blocks = list(message, "content");
        // Reminders are beside a tool result, in the same message; they do not come from the user.
        if blocks.iter().any(|block| text(block, "type") == "tool_result") {
            asked.answered = true;
            asked.results += 1;
            continue;
        }
        asked.said(text(message, "content"));
        asked.said_in(blocks);
    }
    asked
}

/// Answers.
pub(super) fn say(asked: &Asked, turn: &Turn, number: u64) -> Answer {
    let mut usage = json!({
        "input_tokens": 11,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 5,
        "output_tokens": 1,
    });
    let stop = match turn {
        Turn { call: Some(_), .. } => "tool_use",
        Turn { cut_short: true, .. } => "max_tokens",
        _ => "end_turn",
    };
    let blocks = blocks(turn, number);
    let mut message = json!({
        "id": format!("msg_fake{number}"),
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage,
    });
    if !asked.stream {
        usage["output_tokens"] = json!(7);
        message["content"] = blocks.into();
        message["stop_reason"] = stop.into();
        message["usage"] = usage;
        return Answer::Json(StatusCode::OK, message);
    }

    let mut script = Script::default();
    let event = |script: &mut Script, data: Value| script.event(text(&data, "type"), &data);
    event(&mut script, json!({ "type": "message_start", "message": message }));
    for (index, block) in blocks.iter().enumerate() {
        let start = json!({ "type": "content_block_start", "index": index, "content_block": begun(block) });
        event(&mut script, start);
        for delta in deltas(block, turn) {
            let says = text(&delta, "type") == "text_delta";
            event(&mut script, json!({ "type": "content_block_delta", "index": index, "delta": delta }));
            if let Some(fault) = turn.fault.filter(|_| says) {
                if matches!(fault, Fault::Error) {
                    let error = json!({ "type": "overloaded_error", "message": "Overloaded" });
                    event(&mut script, json!({ "type": "error", "error": error }));
                }
                return Answer::Events(script.fail(fault));
            }
        }
        event(&mut script, json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": stop, "stop_sequence": null });
    event(&mut script, json!({ "type": "message_delta", "delta": delta, "usage": { "output_tokens": 7 } }));
    event(&mut script, json!({ "type": "message_stop" }));
    Answer::Events(script)
}

fn blocks(turn: &Turn, number: u64) -> Vec<Value> {
    let mut blocks = Vec::new();
    if !turn.thought.is_empty() {
        blocks.push(json!({ "type": "thinking", "thinking": turn.thought, "signature": "c2ln" }));
    }
    if !turn.text.is_empty() {
        blocks.push(json!({ "type": "text", "text": turn.text }));
    }
    if let Some((name, input)) = &turn.call {
        let id = format!("toolu_fake{number}");
        blocks.push(json!({ "type": "tool_use", "id": id, "name": name, "input": input }));
    }
    blocks
}

/// A block in its initial state.
fn begun(block: &Value) -> Value {
    let mut block = block.clone();
    for (key, empty) in
        [("text", json!("")), ("thinking", json!("")), ("signature", json!("")), ("input", json!({}))]
    {
        if let Some(value) = block.get_mut(key) {
            *value = empty;
        }
    }
    block
}

/// The events that complete the block.
fn deltas(block: &Value, turn: &Turn) -> Vec<Value> {
    match text(block, "type") {
        "text" => {
            turn.pieces().into_iter().map(|text| json!({ "type": "text_delta", "text": text })).collect()
        }
        "thinking" => vec![
            json!({ "type": "thinking_delta", "thinking": block["thinking"] }),
            json!({ "type": "signature_delta", "signature": block["signature"] }),
        ],
        _ => {
            let input = block["input"].to_string();
            let delta = |json: &str| json!({ "type": "input_json_delta", "partial_json": json });
            pieces(&input).into_iter().map(delta).collect()
        }
    }
}
