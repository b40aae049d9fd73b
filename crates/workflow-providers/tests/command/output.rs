//! The input and output of a command.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::executor::block_on;
use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::{Value, json};
use workflow_core::failure::FailureClass;
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallContext, CallHost, CallId, Provider as _, SessionLost};
use workflow_core::stop::StopSource;

use super::{call, output, provider, request};

#[test]
fn standard_output_is_the_output() {
    for (options, expected) in [
        (json!({ "command": ["printf", "one\\ntwo\\n\\n"] }), json!("one\ntwo")),
        (json!({ "command": ["printf", "no end"] }), json!("no end")),
        (json!({ "command": ["true"] }), json!("")),
        (json!({ "command": ["printf", "a\\377b"] }), json!("a\u{fffd}b")),
        (json!({ "command": ["echo", "$HOME; `id`", 5, { "a": [1] }] }), json!("$HOME; `id` 5 {\"a\":[1]}")),
        (json!({ "command": ["echo", " {\"a\": 1.0} "], "output": "json" }), json!({ "a": 1.0 })),
        (json!({ "command": ["printf", "```json\\n[1,\\n2]\\n```\\n"], "output": "json" }), json!([1, 2])),
        (
            json!({ "command": ["printf", "1\\n\\n{\"a\":2}\\r\\n\"3\""], "output": "json-lines" }),
            json!([1, { "a": 2 }, "3"]),
        ),
        (json!({ "command": ["true"], "output": "json-lines" }), json!([])),
        (json!({ "command": ["sh", "-c", "echo no; exit 3"], "success_codes": [0, 3] }), json!("no")),
    ] {
        assert_eq!(output("", options.clone()), expected, "{options}");
    }
}

#[test]
fn output_that_is_not_json_is_an_error_that_says_where() {
    for (command, format, message) in [
        (["printf", "{\"a\":\\n oops"], "json", "the output is not JSON: expected value at line 2, column 2"),
        (["printf", ""], "json", "the output is not JSON: EOF while parsing a value at line 1, column 0"),
        (["printf", "\"\\377\""], "json", "the output is not JSON: byte 2 is not UTF-8"),
        (
            ["printf", "1\\n{]"],
            "json-lines",
            "the output is not lines of JSON: key must be a string at line 2, column 2",
        ),
    ] {
        let (result, _) = call("", json!({ "command": command, "output": format }));
        let failure = *result.unwrap_err().failure;
        assert_eq!((failure.class, failure.message.as_str()), (FailureClass::InvalidOutput, message));
    }
}

#[test]
fn lines_are_shown_as_they_are_printed() {
    let script = "echo one; echo two >&2; printf 'th\\377ree\\r\\n\\nfour'; printf 'five' >&2";
    let (_, said) = call("", json!({ "command": ["sh", "-c", script] }));
    assert_eq!(said.of(OutputKind::Stdout), ["one", "th\u{fffd}ree", "", "four"]);
    assert_eq!(said.of(OutputKind::Stderr), ["two", "five"]);
}

#[test]
fn the_prompt_is_standard_input_unless_there_is_another() {
    assert_eq!(output("the prompt", json!({ "command": ["cat"] })), "the prompt");
    assert_eq!(output("the prompt", json!({ "command": ["cat"], "stdin": "other" })), "other");
    assert_eq!(output("the prompt", json!({ "command": ["cat"], "stdin": "" })), "");
    assert_eq!(output("", json!({ "command": ["cat"], "stdin": { "a": [1] } })), "{\"a\":[1]}");
    assert_eq!(output("", json!({ "command": ["cat"] })), "");
}

#[test]
fn more_than_a_pipe_holds_goes_in_and_out_at_the_same_time() {
    let prompt = "0123456789abcdef".repeat(64 * 1024);
    assert_eq!(output(&prompt, json!({ "command": ["cat"] })), Value::String(prompt));
}

#[test]
fn a_command_need_not_read_its_input() {
    let prompt = "x".repeat(1024 * 1024);
    assert_eq!(output(&prompt, json!({ "command": ["echo", "done"] })), "done");
    assert_eq!(
        output(&prompt, json!({ "command": ["sh", "-c", "exec <&-; sleep 0.05; echo done"] })),
        "done"
    );
    assert_eq!(output(&prompt, json!({ "command": ["head", "-c", "3"] })), "xxx");
}

#[test]
fn a_command_that_closes_its_output_runs_until_it_exits() {
    let script = "echo closing; exec >&- 2>&-; sleep 0.2; exit 3";
    let (result, _) = call("", json!({ "command": ["sh", "-c", script] }));
    assert_eq!(result.unwrap_err().failure.details.unwrap()["exit_code"], 3);
}

/// Stops the call at the first sign of life, and expects no line.
#[derive(Default)]
struct FirstSign {
    stop: StopSource,
    alive: AtomicBool,
}

impl CallHost for FirstSign {
    fn output(&self, _: &CallId, _: OutputKind, _: String) {}

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }

    fn alive(&self) {
        self.alive.store(true, Ordering::SeqCst);
        self.stop.stop(workflow_core::stop::Stop::AtOnce);
    }

    fn record_session<'a>(&'a self, _: &'a CallId, _: &'a str) -> BoxFuture<'a, Result<(), SessionLost>> {
        ready(Ok(())).boxed()
    }
}

#[test]
fn a_line_that_is_not_complete_is_a_sign_of_life() {
    let request = request("", json!({ "command": ["sh", "-c", "printf .; exec sleep 600"] }));
    let host = Arc::new(FirstSign::default());
    let context = CallContext::new(request.id.clone(), host.stop.signal(), host.clone());
    let result = block_on(provider().call(request, context));
    assert_eq!(result.unwrap_err().failure.class, FailureClass::Cancelled);
    assert!(host.alive.load(Ordering::SeqCst));
}
