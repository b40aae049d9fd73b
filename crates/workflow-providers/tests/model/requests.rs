//! What is sent.

use serde_json::{Value, json};

use crate::service::{Asked, Service};
use crate::streams::{acts, complete, events};
use crate::{ask, ask_for};

/// What a service receives.
fn sent(api: &'static str, more: &Value, schema: Option<Value>) -> (Asked, Value) {
    let service = Service::always(acts(api, &events(api, &["{}"], complete(api))));
    ask_for(&service, api, more, schema).0.unwrap();
    let asked = service.asked().pop().unwrap();
    let body = serde_json::from_str(&asked.body).unwrap();
    (asked, body)
}

#[test]
fn each_protocol_gets_its_own_request() {
    let more = json!({ "system": "Be brief.", "max_tokens": 50, "parameters": { "temperature": 0.5 }, "headers": { "X-Team": "a" } });
    let message = json!([{ "role": "user", "content": "Say hello." }]);
    for (api, path, key, body) in [
        (
            "chat",
            "/v1/chat/completions",
            ("authorization", "Bearer test-key-123456"),
            json!({
                "model": "m",
                "messages": [{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Say hello." }],
                "stream": true, "stream_options": { "include_usage": true }, "max_tokens": 50, "temperature": 0.5,
            }),
        ),
        (
            "responses",
            "/v1/responses",
            ("authorization", "Bearer test-key-123456"),
            json!({
                "model": "m", "instructions": "Be brief.", "input": message, "stream": true, "store": false,
                "max_output_tokens": 50, "temperature": 0.5,
            }),
        ),
        (
            "messages",
            "/v1/messages",
            ("x-api-key", "test-key-123456"),
            json!({
                "model": "m", "max_tokens": 50, "system": "Be brief.", "messages": message, "stream": true,
                "temperature": 0.5,
            }),
        ),
    ] {
        let (asked, sent) = sent(api, &more, None);
        assert_eq!(asked.line, format!("POST {path} HTTP/1.1"));
        assert_eq!((asked.header(key.0), asked.header("x-team")), (Some(key.1), Some("a")));
        assert_eq!(asked.header("anthropic-version").is_some(), api == "messages");
        assert_eq!(sent, body);
    }
}

#[test]
fn a_schema_is_a_part_of_the_request_or_of_the_prompt() {
    let schema = json!({ "type": "object" });
    let prompt = "Say hello.\n\nAnswer with one JSON value that follows this JSON Schema, and with nothing else:\n\
                  {\"type\":\"object\"}\n";
    let pointers = |api| match api {
        "chat" => ("/response_format/json_schema/schema", "/messages/0/content"),
        "responses" => ("/text/format/schema", "/input/0/content"),
        _ => ("/output_config/format/schema", "/messages/0/content"),
    };
    for api in crate::streams::APIS {
        let (in_request, in_prompt) = pointers(api);
        for (how, by_request) in [
            (json!({}), api != "messages"),
            (json!({ "schema": "request" }), true),
            (json!({ "schema": "prompt" }), false),
        ] {
            let (_, body) = sent(api, &how, Some(schema.clone()));
            assert_eq!(body.pointer(in_request).is_some(), by_request, "{api} {how}");
            assert_eq!(body.pointer(in_prompt).unwrap() == prompt, !by_request, "{api} {how}");
        }
    }
}

#[test]
fn a_service_without_a_key_gets_none() {
    let service = Service::always(acts("chat", &events("chat", &["hello"], "stop")));
    ask(&service, "chat", &json!({ "key": null })).0.unwrap();
    assert_eq!(service.asked()[0].header("authorization"), None);
}
