//! The messages of Anthropic.

use serde_json::{Map, Value, json};

use super::answer::{Answer, End, Fault, Said, count, text};
use super::options::ModelOptions;

/// The service wants a limit.
const MOST: u64 = 8192;

pub(super) fn body(options: &ModelOptions, prompt: &str, schema: Option<&Value>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("model".to_owned(), options.model.as_str().into());
    body.insert("max_tokens".to_owned(), options.max_tokens.unwrap_or(MOST).into());
    if let Some(system) = &options.system {
        body.insert("system".to_owned(), system.as_str().into());
    }
    body.insert("messages".to_owned(), json!([{ "role": "user", "content": prompt }]));
    body.insert("stream".to_owned(), true.into());
    if let Some(schema) = schema {
        let format = json!({ "type": "json_schema", "schema": schema });
        body.insert("output_config".to_owned(), json!({ "format": format }));
    }
    body
}

/// Reads an event, or a whole message; returns whether it is known.
pub(super) fn record(answer: &mut Answer, record: &Value, say: &mut dyn FnMut(Said)) -> bool {
    let null = &Value::Null;
    match text(record, "type") {
        "message_start" => usage(answer, record.get("message").unwrap_or(null)),
        "content_block_start" => block(answer, record.get("content_block").unwrap_or(null), say),
        "content_block_delta" => block(answer, record.get("delta").unwrap_or(null), say),
        "message_delta" => {
            usage(answer, record);
            end(answer, record.get("delta").unwrap_or(null));
        }
        "message" => {
            usage(answer, record);
            for part in record.get("content").and_then(Value::as_array).into_iter().flatten() {
                block(answer, part, say);
            }
            end(answer, record);
        }
        "error" => answer.fault = Some(Fault::of(record.get("error").unwrap_or(record))),
        "ping" | "content_block_stop" | "message_stop" => {}
        _ => return false,
    }
    true
}

fn block(answer: &mut Answer, block: &Value, say: &mut dyn FnMut(Said)) {
    match text(block, "type") {
        "text" | "text_delta" => answer.say(text(block, "text"), say),
        "thinking" | "thinking_delta" if !text(block, "thinking").is_empty() => {
            say(Said::Thinking(text(block, "thinking").to_owned()));
        }
        _ => {}
    }
}

fn usage(answer: &mut Answer, message: &Value) {
    let Some(usage) = message.get("usage") else { return };
    let tokens = &mut answer.tokens;
    if let Some(plain) = count(usage, "input_tokens") {
        tokens.cached = count(usage, "cache_read_input_tokens").unwrap_or(tokens.cached);
        tokens.written = count(usage, "cache_creation_input_tokens").unwrap_or(tokens.written);
        tokens.input = Some(plain.saturating_add(tokens.cached).saturating_add(tokens.written));
    }
    tokens.output = count(usage, "output_tokens").or(tokens.output);
}

fn end(answer: &mut Answer, message: &Value) {
    answer.end = match text(message, "stop_reason") {
        "" => return,
        "max_tokens" => Some(End::MaxTokens),
        "model_context_window_exceeded" => Some(End::ContextTooLong),
        "refusal" => Some(End::Refused),
        "tool_use" => Some(End::Tool),
        _ => Some(End::Complete),
    };
}
