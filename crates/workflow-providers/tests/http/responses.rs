//! What responses mean.

use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;

use crate::service::{Act, Service, json as answer, response};
use crate::{call, call_with, provider};

fn say(text: &str) -> Act {
    Act::Say(text.to_owned())
}

#[test]
fn a_body_is_read_as_it_says_that_it_is() {
    for (headers, body, options, output) in [
        (&[("content-type", "application/json")][..], "{\"a\":1}", json!({}), json!({ "a": 1 })),
        (&[("content-type", "application/problem+json; charset=utf-8")], "[1]", json!({}), json!([1])),
        (&[("content-type", "application/json")], "\u{feff}[1]", json!({}), json!([1])),
        (&[("content-type", "text/plain")], "{\"a\":1}", json!({}), json!("{\"a\":1}")),
        (&[], "hello ü", json!({}), json!("hello ü")),
        (&[], "", json!({}), json!(null)),
        (&[], "[2]", json!({ "expect": { "type": "json" } }), json!([2])),
        (
            &[("content-type", "application/json")],
            "[2]",
            json!({ "expect": { "type": "text" } }),
            json!("[2]"),
        ),
        (
            &[("x-a", "b")],
            "t",
            json!({ "returns": "response" }),
            json!({ "status": 200, "headers": { "content-length": "1", "x-a": "b" }, "body": "t" }),
        ),
    ] {
        let service = Service::always(response(200, headers, body));
        let mut options = options;
        options["url"] = service.url("/").into();
        let reply = call(options.clone()).unwrap();
        assert_eq!(reply.output.value(), output, "{body:?} with {options}");
        assert_eq!(reply.details.unwrap()["status"], 200);
    }
}

#[test]
fn a_response_may_come_slowly_and_in_pieces() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for acts in [
        vec![say(&head[..9]), say(&head[9..]), say("content-length: 7\r\n\r\n{\"a\""), say(":1}")],
        vec![
            say(head),
            say("transfer-encoding: chunked\r\n\r\n2\r\n{\""),
            say("\r\n5\r\na\":1}\r\n"),
            say("0\r\nx-trailer: y\r\n\r\n"),
        ],
        vec![say("HTTP/1.1 103 Early Hints\r\n\r\n"), say(head), say("content-length: 7\r\n\r\n{\"a\":1}")],
        // Until the end of the connection.
        vec![say(head), say("\r\n{\"a\":"), say("1}")],
    ] {
        let service = Service::always(acts.clone());
        assert_eq!(call(json!({ "url": service.url("/") })).unwrap().output.json(), "{\"a\":1}", "{acts:?}");
    }
}

#[test]
fn a_response_that_is_cut_anywhere_is_a_failure() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{\"a\":1}";
    for cut in 0..whole.len() {
        let service = Service::always(vec![say(&whole[..cut])]);
        let error = call(json!({ "url": service.url("/") })).unwrap_err();
        assert_eq!(error.failure.class, FailureClass::Transient, "{:?}: {error}", &whole[..cut]);
        assert_eq!(error.failure.details.unwrap()["reason"], "stream_cut");
    }
}

#[test]
fn every_status_has_a_class() {
    for (status, headers, class, reason) in [
        (300, &[][..], FailureClass::Transient, "unexpected"),
        (400, &[], FailureClass::Permanent, "refused"),
        (401, &[], FailureClass::Permanent, "refused"),
        (403, &[], FailureClass::Permanent, "refused"),
        (
            403,
            &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4102444800")],
            FailureClass::Permanent,
            "refused",
        ),
        (403, &[("retry-after", "30")], FailureClass::RateLimited, "rate_limited"),
        (404, &[], FailureClass::Permanent, "refused"),
        (408, &[], FailureClass::Transient, "overloaded"),
        (409, &[], FailureClass::Permanent, "refused"),
        (425, &[], FailureClass::Transient, "overloaded"),
        (429, &[], FailureClass::RateLimited, "rate_limited"),
        (429, &[("retry-after", "30")], FailureClass::RateLimited, "rate_limited"),
        (429, &[("ratelimit", "\"q\";r=0;t=30")], FailureClass::RateLimited, "rate_limited"),
        (500, &[], FailureClass::Transient, "overloaded"),
        (501, &[], FailureClass::Permanent, "refused"),
        (502, &[], FailureClass::Transient, "overloaded"),
        (503, &[], FailureClass::Transient, "overloaded"),
        (503, &[("retry-after", "30")], FailureClass::RateLimited, "throttled"),
        (529, &[], FailureClass::Transient, "overloaded"),
    ] {
        let service = Service::always(response(status, headers, "because"));
        let before = jiff::Timestamp::now();
        let error = call(json!({ "url": service.url("/path?key=value") })).unwrap_err();
        assert_eq!(error.failure.class, class, "{status} {headers:?}: {error}");
        let details = error.failure.details.as_ref().unwrap();
        assert_eq!((&details["reason"], &details["status"]), (&json!(reason), &json!(status)));
        assert!(error.failure.message.contains(&format!("/path answered {status}")), "{error}");
        assert!(
            error.failure.message.contains("because") && !error.failure.message.contains("value"),
            "{error}"
        );
        assert_eq!(error.until.is_some(), class == FailureClass::RateLimited);
        if let Some(until) = error.until {
            let away = until.duration_since(before).as_secs();
            assert!((29..=90).contains(&away), "{away}");
            assert_eq!(details["retry_at_is_guess"] == true, headers.is_empty());
        }
    }
}

#[test]
fn what_is_expected_is_a_success() {
    let service = Service::always(response(404, &[("content-type", "application/json")], "{\"a\":1}"));
    let url = service.url("/");
    assert_eq!(
        call(json!({ "url": url, "expect": { "status": [200, 404] } })).unwrap().output.json(),
        "{\"a\":1}"
    );
    // The output before the failure.
    assert_eq!(call(json!({ "url": url })).unwrap_err().output.unwrap().json(), "{\"a\":1}");
    let service = Service::always(answer("1"));
    let error = call(json!({ "url": service.url("/"), "expect": { "status": [201] } })).unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Transient, "{error}");
}

#[test]
fn an_output_of_the_wrong_form_says_what_is_wrong() {
    let broken = |headers: &[(&str, &str)], body: &str, expect: Value| {
        let service = Service::always(response(200, headers, body));
        let error = call(json!({ "url": service.url("/"), "expect": expect })).unwrap_err();
        (error.failure.class, error.failure.message)
    };
    for (headers, body, expect, problem) in [
        (&[("content-type", "application/json")][..], "{\"a\":", json!({}), "the response is not JSON: EOF"),
        (&[], "<html>", json!({ "type": "json" }), "the response is not JSON: expected value"),
        (&[], "", json!({ "type": "json" }), "the response is not JSON: EOF"),
        (&[("content-encoding", "gzip")], "x", json!({}), "the response is encoded as `gzip`"),
    ] {
        let (class, message) = broken(headers, body, expect);
        assert_eq!(class, FailureClass::InvalidOutput);
        assert!(message.contains(problem), "{message}");
    }
}

#[test]
fn a_response_that_is_too_large_is_not_read_on() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(100_000));
    let service = Service::always(vec![Act::Say(endless), Act::Hang]);
    let network = workflow_providers::Network::public().allow_private("*").unwrap();
    let provider = workflow_providers::HttpProvider::builder().network(network).max_response(50_000).build();
    let error = call_with(&provider, "", json!({ "url": service.url("/") })).0.unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Permanent);
    assert!(error.failure.message.contains("larger than 50000 bytes"), "{error}");
    service.wait_for_open(0);
}

#[test]
fn a_service_that_never_answers_runs_into_the_time_out() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"a\"";
    for acts in [vec![Act::Hang], vec![say(head), Act::Hang]] {
        let service = Service::always(acts);
        let error = call(json!({ "url": service.url("/"), "timeout": "50ms" })).unwrap_err();
        assert_eq!(error.failure.class, FailureClass::Timeout);
        assert!(error.failure.message.contains("no complete response within 50ms"), "{error}");
        service.wait_for_open(0);
    }
}

#[test]
fn a_service_that_is_not_there_is_transient() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let error = call(json!({ "url": format!("http://127.0.0.1:{port}/") })).unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Transient);
    assert_eq!(error.failure.details.unwrap()["reason"], "unreachable");
}

#[test]
fn what_happens_is_shown() {
    let service = Service::always(answer("[1]"));
    let (result, said) = call_with(&provider(), "", json!({ "url": service.url("/a?key=secret") }));
    result.unwrap();
    let url = service.url("/a");
    assert_eq!(said.of(OutputKind::Log), [format!("GET {url}"), format!("{url} answered 200 OK, 3 bytes")]);
}
