//! `pause`, `resume`, `cancel` and `recover`, from other processes than the one that drives.

use rustix::process::Signal;

use super::home::{Home, lives, stable, until};

/// Two stages, of which the first waits for the file `gate`.
fn gated() -> Home {
    Home::with_stages(&[
        ("one", "echo one >>trace; echo $$ >pid; touch begun; until test -e gate; do sleep 0.02; done"),
        ("two", "echo two >>trace"),
    ])
}

const RUN: [&str; 4] = ["run", "stages.workflow.yml", "--run-id", "first"];

#[test]
fn a_run_is_paused_and_resumed_from_other_processes() {
    let home = gated();
    let run = home.start_until(&RUN, "begun");
    let pause = home.run(&["pause", "first"]);
    assert_eq!(pause.code, Some(0));
    stable(|| insta::assert_snapshot!(pause.stdout, @"run first: pause requested ([process] drives it)"));
    until("the request", || home.show("first")["requested"] == "pause");
    home.write("gate", "");
    let paused = run.wait();
    assert_eq!(paused.code, Some(4), "{paused:?}");
    insta::assert_snapshot!(paused.stderr, @"run first is paused: `workflow resume first` resumes it");
    assert_eq!(home.show("first")["status"], "paused");
    assert_eq!(home.read("trace"), "one\n");

    // Paused is not crashed.
    let recover = home.run(&["recover"]);
    assert_eq!((recover.code, recover.stderr.as_str()), (Some(0), "no runs to recover\n"));
    assert_eq!(home.run(&["pause", "first"]).stdout, "run first is paused\n");

    let resumed = home.run(&["resume", "first"]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    stable(|| {
        insta::assert_snapshot!(resumed.stdout, @r"
    [time] run resumed by ann (terminal)
    [time] two started
    [time] two[0] calls command
    [time] two[0] succeeded after [took]
    [time] two completed
    [time] run completed after [took]
    ");
    });
    assert_eq!(home.read("trace"), "one\ntwo\n");
}

#[test]
fn a_run_is_cancelled_from_another_process_with_all_its_processes() {
    let home = gated();
    let run = home.start_until(&RUN, "begun");
    until("the number of the process", || home.read("pid").ends_with('\n'));
    assert!(lives(&home, "pid"));
    let cancel = home.run(&["cancel", "first", "--json"]);
    assert_eq!((cancel.code, cancel.json().len()), (Some(0), 1));
    assert_eq!(run.wait().code, Some(3));
    assert!(!lives(&home, "pid"));
    assert_eq!(home.show("first")["status"], "cancelled");
    assert_eq!(home.run(&["cancel", "first"]).stdout, "run first is cancelled\n");
    assert_eq!(home.run(&["resume", "first"]).code, Some(3));
}

#[test]
fn a_run_that_no_process_drives_is_cancelled_by_the_caller() {
    let home = gated();
    let run = home.start_until(&RUN, "begun");
    until("the number of the process", || home.read("pid").ends_with('\n'));
    run.signal(Signal::KILL);
    assert_eq!(run.wait().code, None);
    assert!(lives(&home, "pid"), "its process outlives a host that was killed");
    let cancel = home.run(&["cancel", "first"]);
    assert_eq!((cancel.code, cancel.stdout.as_str()), (Some(0), "run first is cancelled\n"));
    assert!(!lives(&home, "pid"));
}

#[test]
fn a_run_that_no_process_drives_is_paused_by_the_caller_and_not_recovered() {
    let home = gated();
    let run = home.start_until(&RUN, "begun");
    run.signal(Signal::KILL);
    run.wait();
    assert_eq!(home.run(&["pause", "first"]).stdout, "run first is paused\n");
    assert_eq!(home.run(&["recover"]).stderr, "no runs to recover\n");
    home.write("gate", "");
    assert_eq!(home.run(&["resume", "first"]).code, Some(0));
    assert_eq!(home.read("trace"), "one\none\ntwo\n", "the interrupted stage ran again");
}

#[test]
fn two_processes_never_drive_one_run() {
    let home = gated();
    let run = home.start_until(&RUN, "begun");
    let refused = [&["resume", "first"][..], &RUN].map(|args| home.run(args));
    assert_eq!(refused[0].stderr, refused[1].stderr);
    assert_eq!(refused.each_ref().map(|ended| ended.code), [Some(5), Some(5)]);
    stable(
        || insta::assert_snapshot!(refused[0].stderr, @"error: run `first` is driven elsewhere ([process])"),
    );
    // A run that is driven is not recovered.
    assert_eq!(home.run(&["recover"]).stderr, "no runs to recover\n");
    home.write("gate", "");
    assert_eq!(run.wait().code, Some(0));
    assert_eq!(home.read("trace"), "one\ntwo\n");
}

#[test]
fn a_pause_that_has_not_come_about_is_taken_back() {
    let home = gated();
    let run = home.start_until(&RUN, "begun");
    home.run(&["pause", "first"]);
    until("the request", || home.show("first")["requested"] == "pause");
    let resumed = home.run(&["resume", "first"]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    stable(|| insta::assert_snapshot!(resumed.stderr, @"run first: resumed ([process] drives it)"));
    until("the resumption", || home.events("first").contains(&"run_resumed".to_owned()));
    home.write("gate", "");
    assert_eq!(run.wait().code, Some(0));
}

#[test]
fn a_request_that_the_driver_does_not_decide_on_is_recorded_and_exits_with_7() {
    let home = gated();
    let run = home.start_until(&RUN, "begun");
    // A suspended process decides nothing.
    run.signal(Signal::STOP);
    let pause = home.run(&["pause", "first"]);
    assert_eq!(pause.code, Some(7), "{pause:?}");
    stable(|| {
        insta::assert_snapshot!(pause.stdout, @"run first: the request is recorded, and its driver has not decided on it yet ([process] drives it)");
    });
    run.signal(Signal::CONT);
    until("the request", || home.show("first")["requested"] == "pause");
    home.write("gate", "");
    assert_eq!(run.wait().code, Some(4));
}

#[test]
fn a_run_that_is_being_cancelled_elsewhere_refuses_to_be_resumed() {
    let home =
        Home::with_stages(&[("one", "trap '' TERM; touch begun; until test -e gate; do sleep 0.02; done")]);
    let run = home.start_until(&RUN, "begun");
    assert_eq!(home.run(&["cancel", "first"]).code, Some(0));
    let resumed = home.run(&["resume", "first"]);
    assert_eq!(resumed.code, Some(6), "{resumed:?}");
    assert_eq!(resumed.stderr, "error: run `first`: the run is being cancelled\n");
    home.write("gate", "");
    assert_eq!(run.wait().code, Some(3));
}

#[test]
fn unfinished_runs_are_recovered_together_and_the_worst_counts() {
    let home = Home::with_stages(&[
        ("one", "touch begun-\"$WORKFLOW_RUN_ID\"; until test -e gate; do sleep 0.02; done"),
        ("two", "test \"$WORKFLOW_RUN_ID\" = good"),
    ]);
    for id in ["good", "bad"] {
        let args = ["run", "stages.workflow.yml", "--run-id", id];
        let run = home.start_until(&args, &format!("begun-{id}"));
        run.signal(Signal::KILL);
        run.wait();
    }
    assert_eq!(home.run(&["runs", "--status", "running", "--json"]).json().len(), 2);
    home.write("gate", "");
    let recovered = home.run(&["recover"]);
    assert_eq!(recovered.code, Some(1), "{recovered:?}");
    for expected in ["good ", "bad "] {
        let lines: Vec<_> = recovered.stdout.lines().filter(|line| line.starts_with(expected)).collect();
        assert!(lines.iter().any(|line| line.ends_with("was interrupted in attempt 1")), "{lines:?}");
    }
    assert_eq!(home.show("good")["status"], "completed");
    assert_eq!(home.show("bad")["status"], "failed");
    assert_eq!(home.run(&["recover"]).code, Some(0));
}

#[test]
fn programs_get_the_runs_that_were_recovered() {
    let home = gated();
    let run = home.start_until(&RUN, "begun");
    run.signal(Signal::KILL);
    run.wait();
    home.write("gate", "");
    let recovered = home.run(&["recover", "--json"]);
    let [view] = recovered.json().try_into().unwrap();
    assert_eq!((&view["runId"], &view["status"]), (&"first".into(), &"completed".into()));
}

#[test]
fn what_users_do_with_a_run_is_shown_with_their_names() {
    let home = Home::with_stages(&[("one", "echo one >>trace")]);
    let run = |user: &str, args: &[&str]| -> String {
        let output = home.command(args).env("USER", user).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?} {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run("ann", &["run", "stages.workflow.yml", "--run-id", "first", "--detach"]);
    run("bob", &["pause", "first"]);
    assert!(run("cid", &["show", "first"]).contains("paused by bob (terminal)"));
    assert!(run("cid", &["runs"]).contains("by bob (terminal)"));
    run("cid", &["resume", "first", "--detach"]);
    // Names can be anything.
    run("e\u{1b}[2Jve\u{202e}", &["cancel", "first"]);
    let shown = run("cid", &["show", "first"]);
    assert!(shown.contains("by ann (terminal)"), "{shown}");
    assert!(shown.contains("cancelled by e\u{241b}[2Jve\u{fffd} (terminal)"), "{shown}");
    let events = run("cid", &["events", "first"]);
    for line in [
        "run first of workflow stages, started by ann (terminal)",
        "a pause was requested by bob (terminal)",
        "run resumed by cid (terminal)",
        "run is being cancelled by e\u{241b}[2Jve\u{fffd} (terminal)",
    ] {
        assert!(events.contains(line), "{line} is missing: {events}");
    }
    assert!(!events.contains(['\u{1b}', '\u{202e}']) && !shown.contains(['\u{1b}', '\u{202e}']));
    assert_eq!(home.show("first")["startedBy"], serde_json::json!({ "id": "ann", "via": "terminal" }));
}
