//! `OpenAI`'s responses.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, Tools, list, text};
use super::stream::{Answer, Script};
use super::turn::{Fault, Turn};

/// Reads a request.
pub(super) fn read(body: &Value) -> Asked {
    let mut asked = Asked {
        model: text(body, "model").to_owned(),
        stream: body.get("stream") == Some(&Value::Bool(true)),
        schema: body.pointer("/text/format/schema").cloned(),
        ..Asked::default()
    };
    offer(list(body, "tools"), &mut asked.tools);
    asked.said(text(body, "input"));
    for item in list(body, "input") {
        let kind = text(item, "type");
        if kind == "additional_tools" {
            offer(list(item, "tools"), &mut asked.tools);
        } else if kind.ends_with("_output") {
            asked.answered = true;
            asked.results += 1;
        } else if text(item, "role") == "user" {
            asked.said(text(item, "content"));
            asked.said_in(list(item, "content"));
        }
    }
    asked
}

fn offer(offered: &[Value], tools: &mut Tools) {
    for tool in offered {
        match text(tool, "type") {
            "function" => {
                let schema = tool.get("parameters").cloned().unwrap_or_default();
                tools.insert(text(tool, "name").to_owned(), schema);
            }
            "namespace" => offer(list(tool, "tools"), tools),
            builtin @ ("local_shell" | "shell") => {
                tools.insert(builtin.to_owned(), Value::Null);
            }
            _ => {}
        }
    }
}

/// Answers.
pub(super) fn say(asked: &Asked, turn: &Turn, number: u64) -> Answer {
    let items = items(turn, number);
    let begun = json!({
        "id": format!("resp_fake{number}"),
        "object": "response",
        "created_at": 1_700_000_000,
        "model": asked.model,
        "status": "in_progress",
        "output": [],
        "error": null,
        "incomplete_details": null,
        "usage": null,
        "parallel_tool_calls": false,
        "tool_choice": "auto",
        "tools": [],
        "metadata": {},
        "instructions": null,
        "temperature": 1.0,
        "top_p": 1.0,
    });
    let mut whole = begun.clone();
    whole["status"] = if turn.cut_short { "incomplete" } else { "completed" }.into();
    if turn.cut_short {
        whole["incomplete_details"] = json!({ "reason": "max_output_tokens" });
    }
    whole["output"] = items.clone().into();
    whole["usage"] = json!({
        "input_tokens": 19,
        "input_tokens_details": { "cached_tokens": 5 },
        "output_tokens": 7,
        "output_tokens_details": { "reasoning_tokens": 2 },
        "total_tokens": 26,
    });
    if !asked.stream {
        return Answer::Json(StatusCode::OK, whole);
    }

    let mut events = Events::default();
    events.add("response.created", json!({ "response": begun }));
    events.add("response.in_progress", json!({ "response": begun }));
    for (index, item) in items.iter().enumerate() {
        events.at = json!({ "item_id": item["id"], "output_index": index });
        match text(item, "type") {
            "message" => {
                if let Some(fault) = events.message(item, turn) {
                    if matches!(fault, Fault::Error) {
                        let mut failed = begun;
                        failed["status"] = "failed".into();
                        failed["error"] = json!({ "code": "server_is_overloaded", "message": "Overloaded" });
                        events.add("response.failed", json!({ "response": failed }));
                    }
                    return Answer::Events(events.script.fail(fault));
                }
            }
            "function_call" => events.call(item),
            _ => events.reasoning(item),
        }
        events.add("response.output_item.done", json!({ "output_index": index, "item": item }));
    }
    let end = if turn.cut_short { "response.incomplete" } else { "response.completed" };
    events.add(end, json!({ "response": whole }));
    Answer::Events(events.script)
}

fn items(turn: &Turn, number: u64) -> Vec<Value> {
    let mut items = Vec::new();
    if !turn.thought.is_empty() {
        let summary = json!([{ "type": "summary_text", "text": turn.thought }]);
        let id = format!("rs_fake{number}");
        items.push(json!({ "type": "reasoning", "id": id, "summary": summary, "encrypted_content": null }));
    }
    if !turn.text.is_empty() {
        items.push(json!({
            "type": "message",
            "id": format!("msg_fake{number}"),
            "role": "assistant",
            "status": "completed",
            "content": [{ "type": "output_text", "text": turn.text, "annotations": [] }],
        }));
    }
    if let Some((name, arguments)) = &turn.call {
        items.push(json!({
            "type": "function_call",
            "id": format!("fc_fake{number}"),
            "call_id": format!("call_fake{number}"),
            "name": name,
            "arguments": arguments.to_string(),
            "status": "completed",
        }));
    }
    items
}

/// Events with their sequence numbers.
#[derive(Default)]
struct Events {
    script: Script,
    count: u64,
    /// The item that events refer to.
    at: Value,
}

impl Events {
    fn add(&mut self, kind: &str, fields: Value) {
        self.count += 1;
        let mut event = json!({ "type": kind, "sequence_number": self.count });
        if let (Value::Object(event), Value::Object(fields)) = (&mut event, fields) {
            event.extend(fields);
        }
        self.script.event(kind, &event);
    }

    /// An event about the current item.
    fn about(&mut self, kind: &str, fields: Value) {
        let mut all = self.at.clone();
        if let (Value::Object(all), Value::Object(fields)) = (&mut all, fields) {
            all.extend(fields);
        }
        self.add(kind, all);
    }

    fn begin(&mut self, item: &Value, changes: &[(&str, Value)]) {
        let mut item = item.clone();
        for (key, value) in changes {
            item[*key] = value.clone();
        }
        self.add(
            "response.output_item.added",
            json!({ "output_index": self.at["output_index"], "item": item }),
        );
    }

    /// A message, up to its end or to a fault within it.
    fn message(&mut self, item: &Value, turn: &Turn) -> Option<Fault> {
        self.begin(item, &[("content", json!([])), ("status", json!("in_progress"))]);
        let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
        self.about("response.content_part.added", json!({ "content_index": 0, "part": part("") }));
        for piece in turn.pieces() {
            self.about("response.output_text.delta", json!({ "content_index": 0, "delta": piece }));
            if turn.fault.is_some() {
                return turn.fault;
            }
        }
        self.about("response.output_text.done", json!({ "content_index": 0, "text": turn.text }));
        self.about("response.content_part.done", json!({ "content_index": 0, "part": part(&turn.text) }));
        None
    }

    fn call(&mut self, item: &Value) {
        self.begin(item, &[("arguments", json!("")), ("status", json!("in_progress"))]);
        self.about("response.function_call_arguments.delta", json!({ "delta": item["arguments"] }));
        self.about("response.function_call_arguments.done", json!({ "arguments": item["arguments"] }));
    }

    fn reasoning(&mut self, item: &Value) {
        self.begin(item, &[("summary", json!([]))]);
        let text = &item["summary"][0]["text"];
        let part = json!({ "type": "summary_text", "text": "" });
        self.about("response.reasoning_summary_part.added", json!({ "summary_index": 0, "part": part }));
        self.about("response.reasoning_summary_text.delta", json!({ "summary_index": 0, "delta": text }));
        self.about("response.reasoning_summary_text.done", json!({ "summary_index": 0, "text": text }));
    }
}
