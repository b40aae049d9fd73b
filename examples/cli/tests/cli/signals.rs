//! Ctrl-C, SIGTERM and SIGHUP while a run is driven in the foreground.

use rustix::process::Signal;

use super::home::{Home, Started, lives, until};

const RUN: [&str; 4] = ["run", "stages.workflow.yml", "--run-id", "first"];

/// A stage that exits with success when it is asked to stop.
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
    assert_eq!(ended.stderr, "cancelling; press Ctrl-C again to kill the calls\n");
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
        assert_eq!(
            ended.stderr.lines().last(),
            Some("run first was left unfinished: `workflow recover` resumes it")
        );
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
    run.wait_for_stderr("stopping the calls");
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

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    for (name, signal) in [("HUP", Signal::HUP), ("INT", Signal::INT)] {
        let home = Home::with_stages(&[("one", POLITE), ("two", "touch two")]);
        let program = home.command(&RUN);
        let environment = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
        let mut shell = std::process::Command::new("/bin/sh");
        shell.current_dir(home.path("")).env_clear().envs(environment);
        shell.arg("-c").arg(format!("trap '' {name}; exec \"$0\" \"$@\""));
        shell.arg(program.get_program()).args(program.get_args());
        let run = Started::of(&mut shell);
        until("the call", || home.path("begun").exists());
        run.signal(signal);
        home.write("gate", "");
        let ended = run.wait();
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        assert!(!home.path("asked").exists(), "{name}");
        assert!(home.path("two").exists(), "{name}");
    }
}

#[test]
fn a_quit_kills_what_runs_at_once() {
    let home = Home::with_stages(&[("one", STUBBORN)]);
    let run = home.start_until(&RUN, "begun");
    run.signal(Signal::QUIT);
    let ended = run.wait();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(ended.stderr, "killing the calls\n");
    assert!(!lives(&home, "pid"));
}

/// In a container the program may be process 1, which becomes the parent of all orphans.
#[cfg(target_os = "linux")]
#[test]
fn orphans_are_reaped_where_the_program_is_the_first_process() {
    const ORPHAN: &str = "(sleep 100 & echo $! >orphan); echo $$ >pid";
    const NO_ZOMBIES: &str = "n=0; while grep -q '^State:.Z' /proc/[0-9]*/status 2>/dev/null; do n=$((n+1)); \
                              test $n -lt 200 || exit 1; sleep 0.02; done; test -e /proc/1";
    let home = Home::with_stages(&[("one", ORPHAN), ("two", NO_ZOMBIES)]);
    let program = home.command(&RUN);
    let mut apart = std::process::Command::new("unshare");
    let environment = program.get_envs().filter_map(|(name, value)| Some((name, value?)));
    apart.current_dir(home.path("")).env_clear().envs(environment);
    if !rustix::process::geteuid().is_root() {
        apart.args(["--user", "--map-root-user"]);
    }
    apart.args(["--pid", "--fork", "--mount-proc"]).arg(program.get_program()).args(program.get_args());
    let ended = Started::of(&mut apart).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("run completed"), "{ended:?}");
}
