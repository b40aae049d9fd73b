//! The demo provider, which calls no service.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::pin::pin;
use std::sync::Arc;

use common::{context, request};
use futures::executor::block_on;
use futures::{FutureExt as _, poll};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::output_schema::OutputSchema;
use workflow_core::provider::{Provider as _, ProviderError};
use workflow_core::stop::Stop;
use workflow_providers::DemoProvider;

/// The demo's answer in an iteration.
fn answer(
    iteration: u32,
    prompt: &str,
    options: Value,
    schema: Option<Value>,
) -> Result<Value, ProviderError> {
    let mut request = request("demo", prompt, options);
    request.id.path = format!("{iteration}/work[0]/run").parse().unwrap();
    request.output_schema = schema.map(Arc::new);
    let (context, _, _stop) = context(&request);
    block_on(DemoProvider::new().call(request, context)).map(|reply| reply.output.value())
}

#[test]
fn without_a_schema_the_answer_says_that_it_is_a_demo_and_repeats_the_head_of_the_prompt() {
    let long = format!("Plan the release.\n{}the end", "é".repeat(400));
    let text = answer(1, &long, Value::Null, None).unwrap();
    let text = text.as_str().unwrap();
    assert!(
        text.starts_with("This is a demo: no service was called. The prompt was:\n\nPlan the release."),
        "{text}"
    );
    assert!(text.ends_with("é…"), "{text}");
    assert_eq!(
        answer(1, " ", Value::Null, None).unwrap(),
        "This is a demo: no service was called. The prompt was:\n\n(nothing)"
    );
}

#[test]
fn each_iteration_has_the_next_example_and_the_last_one_is_repeated() {
    let schema = json!({ "type": "object", "examples": [{ "done": false }, { "done": true }] });
    for (iteration, done) in [(1, false), (2, true), (3, true), (20, true)] {
        let answer = answer(iteration, "", Value::Null, Some(schema.clone())).unwrap();
        assert_eq!(answer, json!({ "done": done }), "{iteration}");
    }
}

#[test]
fn answers_of_the_definition_come_before_examples() {
    let options = json!({ "answers": ["first", { "second": 2 }] });
    for (iteration, expected) in
        [(1, json!("first")), (2, json!({ "second": 2 })), (3, json!({ "second": 2 }))]
    {
        assert_eq!(answer(iteration, "", options.clone(), None).unwrap(), expected);
    }
    let schema = json!({ "type": "string", "examples": ["other"] });
    assert_eq!(answer(1, "", options.clone(), Some(schema.clone())).unwrap(), "first");
    let error = answer(2, "", options, Some(schema)).unwrap_err();
    assert_eq!(error.failure.class, FailureClass::Permanent);
}

#[test]
fn what_a_schema_says_of_values_is_enough_for_an_answer() {
    for (schema, expected) in [
        (json!(true), json!("demo")),
        (json!({ "const": { "a": 1 } }), json!({ "a": 1 })),
        (json!({ "enum": ["low", "high"] }), json!("low")),
        (json!({ "type": "integer", "default": 7 }), json!(7)),
        (json!({ "type": ["null", "string"] }), json!("demo")),
        (json!({ "type": "string", "minLength": 7 }), json!("demo de")),
        (json!({ "type": "string", "maxLength": 2 }), json!("de")),
        (json!({ "type": "number", "minimum": 3.5 }), json!(3.5)),
        (json!({ "type": "integer", "exclusiveMinimum": 3 }), json!(4)),
        (json!({ "type": "integer", "maximum": -2 }), json!(-2)),
        (json!({ "type": "integer" }), json!(1)),
        (json!({ "type": "boolean" }), json!(true)),
        (json!({ "type": "null" }), json!(null)),
        (json!({ "type": "array" }), json!([])),
        (json!({ "type": "array", "minItems": 2, "items": { "type": "integer" } }), json!([1, 1])),
        (json!({ "prefixItems": [{ "const": 1 }], "minItems": 2, "items": { "const": 2 } }), json!([1, 2])),
        (
            json!({
                "type": "object",
                "required": ["name", "tags", "more"],
                "properties": {
                    "name": { "type": "string" },
                    "tags": { "type": "array" },
                    "level": { "type": "integer", "default": 3 },
                    "note": { "type": "string" },
                },
                "additionalProperties": { "type": "boolean" },
            }),
            json!({ "name": "demo", "tags": [], "level": 3, "more": true }),
        ),
        (json!({ "$ref": "#/$defs/file", "$defs": { "file": { "examples": ["a.rs"] } } }), json!("a.rs")),
        (
            json!({
                "allOf": [
                    { "required": ["a"], "properties": { "a": { "const": 1 } } },
                    { "required": ["b"], "properties": { "b": { "const": 2 } } },
                ],
            }),
            json!({ "a": 1, "b": 2 }),
        ),
        (json!({ "oneOf": [{ "type": "integer" }, { "type": "string" }] }), json!(1)),
    ] {
        assert_eq!(answer(1, "", Value::Null, Some(schema.clone())).unwrap(), expected, "{schema}");
    }
}

#[test]
fn a_schema_of_several_files_is_followed() {
    let files = [
        (
            "schemas/plan.json",
            json!({
                "type": "object",
                "required": ["files"],
                "properties": { "files": { "type": "array", "minItems": 1, "items": { "$ref": "file.json#/$defs/name" } } },
            }),
        ),
        ("schemas/file.json", json!({ "$defs": { "name": { "type": "string", "examples": ["a.rs"] } } })),
    ];
    let files = files.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    let schema = OutputSchema::compile("schemas/plan.json", &files).unwrap();
    let answer = answer(1, "", Value::Null, Some((**schema.value()).clone())).unwrap();
    assert_eq!(answer, json!({ "files": ["a.rs"] }));
}

#[test]
fn an_answer_that_does_not_follow_the_schema_is_an_error_that_says_what_to_write() {
    for (schema, problem) in [
        (json!({ "type": "string", "pattern": "^[0-9]+$" }), "\"demo\" does not match"),
        (json!({ "type": "object", "required": ["n"], "properties": { "n": false } }), "at /n: "),
        (json!({ "type": "string", "examples": [1] }), "1 is not of type \"string\""),
    ] {
        let error = answer(1, "", Value::Null, Some(schema)).unwrap_err();
        assert_eq!(error.failure.class, FailureClass::Permanent);
        let message = &error.failure.message;
        assert!(message.contains(problem) && message.contains("`examples` in the schema"), "{message}");
    }
}

#[test]
fn options_that_are_not_known_are_errors() {
    let demo = DemoProvider::new();
    for options in [
        json!(null),
        json!({}),
        json!({ "delay": "1m30s" }),
        json!({ "delay": 2 }),
        json!({ "delay": "${vars.delay}", "answers": "${vars.answers}" }),
        json!({ "answers": ["${vars.a}", 2] }),
        json!({ "attempts": [{}, { "fail": "rate_limited", "again_in": "${vars.pause}" }], "session": "${run.id}" }),
    ] {
        assert_eq!(demo.check_options(&options), Ok(()), "{options}");
    }
    for (options, problem) in [
        (json!({ "dealy": 2 }), "unknown option `dealy`, expected one of `delay`, `answers`"),
        (json!({ "delay": "soon" }), "`delay`: `soon` is not a length of time"),
        (json!({ "answers": "yes" }), "`answers`: "),
        (json!("fast"), "write an object with `delay`, `answers`"),
        (json!({ "usage": { "cost": 1 } }), "unknown option `cost`"),
        (json!({ "attempts": [{ "fail": "quota" }] }), "`attempts[0].fail`: unknown value `quota`"),
        // Messages contain no names of types.
        (json!({ "attempts": [3] }), "`attempts[0]`: invalid type: integer `3`, expected a mapping"),
        (json!({ "usage": "much" }), "`usage`: invalid type: string \"much\", expected a mapping"),
    ] {
        let message = demo.check_options(&options).unwrap_err();
        assert!(message.starts_with(problem), "{message}");
        assert_eq!(answer(1, "", options, None).unwrap_err().failure.class, FailureClass::Permanent);
    }
    assert_eq!(demo.options_schema().unwrap()["additionalProperties"], false);
}

#[test]
fn it_says_what_it_is_and_what_it_was_asked_line_by_line() {
    let request = request("demo", "Plan it.\n\nSoon.", Value::Null);
    let (context, said, _stop) = context(&request);
    block_on(DemoProvider::new().call(request, context)).unwrap();
    assert_eq!(
        said.of(OutputKind::Log),
        ["demo: no service is called; the prompt is:", "Plan it.", "", "Soon.", "demo: answered"]
    );
}

#[test]
fn attempts_fail_as_they_are_told_to_and_those_after_them_answer() {
    let used = json!({ "input_tokens": 3, "cost_usd": 0.5 });
    let options = json!({
        "answers": ["done"],
        "usage": { "cost_usd": 0.25 },
        "attempts": [{ "fail": "rate_limited", "again_in": "1h", "message": "come back" }, { "usage": used, "fail": "transient" }],
    });
    let call = |attempt| {
        let mut request = request("demo", "", options.clone());
        request.id.attempt = attempt;
        let (context, ..) = context(&request);
        block_on(DemoProvider::new().call(request, context))
    };
    let before = Timestamp::now();
    let quota = call(1).unwrap_err();
    assert_eq!(
        (quota.failure.class, quota.failure.message.as_str()),
        (FailureClass::RateLimited, "come back")
    );
    let until = quota.until.unwrap();
    assert!(
        until >= before + SignedDuration::from_hours(1)
            && until <= Timestamp::now() + SignedDuration::from_hours(1)
    );
    assert_eq!(quota.usage.unwrap().cost_usd, Some(0.25));
    let transient = call(2).unwrap_err();
    assert_eq!((transient.failure.class, transient.until), (FailureClass::Transient, None));
    let usage = transient.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cost_usd), (Some(3), None, Some(0.5)));
    for attempt in [3, 4] {
        let reply = call(attempt).unwrap();
        assert_eq!((reply.output.value(), reply.usage.unwrap().cost_usd), (json!("done"), Some(0.25)));
    }
}

#[test]
fn a_call_begins_a_session_unless_it_is_to_continue_one() {
    for (given, expected, how) in [(None, "s-1", "begins"), (Some("s-0"), "s-0", "continues")] {
        let mut request = request("demo", "", json!({ "session": "s-1" }));
        request.session = given.map(str::to_owned);
        let (context, said, _stop) = context(&request);
        let reply = block_on(DemoProvider::new().call(request, context)).unwrap();
        assert_eq!(reply.session.as_deref(), Some(expected));
        assert_eq!(said.sessions(), [expected]);
        assert!(said.of(OutputKind::Log).contains(&format!("demo: {how} the session {expected}")));
    }
}

#[test]
fn a_call_that_is_told_to_stop_ends_also_during_its_delay() {
    let demo = DemoProvider::new();
    for when in ["before", "during"] {
        let request = request("demo", "", json!({ "delay": "10h" }));
        let (context, _, stop) = context(&request);
        let mut call = pin!(demo.call(request, context));
        if when == "during" {
            assert!(block_on(async { poll!(&mut call) }).is_pending());
        }
        stop.stop(Stop::Gracefully);
        let error = call.now_or_never().unwrap().unwrap_err();
        assert_eq!(error.failure.class, FailureClass::Cancelled, "{when}");
    }
}

#[test]
fn a_delay_puts_the_answer_off() {
    let request = request("demo", "", json!({ "delay": "20ms" }));
    let (context, said, _stop) = context(&request);
    let demo = DemoProvider::new();
    let mut call = pin!(demo.call(request, context));
    assert!(block_on(async { poll!(&mut call) }).is_pending());
    assert_eq!(said.of(OutputKind::Log).last().unwrap(), "(nothing)");
    block_on(call).unwrap();
}
