//! What an agent's service says, through the whole engine: whether the run waits, whether a retry is spent, and what a
//! person reads. The agents are scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::home::{Home, until};

/// A home in which the agent ends with this message, and counts its calls.
fn home(agent: &str, message: &str) -> Home {
    let home = Home::new();
    let records = match agent {
        "claude" => json!([{ "type": "result", "subtype": "success", "is_error": true, "result": message }]),
        "codex" => json!([{ "type": "turn.failed", "error": { "message": message } }]),
        "gemini" => json!([
            { "type": "init", "session_id": "s" },
            { "type": "error", "severity": "error", "message": message },
            { "type": "result", "status": "error", "error": {} },
        ]),
        _ => json!([{ "type": "error", "message": message }]),
    };
    let lines: Vec<_> = records.as_array().unwrap().iter().map(Value::to_string).collect();
    home.write("stream", &(lines.join("\n") + "\n"));
    let path = home.path(&format!("bin/{agent}"));
    let script = "#!/bin/sh\ncat >/dev/null\necho call >>calls\ncat stream\nexit 1\n";
    home.write(&format!("bin/{agent}"), script);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let provider = if agent == "claude" { "claude-code" } else { agent };
    let text = format!(
        "workflow: {{ name: Agent, stages: [work] }}\n\
         work: {{ provider: {provider}, prompt: Go, on_failure: retry, retries: 1, retry_backoff: 0.01 }}\n"
    );
    home.write("agent.workflow.yml", &text);
    home
}

fn command(home: &Home, args: &[&str]) -> std::process::Command {
    let mut command = home.command(args);
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", home.path("bin").display()));
    command
}

/// What is left of the run when it has ended or waits, and what `show`, `report` and `runs` print.
fn ended(home: &Home, waits: bool) -> (Value, String, String) {
    let args = ["run", "agent.workflow.yml", "--run-id", "first"];
    let mut run = super::home::Started::of(&mut command(home, &args));
    if waits {
        let is_parked = || home.run(&["runs"]).stdout.contains(" its quota, until ");
        until("the quota", || home.path(".orch/runs.db").exists() && is_parked());
        run.signal(Signal::TERM);
    }
    drop(run.stdout());
    run.wait();
    let shown = home.run(&["show", "first"]).stdout + &home.run(&["report", "first"]).stdout;
    (home.show("first"), shown, home.run(&["runs"]).stdout)
}

#[test]
fn each_message_parks_or_fails_and_is_shown_with_what_to_do() {
    // The message; the reason; whether the run waits; the number of calls; what a person reads.
    let rows = [
        (
            "codex",
            "You've hit your usage limit. Try again in 3 days 4 hours 5 minutes.",
            "rate_limited",
            true,
            1,
            "usage limit",
        ),
        ("claude", "Weekly limit reached", "rate_limited", true, 1, "is a guess"),
        ("claude", "Claude AI usage limit reached|4102444800", "rate_limited", true, 1, "is a guess"),
        ("gemini", "Your quota will reset after 5h2m10s.", "rate_limited", true, 1, "Your quota will reset"),
        ("grok", "You are over your quota, resets at 2999-01-01", "rate_limited", true, 1, "is a guess"),
        (
            "grok",
            "Your team has used all available credits.",
            "billing",
            false,
            1,
            "see https://console.x.ai",
        ),
        ("grok", "API error {\"http_status\": 402}", "billing", false, 1, "see https://console.x.ai"),
        (
            "codex",
            "Your workspace is out of credits.",
            "billing",
            false,
            1,
            "see https://chatgpt.com/codex/settings/usage",
        ),
        (
            "codex",
            "Quota exceeded. Check your plan and billing details.",
            "billing",
            false,
            1,
            "see https://chatgpt.com/codex/settings/usage",
        ),
        (
            "claude",
            "Credit balance is too low",
            "billing",
            false,
            1,
            "see https://console.anthropic.com/settings/billing",
        ),
        (
            "codex",
            "Your refresh token was already used. Please log out and sign in again.",
            "not_logged_in",
            false,
            1,
            "log in with `codex`",
        ),
        ("codex", "Selected model is at capacity.", "overloaded", false, 2, "Selected model is at capacity."),
        ("claude", "API Error: 529 Overloaded", "overloaded", false, 2, "529 Overloaded"),
        ("gemini", "{\"error\":{\"code\":503}}", "overloaded", false, 2, "503"),
        ("codex", "the tool wrote 500 of 401 files", "failed", false, 2, "500 of 401 files"),
        ("gemini", "", "failed", false, 2, "gemini failed and did not say why"),
        ("claude", "", "failed", false, 2, "did not say why"),
        (
            "claude",
            "the response exceeded the 32000 output token maximum",
            "max_tokens",
            false,
            1,
            "output token maximum",
        ),
    ];
    for (agent, message, reason, waits, calls, says) in rows {
        let home = home(agent, message);
        let (run, shown, listed) = ended(&home, waits);
        let events = home.log("first");
        let failed = events.iter().rfind(|event| event["type"] == "attempt_failed").unwrap();
        let found = (
            failed["data"]["error"]["details"]["reason"].as_str().unwrap(),
            run["wait"]["reason"] == "quota",
            home.read("calls").lines().count(),
        );
        assert_eq!(found, (reason, waits, calls), "{agent} {message}: {failed}");
        assert!(shown.contains(says), "{agent} {message}: {shown}");
        assert!(!shown.contains("4102444800"), "{shown}");
        assert_eq!(failed["data"]["parked"] == true, waits, "{failed}");
        // A time that the service did not tell is shown as a guess wherever it is shown.
        let is_guess = says == "is a guess";
        assert_eq!(listed.contains("(a guess)"), is_guess, "{listed}");
        assert_eq!(shown.contains("(a guess)"), is_guess, "{shown}");
        assert_eq!(shown.contains("the time is a guess"), is_guess, "{shown}");
        let record: Value = serde_json::from_str(&home.run(&["runs", "--json"]).stdout).unwrap();
        assert_eq!(record["wait"]["untilIsGuess"] == true, is_guess, "{record}");
    }
}
