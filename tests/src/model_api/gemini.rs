//! Gemini's `generateContent`.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::asked::{Asked, list, text};
use super::failure;
use super::serve::Api;
use super::stream::{Answer, Script};
use super::turn::{Fault, Turn};

/// Reads a request. The path contains the model, and whether the answer is streamed.
pub(super) fn read(path: &str, body: &Value) -> Asked {
    let (model, method) = path.rsplit('/').next().and_then(|last| last.split_once(':')).unwrap_or_default();
    let mut asked = Asked {
        model: model.to_owned(),
        stream: method == "streamGenerateContent",
        schema: answer_schema(body),
        ..Asked::default()
    };
    for function in list(body, "tools").iter().flat_map(|tool| list(tool, "functionDeclarations")) {
        let schema = function.get("parametersJsonSchema").or_else(|| function.get("parameters"));
        asked.tools.insert(text(function, "name").to_owned(), schema.cloned().unwrap_or_default());
    }
    for content in list(body, "contents").iter().filter(|content| text(content, "role") != "model") {
        let parts = list(content, "parts");
        if parts.iter().any(|part| part.get("functionResponse").is_some()) {
            asked.answered = true;
            asked.results += 1;
            continue;
        }
        asked.said_in(parts);
    }
    asked
}

/// The schema of the answer, which has two names.
fn answer_schema(body: &Value) -> Option<Value> {
    let config = body.get("generationConfig")?;
    config.get("responseJsonSchema").or_else(|| config.get("responseSchema")).cloned()
}

/// Answers.
pub(super) fn say(asked: &Asked, turn: &Turn) -> Answer {
    let usage = json!({
        "promptTokenCount": 19,
        "candidatesTokenCount": 7,
        "totalTokenCount": 28,
        "cachedContentTokenCount": 5,
        "thoughtsTokenCount": 2,
    });
    let finish = if turn.cut_short { "MAX_TOKENS" } else { "STOP" };
    let chunk = |parts: &[Value]| {
        json!({
            "candidates": [{ "content": { "role": "model", "parts": parts }, "index": 0 }],
            "modelVersion": asked.model,
            "responseId": "fake",
        })
    };
    let last = |parts: &[Value]| {
        let mut last = chunk(parts);
        last["candidates"][0]["finishReason"] = finish.into();
        last["usageMetadata"] = usage.clone();
        last
    };
    let call = turn
        .call
        .as_ref()
        .map(|(name, arguments)| json!({ "functionCall": { "name": name, "args": arguments } }));
    if !asked.stream {
        // The command line also asks outside of the conversation, without streaming and with a schema, how to
        // route it.
        let aside = asked.schema.as_ref().map(|schema| super::instance::instance(schema).to_string());
        let said = json!({ "text": aside.as_ref().unwrap_or(&turn.text) });
        let parts: Vec<Value> = [said].into_iter().chain(call).collect();
        return Answer::Json(StatusCode::OK, last(&parts));
    }

    let mut script = Script::default();
    if !turn.thought.is_empty() {
        let thought = format!("**Thinking** {}", turn.thought);
        script.data(&chunk(&[json!({ "text": thought, "thought": true })]));
    }
    for piece in turn.pieces() {
        script.data(&chunk(&[json!({ "text": piece })]));
        if let Some(fault) = turn.fault {
            if matches!(fault, Fault::Error) {
                script.data(&failure::body(Api::Gemini, 503));
            }
            return Answer::Events(script.fail(fault));
        }
    }
    script.data(&last(&[call.unwrap_or_else(|| json!({ "text": "" }))]));
    Answer::Events(script)
}
