//! Standard output: JSON for programs, safe lines for users, and readers that close the pipe.

use std::process::Stdio;

use serde_json::Value;

use super::home::{Home, stable, until};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_run_is_its_events_and_then_the_run() {
    let home = Home::with_stages(&[("one", "echo said")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first", "--json", "--var", "x:=1"]);
    assert_eq!(run.stderr, "warning: the variable `x` is not used by the workflow\n");
    let (view, events) = {
        let mut lines = run.json();
        (lines.pop().unwrap(), lines)
    };
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], n + 1);
    }
    assert_eq!(home.run(&["events", "first", "--json"]).json(), events);
    stable(|| {
        insta::assert_snapshot!(run.stdout.lines().next().unwrap(), @r#"
        {"seq":1,"at":"[date]","v":1,"type":"run_created","data":{"run":"first","workflow":"stages","bundle":"[hash]","vars":{"x":1},"seed":"[seed]","by":{"id":"ann","via":"terminal"}}}
        "#);
        insta::assert_snapshot!(run.stdout.lines().last().unwrap(), @r#"
        {"runId":"first","workflowId":"stages","status":"completed","startedBy":{"id":"ann","via":"terminal"},"currentStage":null,"iteration":1,"lastEvent":7,"context":{"vars":{"x":1},"stages":{"one":{"status":"completed","iteration":1,"output":"said","spent":{"attempts":1,"costUsd":null,"unpriced":1,"tokens":null,"uncounted":1,"timeMs":"[millis]"},"results":[{"provider":"command","role":null,"status":"completed","attempts":1,"output":"said","error":null,"duration":"[millis]"}],"startedAt":"[date]","endedAt":"[date]"}}},"spent":{"attempts":1,"costUsd":null,"unpriced":1,"tokens":null,"uncounted":1,"timeMs":"[millis]"},"createdAt":"[date]","startedAt":"[date]","completedAt":"[date]","error":null,"output":"said"}
        "#);
    });
    assert_eq!(home.show("first"), view);
}

#[test]
fn every_command_has_bare_objects_for_programs() {
    let home = Home::with_stages(&[("one", "echo said; test -e go")]);
    home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    home.write("go", "");
    home.run(&["run", "stages.workflow.yml", "--run-id", "second"]);
    for (args, expected) in [
        (&["init"][..], &["workflow", "file", "created"][..]),
        (
            &["list"],
            &[
                "id",
                "name",
                "description",
                "stages",
                "loop",
                "isDefault",
                "protected",
                "lastRun",
                "activeRuns",
                "problem",
                "problems",
            ],
        ),
        (&["validate", "hello"], &["file", "valid", "diagnostics"]),
        (
            &["runs", "--limit", "1"],
            &[
                "runId",
                "workflowId",
                "bundle",
                "status",
                "createdAt",
                "startedAt",
                "completedAt",
                "startedBy",
                "progress",
            ],
        ),
        (&["logs", "first"], &["number", "afterEvent", "at", "path", "attempt", "kind", "text"]),
    ] {
        let ended = home.run(&[args, &["--json"]].concat());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
        assert_eq!(keys(&ended.json()[0]), expected, "{args:?}");
    }
    // The names in a run's view, wherever a run is shown.
    let names = [
        "runId",
        "workflowId",
        "status",
        "startedBy",
        "currentStage",
        "iteration",
        "context",
        "startedAt",
        "completedAt",
        "error",
    ];
    for args in [&["show", "first"][..], &["resume", "second"], &["cancel", "first"]] {
        let ended = home.run(&[args, &["--json"]].concat());
        if args[0] == "cancel" {
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(6), ""));
            continue;
        }
        let view = ended.json().pop().unwrap();
        assert!(names.iter().all(|name| keys(&view).contains(name)), "{args:?}: {view}");
    }
}

#[test]
fn an_error_for_programs_is_the_envelope_of_the_service() {
    let home = Home::with_stages(&[("one", "true")]);
    home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    for (args, exit, code) in [
        (&["show", "nothing"][..], 5, "not_found"),
        (&["pause", "first"], 6, "refused"),
        (&["fork", "first", "--at", "99"], 2, "no_such_point"),
        (&["new", "x", "--template", "nothing"], 5, "not_found"),
        (&["runs", "--store", "nonsense"], 2, "invalid_request"),
    ] {
        let ended = home.run(&[args, &["--json"]].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(exit), ""), "{args:?}: {ended:?}");
        let envelope: Value = serde_json::from_str(&ended.stderr).unwrap();
        assert_eq!(
            (&envelope["success"], &envelope["error"]["code"]),
            (&false.into(), &code.into()),
            "{args:?}"
        );
        // For a person it is the message alone.
        let message = format!("error: {}\n", envelope["error"]["message"].as_str().unwrap());
        assert_eq!(home.run(args).stderr, message, "{args:?}");
    }
}

#[test]
fn terminal_escapes_reach_no_terminal() {
    let home =
        Home::with_stages(&[("one", r"printf '\033]0;title\007\033[2Jboo\rrisen\342\200\256\n'; exit 1")]);
    let run = home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    let logs = home.run(&["logs", "first"]);
    let show = home.run(&["show", "first"]);
    for ended in [&run, &logs, &show] {
        let hidden = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ended.stdout.contains(hidden), "{ended:?}");
    }
    for ended in [&run, &logs] {
        assert!(ended.stdout.contains("one[0] | ␛]0;title␇␛[2Jboo\n"), "{ended:?}");
        assert!(ended.stdout.contains("one[0] | risen�\n"), "{ended:?}");
    }
    let json = home.run(&["logs", "first", "--json"]);
    assert_eq!(json.json()[0]["text"], "\u{1b}]0;title\u{7}\u{1b}[2Jboo");
    assert_eq!(json.json()[1]["text"], "risen\u{202e}");
    assert!(!json.stdout.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_not_a_failure() {
    let home = Home::with_stages(&[("one", "i=0; while [ $i -lt 4000 ]; do echo line $i; i=$((i+1)); done")]);
    for args in [
        &["run", "stages.workflow.yml", "--run-id", "first"][..],
        &["run", "stages.workflow.yml", "--json"],
        &["logs", "first"],
        &["logs", "first", "--json", "--follow"],
        &["schema", "workflow"],
    ] {
        let mut started = home.start(args);
        drop(started.stdout());
        let ended = started.wait();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
    assert_eq!(home.show("first")["status"], "completed");
}

#[test]
fn a_reader_that_stops_reading_does_not_stop_the_run() {
    let home = Home::with_stages(&[
        ("one", "i=0; while [ $i -lt 4000 ]; do echo a line to fill the pipe $i; i=$((i+1)); done"),
        ("two", "touch done"),
    ]);
    let started = home.start(&["run", "stages.workflow.yml", "--run-id", "first"]);
    until("the end of the run", || home.path("done").exists() && home.show("first")["status"] == "completed");
    let ended = started.wait();
    assert_eq!(ended.code, Some(0));
    // A line may be dropped if too many arrive at once; then an entry in its place says so.
    let dropped = |line: &str| line.split_once("] (")?.1.split_once(" entries were dropped")?.0.parse().ok();
    let said = |line: &str| usize::from(line.contains("a line to fill the pipe"));
    let counted: usize = ended.stdout.lines().map(|line| dropped(line).unwrap_or_else(|| said(line))).sum();
    assert_eq!(counted, 4000, "what was not read is still there");
}

#[test]
fn secrets_come_from_the_environment_and_show_nowhere() {
    let home = Home::new();
    home.write(
        "secret.workflow.yml",
        "workflow: { name: Secret, stages: [one] }\none:\n  env: { KEY: \"${secrets.TOKEN}\" }\n  \
         with: { command: [sh, -c, 'echo \"$KEY\" >seen; echo \"it is $KEY\"; env >environment'] }\n",
    );
    let args = ["run", "secret.workflow.yml", "--run-id", "first"];
    let run = home.command(&args).env("WORKFLOW_SECRET_TOKEN", "s3cr3t-value").output().unwrap();
    assert!(run.status.success());
    assert_eq!(home.read("seen"), "s3cr3t-value\n");
    assert!(!home.read("environment").contains("WORKFLOW_SECRET"));
    assert!(!String::from_utf8(run.stdout).unwrap().contains("s3cr3t"));
    let holds = |words: &[u8]| {
        let files = home.own_files();
        files.iter().any(|(_, bytes)| bytes.windows(words.len()).any(|window| window == words))
    };
    assert!(holds(b"it is ") && !holds(b"s3cr3t"));
    let without = home.command(&["run", "secret.workflow.yml"]).stdout(Stdio::null()).output().unwrap();
    assert_eq!(without.status.code(), Some(1));
}
