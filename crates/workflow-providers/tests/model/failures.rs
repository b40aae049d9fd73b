//! What the services say instead of an answer.

use serde_json::json;
use workflow_core::failure::FailureClass;

use crate::ask;
use crate::service::{Service, response};
use crate::streams::APIS;

#[test]
fn each_refusal_has_a_reason_and_says_what_to_do() {
    let error =
        |kind: &str, message: &str| json!({ "error": { "type": kind, "message": message } }).to_string();
    for (status, headers, body, reason, shown) in [
        (401, &[][..], error("authentication_error", "invalid x-api-key"), "not_logged_in", "check `key`"),
        (403, &[], error("permission_error", "no access"), "not_logged_in", "no access"),
        (
            400,
            &[],
            error("invalid_request_error", "Your credit balance is too low"),
            "billing",
            "see the account",
        ),
        (402, &[], error("", "Insufficient Balance"), "billing", "see the account"),
        (
            429,
            &[],
            error(
                "insufficient_quota",
                "You exceeded your current quota, please check your plan and billing details.",
            ),
            "billing",
            "see the account",
        ),
        (
            400,
            &[],
            error("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
            "context_too_long",
            "shorten",
        ),
        (413, &[], "<html>too large</html>".to_owned(), "context_too_long", "too large"),
        (404, &[], error("not_found_error", "model: m"), "refused", "model: m"),
        (422, &[], "{\"detail\":\"no\"}".to_owned(), "refused", "no"),
        (429, &[("retry-after", "30")], error("rate_limit_error", "slow down"), "rate_limited", "slow down"),
        (
            429,
            &[("x-ratelimit-reset-tokens", "6m0s")],
            error("", "Rate limit reached"),
            "rate_limited",
            "reached",
        ),
        (429, &[], error("", "Rate limit reached. Please try again in 20s."), "rate_limited", "20s"),
        (429, &[], error("", "slow down"), "rate_limited", "is a guess"),
        (529, &[], error("overloaded_error", "Overloaded"), "overloaded", "Overloaded"),
        (503, &[("retry-after", "10")], error("", "loading the model"), "throttled", "loading"),
        (500, &[], String::new(), "overloaded", "answered 500"),
        (
            503,
            &[],
            "[{\"error\":{\"code\":503,\"message\":\"high demand\"}}]".to_owned(),
            "overloaded",
            "high demand",
        ),
    ] {
        for api in APIS {
            let service = Service::always(response(status, headers, &body));
            let error = ask(&service, api, &json!({})).0.unwrap_err();
            let details = error.failure.details.as_ref().unwrap();
            assert_eq!(
                (&details["reason"], &details["status"]),
                (&json!(reason), &json!(status)),
                "{api}: {error}"
            );
            assert!(error.failure.message.contains(shown), "{error}");
            assert!(!error.failure.message.contains(".;"), "{error}");
            assert_eq!(error.until.is_some(), error.failure.class == FailureClass::RateLimited, "{error}");
        }
    }
}

#[test]
fn a_time_in_a_header_counts_more_than_a_guess() {
    for (headers, seconds) in [
        (&[("retry-after", "3600")][..], 3600),
        (&[("retry-after-ms", "90000")], 90),
        (&[("anthropic-ratelimit-requests-remaining", "0"), ("ratelimit", "\"x\";r=0;t=240")], 240),
        (&[("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s")], 360),
    ] {
        let service = Service::always(response(429, headers, "{}"));
        let before = jiff::Timestamp::now();
        let error = ask(&service, "chat", &json!({})).0.unwrap_err();
        let away = error.until.unwrap().duration_since(before).as_secs();
        assert!((seconds - 1..seconds + 60).contains(&away), "{headers:?}: {away}");
        assert_eq!(error.failure.details.unwrap().get("retry_at_is_guess"), None);
    }
}

#[test]
fn a_response_of_another_kind_is_not_an_answer() {
    for (body, kind) in [
        ("<html>hello</html>", "text/html"),
        ("{\"ok\":true}", "application/json"),
        ("", "text/event-stream"),
        ("[]", "application/json"),
    ] {
        for api in APIS {
            let service = Service::always(response(200, &[("content-type", kind)], body));
            let error = ask(&service, api, &json!({})).0.unwrap_err();
            assert_eq!(error.failure.details.unwrap()["reason"], "stream_cut", "{api} {body}");
        }
    }
}
