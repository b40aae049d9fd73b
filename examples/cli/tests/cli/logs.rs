//! `logs`: what providers said, as it comes.

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
        (&["--stage", "none"], &[]),
    ] {
        let shown = home.run(&[&["logs", "first", "--json"], args].concat());
        let texts: Vec<_> =
            shown.json().iter().map(|entry| entry["text"].as_str().unwrap().to_owned()).collect();
        assert_eq!(texts, expected, "{args:?}");
    }
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
fn following_goes_on_while_a_run_is_paused() {
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
