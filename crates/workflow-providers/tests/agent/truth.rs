//! What a call reports is what happened: no empty message, no doubled answer, nothing that is left out silently.

use std::fs::{self, File};

use serde_json::{Value, json};
use workflow_core::failure::FailureClass::{Permanent, RateLimited, Transient};
use workflow_core::output::OutputKind;
use workflow_core::usage::Usage;

use super::replay::Cli::{self, Claude, Codex, Gemini, Grok};
use super::replay::{ALL, Stream, answered, claude, failed, lines, play, play_with, request};

fn result(fields: &Value) -> Value {
    let mut record = json!({ "type": "result", "subtype": "success", "is_error": false });
    record.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    record
}

#[test]
fn no_failure_has_an_empty_message() {
    let gemini = |records: &[Value]| {
        let result = json!({ "type": "result", "status": "error", "error": { "type": "x", "message": "" } });
        Stream::new(lines(&[&[json!({ "type": "init", "session_id": "s" })], records, &[result]].concat()), 0)
    };
    let error = |message: &str| json!({ "type": "error", "severity": "error", "message": message });
    let during = |fields: Value| {
        let mut fields = fields;
        fields["subtype"] = "error_during_execution".into();
        fields["is_error"] = true.into();
        claude(&[result(&fields)], 1)
    };
    let rows = [
        (
            Gemini,
            gemini(&[error("Your quota will reset after 5h.")]),
            RateLimited,
            "rate_limited",
            "Your quota will reset after 5h.",
        ),
        (Gemini, gemini(&[error("it broke")]), Transient, "failed", "it broke"),
        (Gemini, gemini(&[]), Transient, "failed", "gemini failed and did not say why"),
        (Gemini, gemini(&[]).stderr("cause\n}\n    at x (y)\n"), Transient, "failed", "cause"),
        (Claude, during(json!({})), Transient, "failed", "claude ended with `error_during_execution`"),
        (Claude, during(json!({ "errors": [] })).stderr("cause\n"), Transient, "failed", "cause"),
        (
            Claude,
            during(json!({ "errors": ["Credit balance is too low"] })),
            Permanent,
            "billing",
            "Credit balance",
        ),
        (
            Claude,
            during(json!({ "api_error_status": 529 })),
            Transient,
            "overloaded",
            "error_during_execution",
        ),
        (
            Claude,
            claude(&[result(&json!({ "subtype": "error_max_turns", "is_error": true }))], 1),
            Permanent,
            "max_turns",
            "largest number of turns",
        ),
        (Claude, failed(Claude, ""), Transient, "failed", "did not say why"),
        (Codex, failed(Codex, ""), Transient, "failed", "codex failed and did not say why"),
        (Codex, failed(Codex, " ").stderr("cause"), Transient, "failed", "cause"),
        (Grok, failed(Grok, ""), Transient, "failed", "grok failed and did not say why"),
    ];
    for (cli, stream, class, reason, says) in rows {
        let played = play(cli, &stream);
        let error = played.result.as_ref().unwrap_err();
        assert_eq!(
            (error.failure.class, played.detail("reason")),
            (class, json!(reason)),
            "{stream:?}: {error}"
        );
        assert!(error.failure.message.contains(says), "{stream:?}: {error}");
    }
}

#[test]
fn advice_says_where_to_look() {
    for (cli, place) in [
        (Claude, "https://console.anthropic.com/settings/billing"),
        (Codex, "https://chatgpt.com/codex/settings/usage"),
        (Gemini, "https://aistudio.google.com/usage"),
        (Grok, "https://console.x.ai"),
    ] {
        let message = |text: &str| play(cli, &failed(cli, text)).result.unwrap_err().failure.message;
        let told = message("You are out of credits");
        assert!(told.contains(place) && !told.contains("log in"), "{told}");
        assert!(message("please sign in again").contains("log in with"));
    }
}

#[test]
fn an_error_of_the_service_is_not_an_answer() {
    let synthetic = json!({ "type": "assistant", "is_api_error_message": true, "error": "rate_limit",
        "message": { "model": "<synthetic>", "content": [{ "type": "text", "text": "Weekly limit reached" }] } });
    let stream = claude(&[synthetic, result(&json!({ "result": "Weekly limit reached" }))], 0);
    let played = play(Claude, &stream);
    assert_eq!(
        (played.result.as_ref().unwrap_err().failure.class, played.detail("reason")),
        (RateLimited, json!("rate_limited"))
    );
}

#[test]
fn an_answer_that_is_cut_at_its_largest_number_of_tokens_is_told_and_not_tried_again() {
    let delta = json!({ "type": "stream_event", "event": { "type": "content_block_delta", "delta": { "type": "text_delta", "text": "the text so far" } } });
    let synthetic =
        json!({ "type": "assistant", "error": "max_output_tokens", "message": { "model": "<synthetic>" } });
    let cut = result(&json!({ "result": "the text so far", "stop_reason": "max_tokens" }));
    let refused = result(&json!({ "is_error": true, "result": "Claude's response exceeded its maximum" }));
    let with = |pieces: &[Value], last: Value| Stream::new(lines(&[pieces, &[last]].concat()), 1);
    let init = json!({ "type": "init", "session_id": "s" });
    let piece =
        json!({ "type": "message", "role": "assistant", "content": "the text so far", "delta": true });
    let message =
        json!({ "type": "item.completed", "item": { "type": "agent_message", "text": "the text so far" } });
    let text = json!({ "type": "text", "data": "the text so far" });
    let incomplete =
        "stream disconnected before completion: Incomplete response returned, reason: max_output_tokens";
    let rows = [
        (Claude, claude(&[delta.clone(), cut], 0)),
        (Claude, claude(&[delta.clone(), synthetic, refused], 1)),
        (
            Claude,
            claude(
                &[
                    delta,
                    result(
                        &json!({ "is_error": true, "result": "API Error: Claude's response exceeded the 32000 output token maximum." }),
                    ),
                ],
                1,
            ),
        ),
        (Codex, with(&[message], json!({ "type": "turn.failed", "error": { "message": incomplete } }))),
        (
            Gemini,
            with(
                &[init.clone(), piece.clone()],
                json!({ "type": "result", "status": "error", "error": { "type": "MAX_TOKENS", "message": "stopped: MAX_TOKENS" } }),
            ),
        ),
        (
            Gemini,
            Stream {
                code: 0,
                ..with(
                    &[
                        init,
                        piece,
                        json!({ "type": "error", "severity": "warning", "message": "Response truncated: MAX_TOKENS" }),
                    ],
                    json!({ "type": "result", "status": "success" }),
                )
            },
        ),
        (
            Grok,
            Stream {
                code: 0,
                ..with(std::slice::from_ref(&text), json!({ "type": "end", "stopReason": "max_tokens" }))
            },
        ),
        (Grok, with(&[text], json!({ "type": "error", "message": "stopped: max_tokens" }))),
    ];
    for (cli, stream) in rows {
        let played = play(cli, &stream);
        let error = played.result.as_ref().unwrap_err();
        assert_eq!(
            (error.failure.class, played.detail("reason")),
            (Permanent, json!("max_tokens")),
            "{stream:?}: {error}"
        );
        assert_eq!(played.detail("text"), "the text so far", "{stream:?}");
    }
}

#[test]
fn an_empty_answer_is_a_failure_of_its_own() {
    for cli in ALL {
        for pieces in [&[][..], &[""], &[" \n"]] {
            let played = play(cli, &answered(cli, pieces));
            let error = played.result.as_ref().unwrap_err();
            assert_eq!(
                (error.failure.class, played.detail("reason")),
                (Transient, json!("empty_answer")),
                "{cli:?} {pieces:?}: {error}"
            );
        }
    }
    for (cli, message) in [
        (Gemini, "Model stream ended with empty response text."),
        (Grok, "the model returned an empty response"),
    ] {
        assert_eq!(play(cli, &failed(cli, message)).detail("reason"), "empty_answer");
    }
}

#[test]
fn the_usage_of_two_results_adds_up() {
    let usage = |input: u64, output: u64| json!({ "input_tokens": input, "output_tokens": output });
    let since = |input: u64, output: u64, cost: f64| json!({ "m": { "inputTokens": input, "outputTokens": output, "costUSD": cost } });
    let used = |input, output, cost| {
        Some(Usage { input_tokens: Some(input), output_tokens: Some(output), cost_usd: Some(cost) })
    };
    let turn = |text: &str, usage: &Value, total: f64, since: Value| {
        let mut fields = json!({ "result": text, "usage": usage, "total_cost_usd": total });
        if !since.is_null() {
            fields["model_usage_since_last_result"] = since;
        }
        result(&fields)
    };
    let newer = claude(
        &[
            turn("one", &usage(3, 2), 0.25, since(3, 2, 0.25)),
            turn("two", &usage(5, 4), 0.75, since(5, 4, 0.5)),
        ],
        0,
    );
    let older = claude(
        &[turn("one", &usage(3, 2), 0.25, json!(null)), turn("two", &usage(5, 4), 0.75, json!(null))],
        0,
    );
    for stream in [newer, older] {
        let reply = play(Claude, &stream).result.unwrap();
        assert_eq!((reply.output.value(), reply.usage), (json!("two"), used(8, 6, 0.75)));
    }
}

#[test]
fn an_answer_that_a_silent_retry_repeats_is_not_doubled_and_a_true_repetition_stays() {
    for (pieces, answer) in [
        (&["approve", "approve"][..], "approve"),
        (&["{\"ok\":true}", "{\"ok\":true}"], "{\"ok\":true}"),
        (&["{\"ok\":", "{\"ok\":", "true}"], "{\"ok\":true}"),
        (&["ha", "ha"], "haha"),
        (&["no", " no", " no"], "no no no"),
        (&["approve", " approve"], "approve approve"),
        (&["10", "10"], "1010"),
    ] {
        for cli in [Gemini, Grok] {
            let played = play(cli, &answered(cli, pieces));
            assert_eq!(played.result.unwrap().output.value(), answer, "{cli:?} {pieces:?}");
            assert_eq!(played.said.of(OutputKind::TextDelta).concat(), answer, "{cli:?} {pieces:?}");
        }
    }
}

#[test]
fn escape_sequences_leave_messages_and_a_byte_order_mark_changes_nothing() {
    for cli in ALL {
        let played = play(
            cli,
            &failed(cli, "\u{1b}[31mYour limit\u{1b}[0m broke").stderr("\u{1b}[1mwarning\u{1b}[0m\n"),
        );
        let error = played.result.as_ref().unwrap_err();
        assert!(!format!("{error:?}").contains("\\u{1b}"), "{error:?}");
        assert!(error.failure.message.contains("Your limit broke"), "{error}");
        assert_eq!(played.detail("stderr_tail"), "warning");

        let stream = answered(cli, &["hello"]);
        let marked = Stream { stdout: format!("\u{feff}{}", stream.stdout), ..stream };
        let played = play(cli, &marked);
        assert_eq!(played.result.as_ref().unwrap().output.value(), "hello", "{cli:?}");
        assert_eq!(played.logs(), [""; 0], "{cli:?}");
    }
}

#[test]
fn a_prompt_stays_a_prompt() {
    for cli in ALL {
        for prompt in ["/etc/hosts is what?", "--help me", "-h", "@README.md says what?", "  /clear", "!ls"] {
            let played = play_with(cli, &answered(cli, &["hello"]), request(prompt, json!({})));
            assert_eq!(played.result.unwrap().output.value(), "hello");
            assert!(played.prompt.contains(prompt), "{cli:?}: {}", played.prompt);
            let first = played.prompt.trim_start().chars().next().unwrap();
            assert!(first.is_alphabetic(), "{cli:?}: {}", played.prompt);
        }
    }
}

#[test]
fn the_folder_of_a_killed_host_is_removed_by_the_next_call() {
    let left = |name: &str| {
        let folder = std::env::temp_dir().join(format!("workflow-call-{name}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("mcp.json"), "{}").unwrap();
        folder
    };
    let (dead, alive, new) = (left("dead"), left("alive"), left("new"));
    File::create(dead.join("lock")).unwrap();
    let lock = File::create(alive.join("lock")).unwrap();
    lock.lock().unwrap();
    play(Cli::Claude, &answered(Cli::Claude, &["hello"])).result.unwrap();
    let found = [&dead, &alive, &new].map(|folder| folder.exists());
    drop(lock);
    for folder in [&alive, &new] {
        fs::remove_dir_all(folder).unwrap();
    }
    assert_eq!(found, [false, true, true]);
}

#[test]
fn no_secret_becomes_an_argument() {
    for (cli, options) in [
        (Claude, json!({ "system_prompt": "use key-to-be-hidden" })),
        (Codex, json!({ "config": { "model_providers.x.key": "key-to-be-hidden" } })),
        (Codex, json!({ "system_prompt": "use key-to-be-hidden" })),
        (Gemini, json!({ "model": "key-to-be-hidden" })),
        (Grok, json!({ "system_prompt": "key-to-be-hidden" })),
    ] {
        let played = play_with(cli, &answered(cli, &["hello"]), request("hello", options));
        let error = played.result.unwrap_err();
        assert_eq!((error.failure.class, &*played.prompt), (Permanent, ""), "{cli:?}: it was started");
        assert!(error.to_string().contains("would contain a secret"), "{error}");
    }
}

#[test]
fn records_of_unknown_kinds_are_counted_and_shown_once() {
    for cli in ALL {
        let stream = answered(cli, &["hello"]);
        let new = json!({ "type": "new_kind", "x": 1 });
        let other = json!({ "type": "system", "subtype": "\u{1b}new" });
        let stdout = format!("{}{}", lines(&[new.clone(), other, new]), stream.stdout);
        let played = play(cli, &Stream { stdout, ..stream });
        assert_eq!(played.result.as_ref().unwrap().output.value(), "hello");
        let notice = "3 records of a kind that is not known (new_kind, system/new): the provider may be older than the agent";
        assert_eq!(played.logs(), [notice], "{cli:?}");
        assert_eq!(play(cli, &answered(cli, &["hello"])).logs(), [""; 0], "{cli:?}");
    }
}
