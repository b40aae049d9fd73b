//! `logs`: follows the output of providers.

use super::home::{Home, line, stable, until};

#[test]
fn what_was_said_is_shown_by_stage_and_stream() {
    let home = Home::with_stages(&[("one", "echo out; sleep 0.05; echo err >&2"), ("two", "echo more")]);
    home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    stable(|| {
        insta::assert_snapshot!(home.run(&["logs", "first"]).stdout, @r"
    [time] one[0] | out
    [time] one[0] ! err
    [time] two[0] | more
    ");
    });
    for (args, expected) in [
        (&["--stage", "one"][..], &["out", "err"][..]),
        (&["--stage", "two"], &["more"]),
        (&["--stream", "stderr"], &["err"]),
        (&["--stage", "one", "--stream", "stdout"], &["out"]),
        (&["--tail", "2"], &["err", "more"]),
        (&["--tail", "1", "--stage", "one"], &["err"]),
        (&["--tail", "0"], &[]),
        (&["--since", "1h"], &["out", "err", "more"]),
        (&["--since", "2999-01-01"], &[]),
        (&["--failed"], &[]),
        (&["--level", "warn"], &["err"]),
        (&["--level", "info"], &["out", "err", "more"]),
        (&["--search", "OR"], &["more"]),
        (&["--search", "r", "--level", "warn"], &["err"]),
    ] {
        let shown = home.run(&[&["logs", "first", "--json"], args].concat());
        let texts: Vec<_> =
            shown.json().iter().map(|entry| entry["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(texts, expected, "{args:?}");
    }
}

#[test]
fn a_stage_that_the_run_does_not_have_is_an_error() {
    let home = Home::with_stages(&[("one", "echo out"), ("two", "echo more")]);
    home.run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    for args in [&["--stage", "tow"][..], &["--stage", "tow", "--follow"], &["--stage", "tow", "--json"]] {
        let refused = home.run(&[&["logs", "first"], args].concat());
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
        assert!(refused.stderr.contains("did you mean `two`? (it has: one, two)"), "{refused:?}");
    }
    assert_eq!(home.run(&["logs", "first", "--since", "yesterday"]).code, Some(2));
}

#[test]
fn what_failed_attempts_said_is_shown_alone() {
    let home = Home::new();
    home.write(
        "retried.yml",
        "workflow: { name: Retried, stages: [one, two] }\n\
         one: { with: { command: [sh, -c, 'echo fine'] } }\n\
         two: { on_failure: retry, retries: 1, with: { command: [sh, -c, 'echo try; test -e tried || { touch tried; \
         echo broken >&2; exit 1; }'] } }\n",
    );
    assert_eq!(home.run(&["run", "retried.yml", "--run-id", "first"]).code, Some(0));
    let shown = home.run(&["logs", "first", "--failed", "--json"]);
    let said: Vec<_> =
        shown.json().iter().map(|entry| (entry["attempt"].clone(), entry["text"].clone())).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said.contains(&(1.into(), "try".into())) && said.contains(&(1.into(), "broken".into())),
        "{said:?}"
    );
}

#[test]
fn following_can_begin_with_the_last_lines() {
    let home = Home::with_stages(&[(
        "one",
        "echo before; echo last; touch begun; until test -e gate; do sleep 0.02; done; echo after",
    )]);
    let run = home.start_until(&["run", "stages.workflow.yml", "--run-id", "first"], "begun");
    until("the output", || home.run(&["logs", "first"]).stdout.lines().count() == 2);
    let mut follower = home.start(&["logs", "first", "--follow", "--tail", "1"]);
    let mut lines = follower.stdout();
    assert!(line(&mut lines).ends_with(" one[0] | last\n"));
    home.write("gate", "");
    assert!(line(&mut lines).ends_with(" one[0] | after\n"));
    assert_eq!(follower.wait().code, Some(0));
    assert_eq!(run.wait().code, Some(0));
}

#[test]
fn following_shows_lines_as_they_come_and_ends_with_the_run() {
    let home = Home::with_stages(&[
        ("one", "echo before; touch begun; until test -e gate; do sleep 0.02; done; echo after"),
        ("two", "echo last"),
    ]);
    let run = home.start_until(&["run", "stages.workflow.yml", "--run-id", "first"], "begun");
    let mut follower = home.start(&["logs", "first", "--follow"]);
    let mut lines = follower.stdout();
    assert!(line(&mut lines).ends_with(" one[0] | before\n"));
    home.write("gate", "");
    assert!(line(&mut lines).ends_with(" one[0] | after\n"));
    assert!(line(&mut lines).ends_with(" two[0] | last\n"));
    assert_eq!(line(&mut lines), "");
    assert_eq!(follower.wait().code, Some(0));
    assert_eq!(run.wait().code, Some(0));
}

#[test]
fn following_continues_while_a_run_is_paused() {
    let home = Home::with_stages(&[
        ("one", "touch begun; until test -e gate; do sleep 0.02; done; echo one"),
        ("two", "echo two"),
    ]);
    let run = home.start_until(&["run", "stages.workflow.yml", "--run-id", "first"], "begun");
    let mut follower = home.start(&["logs", "first", "--follow"]);
    let mut lines = follower.stdout();
    home.run(&["pause", "first"]);
    home.write("gate", "");
    assert!(line(&mut lines).ends_with(" one[0] | one\n"));
    assert_eq!(run.wait().code, Some(4));
    until("the pause", || home.show("first")["status"] == "paused");
    assert_eq!(home.run(&["resume", "first"]).code, Some(0));
    assert!(line(&mut lines).ends_with(" two[0] | two\n"));
    assert_eq!(follower.wait().code, Some(0));
}

#[test]
fn states_of_a_progress_line_are_shown_as_they_come() {
    let home = Home::with_stages(&[(
        "one",
        "printf '10%%\\r'; touch begun; until test -e gate; do sleep 0.02; done; printf '20%%\\r\\ndone\\n'",
    )]);
    let run = home.start_until(&["run", "stages.workflow.yml", "--run-id", "first"], "begun");
    let mut follower = home.start(&["logs", "first", "--follow"]);
    let mut lines = follower.stdout();
    assert!(line(&mut lines).ends_with(" one[0] | 10%\n"));
    home.write("gate", "");
    assert!(line(&mut lines).ends_with(" one[0] | 20%\n"));
    assert!(line(&mut lines).ends_with(" one[0] | done\n"));
    assert_eq!(run.wait().code, Some(0));
    assert_eq!(home.show("first")["context"]["stages"]["one"]["output"], "10%\r20%\r\ndone");
}
