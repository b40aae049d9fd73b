//! The responses of OpenAI.

use serde_json::{Map, Value, json};

use super::answer::{Answer, End, Fault, Said, count, text};
use super::options::ModelOptions;

pub(super) fn body(options: &ModelOptions, prompt: &str, schema: Option<&Value>) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("model".to_owned(), options.model.as_str().into());
    if let Some(system) = &options.system {
        body.insert("instructions".to_owned(), system.as_str().into());
    }
    body.insert("input".to_owned(), json!([{ "role": "user", "content": prompt }]));
    body.insert("stream".to_owned(), true.into());
    // Nothing is read from there again.
    body.insert("store".to_owned(), false.into());
    if let Some(most) = options.max_tokens {
        body.insert("max_output_tokens".to_owned(), most.into());
    }
    if let Some(schema) = schema {
        let format = json!({ "type": "json_schema", "name": "output", "schema": schema, "strict": false });
        body.insert("text".to_owned(), json!({ "format": format }));
    }
    body
}

/// Reads an event, or a whole response; returns whether it is known.
pub(super) fn record(answer: &mut Answer, record: &Value, say: &mut dyn FnMut(Said)) -> bool {
    let response = record.get("response").unwrap_or(&Value::Null);
    match text(record, "type") {
        "response.output_text.delta" => answer.say(text(record, "delta"), say),
        "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
            say(Said::Thinking(text(record, "delta").to_owned()));
        }
        "response.refusal.delta" => answer.refusal.push_str(text(record, "delta")),
        "response.completed" | "response.incomplete" | "response.failed" => whole(answer, response, say),
        "error" => answer.fault = Some(Fault::of(record.get("error").unwrap_or(record))),
        "" if record.get("error").is_some_and(|error| !error.is_null()) => {
            answer.fault = Some(Fault::of(&record["error"]));
        }
        "" if text(record, "object") == "response" => whole(answer, record, say),
        // What the others say comes again, or is of no interest.
        kind => return kind.starts_with("response.") || kind == "keepalive",
    }
    true
}

fn whole(answer: &mut Answer, response: &Value, say: &mut dyn FnMut(Said)) {
    if let Some(usage) = response.get("usage").filter(|usage| usage.is_object()) {
        let tokens = &mut answer.tokens;
        tokens.input = count(usage, "input_tokens").or(tokens.input);
        tokens.output = count(usage, "output_tokens").or(tokens.output);
        let details = usage.get("input_tokens_details").unwrap_or(&Value::Null);
        tokens.cached = count(details, "cached_tokens").unwrap_or(tokens.cached);
    }
    if let Some(error) = response.get("error").filter(|error| !error.is_null()) {
        answer.fault = Some(Fault::of(error));
        return;
    }
    let items = response.get("output").and_then(Value::as_array).into_iter().flatten();
    let parts = items.clone().filter_map(|item| item.get("content")?.as_array()).flatten();
    let is_streamed = !answer.text.is_empty() || !answer.refusal.is_empty();
    for part in parts.filter(|_| !is_streamed) {
        match text(part, "type") {
            "output_text" => answer.say(text(part, "text"), say),
            "refusal" => answer.refusal.push_str(text(part, "refusal")),
            _ => {}
        }
    }
    let calls_tool = items.clone().any(|item| text(item, "type").ends_with("_call"));
    let reason = text(response.get("incomplete_details").unwrap_or(&Value::Null), "reason");
    answer.end = match (text(response, "status"), reason) {
        ("failed", _) => {
            let message = "the service ended the answer without a reason".to_owned();
            answer.fault = Some(Fault { status: None, kind: String::new(), message });
            return;
        }
        ("incomplete", "max_output_tokens") => Some(End::MaxTokens),
        ("incomplete", _) => Some(End::Refused),
        ("queued" | "in_progress", _) => None,
        _ if calls_tool && answer.text.is_empty() => Some(End::Tool),
        _ => Some(End::Complete),
    };
}
