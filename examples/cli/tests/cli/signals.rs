//! Ctrl-C, SIGTERM and SIGHUP while a run is driven in the foreground.

use rustix::process::Signal;

use super::home::{Home, lives, until};

const RUN: [&str; 4] = ["run", "stages.workflow.yml", "--run-id", "first"];

/// A stage that ends well when it is asked to stop.
const POLITE: &str = "trap 'echo asked >asked; exit 0' TERM; echo $$ >pid; touch begun; until test -e gate; do sleep 0.02; done";
/// A stage that does not.
const STUBBORN: &str = "trap '' TERM; echo $$ >pid; touch begun; until test -e gate; do sleep 0.02; done";

#[test]
fn an_interrupt_cancels_the_run() {
    let home = Home::with_stages(&[("one", POLITE), ("two", "touch two")]);
    let run = home.start_until(&RUN, "begun");
    run.signal(Signal::INT);
    let ended = run.wait();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(ended.stderr, "cancelling; press Ctrl-C again to kill what runs\n");
    assert_eq!(home.read("asked"), "asked\n");
    assert!(!home.path("two").exists());
    assert_eq!(home.events("first").last().unwrap(), "run_cancelled");
}

#[test]
fn a_second_interrupt_kills_what_does_not_stop() {
    let home = Home::with_stages(&[("one", STUBBORN)]);
    let mut run = home.start_until(&RUN, "begun");
    run.signal(Signal::INT);
    run.wait_for_stderr("cancelling");
    until("the request", || home.events("first").contains(&"cancel_requested".to_owned()));
    assert!(lives(&home, "pid"));
    run.signal(Signal::INT);
    assert_eq!(run.wait().code, Some(3));
    assert!(!lives(&home, "pid"));
    let log = home.log("first");
    assert!(log.iter().any(|event| event["data"]["at_once"] == true), "{log:?}");
}

#[test]
fn a_request_to_end_leaves_the_run_to_be_recovered() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let home = Home::with_stages(&[("one", POLITE), ("two", "touch two")]);
        let run = home.start_until(&RUN, "begun");
        run.signal(signal);
        let ended = run.wait();
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert_eq!(ended.stderr.lines().last(), Some("run first was left: `workflow recover` goes on"));
        assert!(!lives(&home, "pid"));
        assert_eq!(home.show("first")["status"], "running");
        assert!(!home.path("two").exists());

        home.write("gate", "");
        assert_eq!(home.run(&["recover"]).code, Some(0));
        assert!(home.path("two").exists());
        assert_eq!(home.show("first")["context"]["stages"]["one"]["results"][0]["attempts"], 2);
    }
}

#[test]
fn a_second_request_to_end_does_not_wait_for_the_stubborn() {
    let home = Home::with_stages(&[("one", STUBBORN)]);
    let mut run = home.start_until(&RUN, "begun");
    run.signal(Signal::TERM);
    run.wait_for_stderr("stopping what runs");
    run.signal(Signal::TERM);
    assert_eq!(run.wait().code, Some(143));
    assert!(!lives(&home, "pid"));
}

#[test]
fn an_interrupt_of_a_recovery_cancels_all_that_it_drives() {
    let home = Home::with_stages(&[(
        "one",
        "touch begun-\"$WORKFLOW_RUN_ID\"; until test -e gate; do sleep 0.02; done",
    )]);
    for id in ["a", "b"] {
        let run = home.start_until(&["run", "stages.workflow.yml", "--run-id", id], &format!("begun-{id}"));
        run.signal(Signal::KILL);
        run.wait();
        std::fs::remove_file(home.path(&format!("begun-{id}"))).unwrap();
    }
    let recover = home.start_until(&["recover"], "begun-a");
    until("the other run", || home.path("begun-b").exists());
    recover.signal(Signal::INT);
    assert_eq!(recover.wait().code, Some(3));
    for id in ["a", "b"] {
        assert_eq!(home.show(id)["status"], "cancelled");
    }
}
