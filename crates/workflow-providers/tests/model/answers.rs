//! What answers mean.

use serde_json::{Value, json};
use workflow_core::output::OutputKind;
use workflow_core::usage::Usage;

use crate::service::{Service, json as whole};
use crate::streams::{APIS, acts, complete, cut, events, text};
use crate::{ask, service::Act, streams::HEAD};

#[test]
fn an_answer_is_shown_as_it_comes_and_is_the_output() {
    for api in APIS {
        let service = Service::always(acts(api, &events(api, &["Hello ", "there."], complete(api))));
        let (reply, said) = ask(&service, api, &json!({}));
        let reply = reply.unwrap();
        assert_eq!(reply.output.json(), "\"Hello there.\"");
        assert_eq!(said.of(OutputKind::TextDelta), ["Hello ", "there."], "{api}");
        assert_eq!(said.of(OutputKind::Thinking), ["hm"], "{api}");
        let Usage { input_tokens, output_tokens, cost_usd } = reply.usage.unwrap();
        assert_eq!((input_tokens, output_tokens), (Some(1000), Some(100)), "{api}");
        assert!((cost_usd.unwrap() - 0.003).abs() < 1e-9, "{api}: {cost_usd:?}");
    }
}

#[test]
fn what_is_not_told_stays_unknown() {
    for api in APIS {
        let service = Service::always(acts(api, &events(api, &["Hello."], complete(api))));
        let usage = ask(&service, api, &json!({ "model": "other" })).0.unwrap().usage.unwrap();
        assert_eq!((usage.input_tokens, usage.cost_usd), (Some(1000), None), "{api}");
    }
    let mut events = events("chat", &["Hello."], "stop");
    events.pop();
    let service = Service::always(acts("chat", &events));
    assert_eq!(ask(&service, "chat", &json!({})).0.unwrap().usage, None);
    events.push(
        json!({ "choices": [], "usage": { "prompt_tokens": 10, "completion_tokens": 1, "cost": 0.5 } }),
    );
    let service = Service::always(acts("chat", &events));
    let usage = ask(&service, "chat", &json!({ "model": "other" })).0.unwrap().usage.unwrap();
    assert_eq!(usage.cost_usd, Some(0.5));
}

#[test]
fn a_stream_is_the_same_wherever_it_is_cut_in_pieces() {
    for api in APIS {
        let stream = text(api, &events(api, &["Hällo ", "there."], complete(api))).replace('\n', "\r\n");
        for cut in (0..stream.len()).filter(|cut| stream.is_char_boundary(*cut)).step_by(7) {
            let (before, after) = stream.split_at(cut);
            let service =
                Service::always(vec![Act::Say(HEAD.to_owned() + before), Act::Say(after.to_owned())]);
            let reply = ask(&service, api, &json!({})).0.unwrap();
            assert_eq!(reply.output.json(), "\"Hällo there.\"", "{api} {cut}");
        }
    }
}

#[test]
fn a_service_that_does_not_stream_is_read_too() {
    for (api, body) in [
        (
            "chat",
            json!({ "choices": [{ "message": { "content": "Hello." }, "finish_reason": "stop" }], "usage": { "prompt_tokens": 3, "completion_tokens": 2 } }),
        ),
        (
            "responses",
            json!({ "object": "response", "status": "completed", "output": [{ "type": "message", "content": [{ "type": "output_text", "text": "Hello." }] }], "usage": { "input_tokens": 3, "output_tokens": 2 } }),
        ),
        (
            "messages",
            json!({ "type": "message", "content": [{ "type": "text", "text": "Hello." }], "stop_reason": "end_turn", "usage": { "input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 2 } }),
        ),
    ] {
        let service = Service::always(whole(&body.to_string()));
        let reply = ask(&service, api, &json!({})).0.unwrap();
        assert_eq!(reply.output.json(), "\"Hello.\"", "{api}");
        let usage = reply.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (Some(3), Some(2)), "{api}");
        // The price of cached tokens is not known.
        assert_eq!(usage.cost_usd.is_none(), api == "messages");
    }
}

/// The reason of a failure, and what else its details have.
fn failed(api: &str, events: &[Value]) -> (String, Value, bool) {
    let service = Service::always(acts(api, events));
    let error = ask(&service, api, &json!({})).0.unwrap_err();
    assert!(!error.failure.message.is_empty());
    let details = error.failure.details.unwrap();
    assert!(error.usage.is_some_and(|usage| usage.output_tokens == Some(100)), "{api}: the usage is kept");
    (details["reason"].as_str().unwrap().to_owned(), details, error.failure.class.is_retryable())
}

#[test]
fn an_answer_that_is_none_says_why() {
    for api in APIS {
        let (reason, details, is_retried) = failed(api, &events(api, &["Hello ", "th"], cut(api)));
        assert_eq!(
            (&*reason, &details["text"], is_retried),
            ("max_tokens", &json!("Hello th"), false),
            "{api}"
        );
        for pieces in [&[][..], &[" \n"]] {
            let (reason, _, is_retried) = failed(api, &events(api, pieces, complete(api)));
            assert_eq!((&*reason, is_retried), ("empty_answer", true), "{api}");
        }
    }
    for (api, stop, expected) in [
        ("chat", "content_filter", "refused"),
        ("chat", "tool_calls", "refused"),
        ("responses", "content_filter", "refused"),
        ("messages", "refusal", "refused"),
        ("messages", "tool_use", "refused"),
        ("messages", "model_context_window_exceeded", "context_too_long"),
    ] {
        let (reason, _, is_retried) = failed(api, &events(api, &[], stop));
        assert_eq!((&*reason, is_retried), (expected, false), "{api} {stop}");
    }
    let mut refused = events("chat", &[], "stop");
    refused.insert(1, json!({ "choices": [{ "delta": { "refusal": "I will not." } }] }));
    assert_eq!(failed("chat", &refused).0, "refused");
}

#[test]
fn what_is_not_known_is_counted_once() {
    for api in APIS {
        let mut events = events(api, &["Hello."], complete(api));
        for place in [0, 1, 2] {
            events.insert(place, json!({ "type": "new_kind", "value": place }));
        }
        let stream = text(api, &events) + "data: {no json\n\n";
        let service = Service::always(vec![Act::Say(HEAD.to_owned() + &stream)]);
        let (reply, said) = ask(&service, api, &json!({}));
        assert_eq!(reply.unwrap().output.json(), "\"Hello.\"");
        let log = said.of(OutputKind::Log);
        assert_eq!(log.iter().filter(|line| line.starts_with("4 records of a kind")).count(), 1, "{log:?}");
    }
}
