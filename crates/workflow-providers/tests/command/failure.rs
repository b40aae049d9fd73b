//! Commands that fail, and commands that do not start.

use serde_json::json;
use workflow_core::failure::FailureClass;
use workflow_core::provider::Provider as _;
use workflow_providers::CommandProvider;

use super::call;

#[test]
fn an_exit_code_is_a_failure_that_may_be_retried() {
    let (result, _) = call("", json!({ "command": ["sh", "-c", "echo so far; echo bad >&2; exit 127"] }));
    let failure = *result.unwrap_err().failure;
    assert_eq!(failure.class, FailureClass::Transient);
    assert_eq!(failure.message, "`sh` exited with code 127");
    let details = json!({ "stdout_tail": "so far", "stderr_tail": "bad", "exit_code": 127 });
    assert_eq!(failure.details, Some(details));
}

#[test]
fn what_a_failed_command_has_printed_is_the_output_of_its_error() {
    for (output, printed) in [("text", "3 failed"), ("json", "{\"failed\": 3}")] {
        let options =
            json!({ "command": ["sh", "-c", format!("echo '{printed}'; exit 1")], "output": output });
        assert_eq!(call("", options).0.unwrap_err().output.unwrap().value(), printed);
    }
    // Output that should be JSON but is not.
    let (result, _) = call("", json!({ "command": ["echo", "no JSON"], "output": "json" }));
    assert_eq!(result.unwrap_err().output.unwrap().value(), "no JSON");
}

#[test]
fn success_is_what_the_definition_says() {
    let (result, _) = call("", json!({ "command": ["true"], "success_codes": [1] }));
    assert_eq!(result.unwrap_err().failure.message, "`true` exited with code 0");
}

#[test]
fn a_signal_is_a_failure_that_may_be_retried() {
    let (result, _) = call("", json!({ "command": ["sh", "-c", "kill -9 $$"] }));
    let failure = *result.unwrap_err().failure;
    assert_eq!(failure.class, FailureClass::Transient);
    assert_eq!(failure.message, "`sh` was terminated by signal 9");
    assert_eq!(failure.details, Some(json!({ "signal": 9 })));
}

#[test]
fn only_the_end_of_what_was_printed_goes_into_a_failure() {
    let script = "head -c 100000 /dev/zero | tr '\\0' x; head -c 100000 /dev/zero | tr '\\0' y >&2; exit 1";
    let (result, _) = call("", json!({ "command": ["sh", "-c", script] }));
    let details = result.unwrap_err().failure.details.unwrap();
    for (name, text) in [("stdout_tail", "x"), ("stderr_tail", "y")] {
        assert_eq!(details[name], format!("[… 95904 bytes left out …]\n{}", text.repeat(4096)));
    }
}

#[test]
fn what_cannot_be_started_is_not_retried() {
    for (options, message) in [
        (json!(null), "with: `command` is missing"),
        (json!({ "command": ["no-such-program-here"] }), "cannot start `no-such-program-here`"),
        (json!({ "command": ["/etc/passwd"] }), "cannot start `/etc/passwd`"),
        (json!({ "command": ["/"] }), "cannot start `/`"),
        (json!({ "command": ["echo", "a\0b"] }), "cannot start `echo`"),
        (json!({ "command": ["echo", "x".repeat(8 * 1024 * 1024)] }), "cannot start `echo`"),
        (
            json!({ "command": ["true"], "cwd": "no/such/directory" }),
            "`cwd` `no/such/directory` cannot be used",
        ),
    ] {
        let failure = *call("", options).0.unwrap_err().failure;
        assert_eq!(failure.class, FailureClass::Permanent, "{failure}");
        assert!(failure.message.starts_with(message), "{failure}");
    }
}

#[test]
fn options_are_checked_before_a_run() {
    let provider = CommandProvider::new();
    assert_eq!(provider.check_options(&json!({ "command": ["echo", "${vars.x}"] })), Ok(()));
    assert!(provider.check_options(&json!({ "comand": ["echo"] })).is_err());
}

#[test]
fn the_schema_of_the_options_names_them_all() {
    let schema = CommandProvider::new().options_schema().unwrap();
    let names: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["command", "dynamic_command", "stdin", "env", "cwd", "output", "success_codes"]);
    assert_eq!(schema["required"], json!(["command"]));
    assert_eq!(schema["additionalProperties"], json!(false));
}

#[test]
fn a_script_whose_interpreter_is_not_found_says_so_and_not_that_the_script_is_missing() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    for (text, message) in [
        ("#!/bin/sh\r\ntrue\r\n", ": its lines end in CRLF"),
        ("#!/usr/bin/env sh\r\ntrue\r\n", "exited with code 127: its lines end in CRLF"),
        ("#!/no/such/shell -e\ntrue\n", ": its interpreter `/no/such/shell` does not exist"),
        ("#!/bin/sh\nexit 127\n", "exited with code 127"),
    ] {
        let script = directory.path().join("script");
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let failure = *call("", json!({ "command": [script] })).0.unwrap_err().failure;
        let is_expected =
            failure.message.contains(message) && failure.message.contains("LF") == text.contains('\r');
        assert!(is_expected, "{text:?}: {failure}");
        let class = if message.ends_with("127") { FailureClass::Transient } else { FailureClass::Permanent };
        assert_eq!(failure.class, class, "{text:?}");
    }
}
