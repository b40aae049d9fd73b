//! The chat completions of OpenAI, and of all the services that speak them.

use serde_json::{Map, Value, json};

use super::answer::{Answer, End, Fault, Said, count, text};
use super::options::ModelOptions;

pub(super) fn body(options: &ModelOptions, prompt: &str, schema: Option<&Value>) -> Map<String, Value> {
    let mut messages = Vec::new();
    if let Some(system) = &options.system {
        messages.push(json!({ "role": "system", "content": system }));
    }
    messages.push(json!({ "role": "user", "content": prompt }));
    let mut body = Map::new();
    body.insert("model".to_owned(), options.model.as_str().into());
    body.insert("messages".to_owned(), messages.into());
    body.insert("stream".to_owned(), true.into());
    body.insert("stream_options".to_owned(), json!({ "include_usage": true }));
    if let Some(most) = options.max_tokens {
        // Others know only the older name.
        let name = if options.is_of_openai() { "max_completion_tokens" } else { "max_tokens" };
        body.insert(name.to_owned(), most.into());
    }
    if let Some(schema) = schema {
        let format = json!({ "type": "json_schema", "json_schema": { "name": "output", "schema": schema } });
        body.insert("response_format".to_owned(), format);
    }
    body
}

/// Reads a piece of a stream, or a whole response; returns whether it is known.
pub(super) fn record(answer: &mut Answer, record: &Value, say: &mut dyn FnMut(Said)) -> bool {
    if let Some(error) = record.get("error").filter(|error| !error.is_null()) {
        answer.fault = Some(Fault::of(error));
        return true;
    }
    if let Some(usage) = record.get("usage").filter(|usage| usage.is_object()) {
        let tokens = &mut answer.tokens;
        tokens.input = count(usage, "prompt_tokens").or(tokens.input);
        tokens.output = count(usage, "completion_tokens").or(tokens.output);
        let details = usage.get("prompt_tokens_details").unwrap_or(&Value::Null);
        tokens.cached = count(details, "cached_tokens").unwrap_or(tokens.cached);
        tokens.cost = usage.get("cost").and_then(Value::as_f64).or(tokens.cost);
    }
    let Some(choices) = record.get("choices").and_then(Value::as_array) else {
        return record.get("usage").is_some();
    };
    // Only one was asked for.
    let Some(choice) = choices.first() else { return true };
    let message = choice.get("delta").or_else(|| choice.get("message")).unwrap_or(&Value::Null);
    for name in ["reasoning_content", "reasoning"] {
        let thought = text(message, name);
        if !thought.is_empty() {
            say(Said::Thinking(thought.to_owned()));
        }
    }
    answer.say(text(message, "content"), say);
    answer.refusal.push_str(text(message, "refusal"));
    match text(choice, "finish_reason") {
        "" => {}
        "length" | "max_tokens" => answer.end = Some(End::MaxTokens),
        "content_filter" => answer.end = Some(End::Refused),
        "tool_calls" | "function_call" => answer.end = Some(End::Tool),
        "error" | "insufficient_system_resource" => {
            let message = "the service ended the answer with an error".to_owned();
            answer.fault = Some(Fault { status: Some(503), kind: String::new(), message });
        }
        _ => answer.end = Some(End::Complete),
    }
    true
}
