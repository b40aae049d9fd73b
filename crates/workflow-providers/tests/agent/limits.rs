//! Messages of services that refuse a call: whether the run waits for them, until when, and what a person reads.

use serde_json::json;
use workflow_core::failure::FailureClass::{self, Permanent, RateLimited, Transient};

use super::replay::Cli::{self, Claude, Codex, Gemini, Grok};
use super::replay::{NOW, Played, Stream, claude, failed, lines, play, play_with, request};

/// Whether and until when a call waits.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Waits {
    No,
    Until(&'static str),
    /// So many minutes are guessed.
    Guess(f64),
}
use Waits::{Guess, No, Until};

fn check(
    cli: Cli,
    stream: &Stream,
    class: FailureClass,
    reason: &str,
    waits: Waits,
    says: &str,
) -> Option<String> {
    let played = play(cli, stream);
    let error = match &played.result {
        Ok(reply) => return Some(format!("{cli:?} {stream:?}: a success: {:?}", reply.output)),
        Err(error) => error,
    };
    let found = (error.failure.class, played.detail("reason"), waits_of(&played));
    let is_right = found == (class, json!(reason), waits)
        && error.failure.message.contains(says)
        && !error.failure.message.contains("|17")
        && error.failure.message.contains("is a guess") == matches!(waits, Guess(_));
    (!is_right).then(|| {
        format!("{cli:?} {stream:?}\n  expected {class} {reason} {waits:?}\n  found {found:?}: {error}")
    })
}

fn waits_of(played: &Played) -> Waits {
    let now: jiff::Timestamp = NOW.parse().unwrap();
    match played.result.as_ref().unwrap_err().until {
        None => No,
        Some(until) if played.detail("retry_at_is_guess") == true => {
            Guess(until.duration_since(now).as_secs_f64() / 60.0)
        }
        // Leaked, so that a table can hold it.
        Some(until) => Until(until.to_string().leak()),
    }
}

const WORKSPACE: &str = "Your workspace is out of credits. Add credits to continue.";
const REFRESH: &str = "Your access token could not be refreshed because your refresh token was already used. Please log out and sign in again.";
const CREDITS: &str = "Your team has either used all available credits or reached its monthly spending limit. To continue making API requests, please purchase more credits.";

#[test]
fn every_message_of_a_service_is_told_right() {
    let rows: &[(Cli, &str, FailureClass, &str, Waits)] = &[
        // Quotas with a time. It is 14:00 in Berlin.
        (
            Codex,
            "You've hit your usage limit. Upgrade to Pro (https://openai.com/chatgpt/pricing) or try again at 3:05 PM.",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T13:05:00Z"),
        ),
        (
            Codex,
            "You've hit your usage limit. To get more access now, send a request to your admin or try again at Jul 29th, 2026 1:05 AM.",
            RateLimited,
            "rate_limited",
            Until("2026-07-28T23:05:00Z"),
        ),
        (
            Codex,
            "You've hit your usage limit. Try again in 3 days 4 hours 5 minutes.",
            RateLimited,
            "rate_limited",
            Until("2026-07-18T16:05:00Z"),
        ),
        (
            Codex,
            "Rate limit reached for gpt-5 in organization org-x on tokens per min (TPM): Limit 30000, Used 30000, Requested 29. Please try again in 120ms.",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T12:00:00.12Z"),
        ),
        (
            Claude,
            "Claude usage limit reached. Your limit resets 9am (Europe/Berlin).",
            RateLimited,
            "rate_limited",
            Until("2026-07-16T07:00:00Z"),
        ),
        (
            Claude,
            "You've hit your limit · resets 3:45pm",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T13:45:00Z"),
        ),
        (
            Claude,
            "You've hit your weekly limit · resets Jul 31, 2am (UTC)",
            RateLimited,
            "rate_limited",
            Until("2026-07-31T02:00:00Z"),
        ),
        (
            Claude,
            "Claude AI usage limit reached|1784124000",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T14:00:00Z"),
        ),
        (
            Claude,
            "5-hour limit reached ∙ resets 2am",
            RateLimited,
            "rate_limited",
            Until("2026-07-16T00:00:00Z"),
        ),
        (
            Gemini,
            "You have exhausted your capacity on this model. Your quota will reset after 5h2m10s.",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T17:02:10Z"),
        ),
        (
            Gemini,
            "[API Error: You exceeded your current quota, please check your plan and billing details. Please retry in 35.6s.]",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T12:00:35.6Z"),
        ),
        (
            Gemini,
            r#"[API Error: {"error":{"code":429,"message":"{\n  \"error\": {\n    \"details\": [{\"retryDelay\": \"17s\"}]}}"}}]"#,
            RateLimited,
            "rate_limited",
            Until("2026-07-15T12:00:17Z"),
        ),
        (
            Grok,
            "API error (status 429 Too Many Requests): Retry-After: 120",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T12:02:00Z"),
        ),
        (
            Grok,
            "rate limit reached, resets at 2026-07-15T14:00:00Z",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T14:00:00Z"),
        ),
        (
            Grok,
            "rate limit reached, resets at 2026-07-15 16:00:00",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T14:00:00Z"),
        ),
        (
            Grok,
            "rate limit reached, reset: 1784124000",
            RateLimited,
            "rate_limited",
            Until("2026-07-15T14:00:00Z"),
        ),
        (
            Grok,
            "You are over your quota. Try again in 2 days 3 hours.",
            RateLimited,
            "rate_limited",
            Until("2026-07-17T15:00:00Z"),
        ),
        // Quotas without a time, or without a clear one.
        (Claude, "Weekly limit reached", RateLimited, "rate_limited", Guess(15.0)),
        (
            Claude,
            "You've hit your limit · resets 9am (Mars/Phobos)",
            RateLimited,
            "rate_limited",
            Guess(15.0),
        ),
        (
            Codex,
            "You've hit your usage limit. Upgrade to Plus or try again later.",
            RateLimited,
            "rate_limited",
            Guess(15.0),
        ),
        (
            Codex,
            "exceeded retry limit, last status: 429 Too Many Requests",
            RateLimited,
            "rate_limited",
            Guess(0.5),
        ),
        (Claude, "Claude AI usage limit reached|1784023200", RateLimited, "rate_limited", Guess(0.5)),
        (
            Claude,
            "API Error: Server is temporarily limiting requests (not your usage limit) · Rate limited",
            RateLimited,
            "throttled",
            Guess(0.5),
        ),
        // Money.
        (Grok, &format!("API error (status 403 Forbidden): {CREDITS}"), Permanent, "billing", No),
        (Grok, &format!("{{\"message\": \"{CREDITS}\", \"http_status\": 429}}"), Permanent, "billing", No),
        (
            Grok,
            "Internal error: {\"message\": \"API error\", \"http_status\": 402}",
            Permanent,
            "billing",
            No,
        ),
        (Codex, WORKSPACE, Permanent, "billing", No),
        (
            Codex,
            "You've hit your usage limit. Upgrade to Plus to continue using Codex.",
            Permanent,
            "billing",
            No,
        ),
        (Codex, "Quota exceeded. Check your plan and billing details.", Permanent, "billing", No),
        (Claude, "Credit balance is too low", Permanent, "billing", No),
        // A lost login.
        (Codex, REFRESH, Permanent, "not_logged_in", No),
        (Claude, "Invalid API key · Please run /login", Permanent, "not_logged_in", No),
        (
            Grok,
            "Not signed in. To authenticate without a browser, run: grok login",
            Permanent,
            "not_logged_in",
            No,
        ),
        // Too much to do.
        (Codex, "Selected model is at capacity. Please try a different model.", Transient, "overloaded", No),
        (
            Claude,
            "API Error: 529 {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}",
            Transient,
            "overloaded",
            No,
        ),
        (
            Gemini,
            "[API Error: {\"error\":{\"code\":503,\"message\":\"The model is overloaded.\"}}]",
            Transient,
            "overloaded",
            No,
        ),
        (Grok, "API error (status 503 Service Unavailable): try later", Transient, "overloaded", No),
        // Numbers in sentences.
        (Codex, "the tool wrote 500 files, and 429 lines were left", Transient, "failed", No),
        (Grok, "the answer has 401 words", Transient, "failed", No),
        (Gemini, "cannot read line 403 of the file", Transient, "failed", No),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .filter_map(|(cli, message, class, reason, waits)| {
            let begin = message.split(['|', ':', '·', '{', '\\']).next().unwrap_or_default();
            let begin = begin.trim_end_matches('.');
            check(*cli, &failed(*cli, message), *class, reason, *waits, begin)
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

fn claude_failed(records: &[serde_json::Value], message: &str) -> Stream {
    let result = json!({ "type": "result", "subtype": "success", "is_error": true, "result": message });
    claude(&[records, &[result]].concat(), 1)
}

fn event(status: &str, resets_at: &serde_json::Value) -> serde_json::Value {
    json!({ "type": "rate_limit_event", "rate_limit_info": { "status": status, "resetsAt": resets_at } })
}

#[test]
fn an_event_of_claude_counts_with_its_status() {
    let at = json!(1_784_124_000);
    let rows = [
        (
            claude_failed(&[event("rejected", &at)], "Limit reached"),
            RateLimited,
            "rate_limited",
            Until("2026-07-15T14:00:00Z"),
        ),
        (
            claude_failed(&[event("rejected", &at)], "it broke"),
            RateLimited,
            "rate_limited",
            Until("2026-07-15T14:00:00Z"),
        ),
        // The text is not read if a record has the time.
        (
            claude_failed(&[event("rejected", &at)], "Limit reached, resets 9am"),
            RateLimited,
            "rate_limited",
            Until("2026-07-15T14:00:00Z"),
        ),
        (claude_failed(&[event("allowed", &at)], "it broke"), Transient, "failed", No),
        (
            claude_failed(&[event("allowed_warning", &at)], "Weekly limit reached"),
            RateLimited,
            "rate_limited",
            Guess(15.0),
        ),
        (
            claude_failed(&[event("rejected", &at), event("allowed", &at)], "it broke"),
            Transient,
            "failed",
            No,
        ),
        (
            claude_failed(&[event("rejected", &json!(null))], "Limit reached"),
            RateLimited,
            "rate_limited",
            Guess(15.0),
        ),
        (
            claude_failed(&[event("rejected", &json!(1e300))], "Limit reached"),
            RateLimited,
            "rate_limited",
            Guess(15.0),
        ),
        (
            claude_failed(&[event("rejected", &json!(1_784_023_200))], "Limit reached"),
            RateLimited,
            "rate_limited",
            Guess(0.5),
        ),
    ];
    let wrong: Vec<_> = rows
        .iter()
        .filter_map(|(stream, class, reason, waits)| check(Claude, stream, *class, reason, *waits, ""))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_guess_doubles_with_each_attempt_and_is_bounded() {
    for (message, attempts) in [
        (
            "Weekly limit reached",
            [(1, 15.0), (2, 30.0), (4, 120.0), (5, 240.0), (9, 240.0), (u32::MAX, 240.0)],
        ),
        ("Too Many Requests (429)", [(1, 0.5), (2, 1.0), (4, 4.0), (5, 8.0), (9, 15.0), (u32::MAX, 15.0)]),
    ] {
        for (attempt, minutes) in attempts {
            let mut request = request("say hello", json!({}));
            request.id.attempt = attempt;
            let played = play_with(Claude, &failed(Claude, message), request);
            assert_eq!(waits_of(&played), Guess(minutes), "{message} {attempt}");
        }
    }
}

#[test]
fn a_quota_that_gemini_reports_on_standard_error_alone_counts() {
    let init = lines(&[json!({ "type": "init", "session_id": "s" })]);
    let stderr = "Attempt 1 failed with status 429. Retrying with backoff... _ApiError: {\"error\":{\"code\":429,\"message\":\"You exceeded your current quota.\\nPlease retry in 35.6s.\"}}\n    at throwErrorIfNotOK (file:///x.js:1:2)\n  status: 429\n}\n";
    for (code, stdout) in [(1, &*init), (0, &init), (173, &init), (1, "")] {
        let stream = Stream::new(stdout, code).stderr(stderr);
        let wrong = check(
            Gemini,
            &stream,
            RateLimited,
            "rate_limited",
            Until("2026-07-15T12:00:35.6Z"),
            "You exceeded",
        );
        assert_eq!(wrong, None);
    }
    // The result has less than standard error.
    let stream = Stream { code: 173, ..failed(Gemini, "[API Error: quota]") }.stderr(stderr);
    assert_eq!(
        check(Gemini, &stream, RateLimited, "rate_limited", Until("2026-07-15T12:00:35.6Z"), "[API Error"),
        None
    );
}
