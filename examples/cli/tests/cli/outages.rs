//! Stores that are unavailable or locked for a while, and processes that are suspended for longer than a
//! lease.
#![cfg(target_os = "linux")]

use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;
use rustix::process::Signal;
use workflow_testkit::postgres::{Server, anywhere};

use super::home::{Home, Started, until};
use super::postgres::url;

/// Two lanes, each of which waits for its own file.
const LANES: &str = r#"
workflow: { name: Two lanes, stages: [lanes] }
lanes:
  mode: parallel
  providers: [{ provider: command }, { provider: command }]
  with:
    command:
      - sh
      - -c
      - 'case "$WORKFLOW_CALL" in *"[0]"*) lane=0;; *) lane=1;; esac; echo "$lane" >>calls; touch "begun-$lane"; until test -e "gate-$lane"; do sleep 0.02; done'
"#;

/// One stage that waits for the file `gate`, and one after it.
const STAGES: [(&str, &str); 2] = [
    ("one", "echo one >>trace; touch begun; until test -e gate; do sleep 0.02; done"),
    ("two", "echo two >>trace"),
];

const RUN: [&str; 4] = ["run", "stages.workflow.yml", "--run-id", "first"];

/// How long a server is down.
const DOWN: Duration = Duration::from_secs(3);

fn lanes(server: &Server) -> Home {
    let home = Home::new().on(&url(&server.url().parse().unwrap(), "postgres"));
    home.write("lanes.workflow.yml", LANES);
    home
}

fn until_both_began(home: &Home) {
    until("both calls have begun", || home.path("begun-0").exists() && home.path("begun-1").exists());
}

/// Stops the server, lets one of two calls end meanwhile, and starts the server again.
fn server_is_down_when_a_call_ends(home: &Home, server: &mut Server, driver: &mut Started) {
    until_both_began(home);
    server.stop().unwrap();
    home.write("gate-0", "");
    driver.wait_for_stderr("the store is unavailable: trying again");
    sleep(DOWN);
    server.go_on().unwrap();
    home.write("gate-1", "");
}

/// No call was made again.
fn each_call_was_made_once(home: &Home) {
    let mut calls: Vec<_> = home.read("calls").lines().map(str::to_owned).collect();
    calls.sort();
    assert_eq!(calls, ["0", "1"]);
}

#[test]
fn a_run_in_the_foreground_survives_a_server_that_is_down_for_a_while() {
    let mut server = Server::start(&anywhere(), false).unwrap();
    let home = lanes(&server);
    let mut run = home.start(&["run", "lanes.workflow.yml", "--run-id", "first"]);
    server_is_down_when_a_call_ends(&home, &mut server, &mut run);
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    each_call_was_made_once(&home);
    assert_eq!(home.show("first")["status"], "completed");
}

#[test]
fn a_worker_waits_for_a_server_that_is_down_when_it_starts_and_survives_one_that_is_down_later() {
    let mut server = Server::start(&anywhere(), false).unwrap();
    let home = lanes(&server);
    let left = home.run(&["run", "lanes.workflow.yml", "--run-id", "first", "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    server.stop().unwrap();
    let mut worker = home.start(&["worker"]);
    worker.wait_for_stderr("waiting until");
    server.go_on().unwrap();
    server_is_down_when_a_call_ends(&home, &mut server, &mut worker);
    until("the run is completed", || {
        let shown = home.run(&["show", "first", "--json"]);
        shown.stdout.contains(r#""status":"completed""#)
    });
    each_call_was_made_once(&home);
    worker.signal(Signal::TERM);
    let ended = worker.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Another connection to the database of the home.
fn connect(home: &Home) -> Connection {
    let connection = Connection::open(home.path("runs.db")).unwrap();
    connection.busy_timeout(Duration::from_millis(500)).unwrap();
    connection
}

/// Suspends a process for so long that its lease expires, but not in the middle of a write, which would lock
/// the database for all others.
fn suspend_for_longer_than_a_lease(home: &Home, run: &Started) {
    loop {
        run.signal(Signal::STOP);
        // As if the time had passed.
        if connect(home).execute("UPDATE holder SET expires = 0", []).is_ok() {
            return;
        }
        run.signal(Signal::CONT);
    }
}

#[test]
fn a_run_that_was_suspended_for_longer_than_its_lease_and_not_claimed_continues() {
    let home = Home::with_stages(&STAGES).on("sqlite:runs.db");
    let run = home.start_until(&RUN, "begun");
    suspend_for_longer_than_a_lease(&home, &run);
    run.signal(Signal::CONT);
    home.write("gate", "");
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(home.read("trace"), "one\ntwo\n", "its call continued");
}

#[test]
fn a_run_that_was_taken_over_meanwhile_says_by_whom_and_how_to_follow_it() {
    let home = Home::with_stages(&STAGES).on("sqlite:runs.db");
    let run = home.start_until(&RUN, "begun");
    suspend_for_longer_than_a_lease(&home, &run);
    let worker = home.start(&["worker"]);
    until("the worker has started the call again", || home.read("trace") == "one\none\n");
    run.signal(Signal::CONT);
    let ended = run.wait();
    assert_eq!(ended.code, Some(5), "{ended:?}");
    let by = format!("run `first` was taken over by process {} ", worker.id());
    assert!(ended.stderr.contains(&by), "{}", ended.stderr);
    assert!(ended.stderr.contains("`workflow logs first --follow`"), "{}", ended.stderr);
    home.write("gate", "");
    until("the worker ends the run", || home.show("first")["status"] == "completed");
    assert_eq!(home.read("trace"), "one\none\ntwo\n");
    worker.signal(Signal::TERM);
    assert_eq!(worker.wait().code, Some(0));
}

/// Longer than a store waited for others before it abandoned a run, and shorter than a lease.
const LOCKED: Duration = Duration::from_secs(16);

#[test]
fn a_database_that_others_lock_for_nearly_as_long_as_a_lease_costs_nothing() {
    let home = Home::with_stages(&STAGES).on("sqlite:runs.db");
    let run = home.start_until(&RUN, "begun");
    let blocker = connect(&home);
    until("no other process writes", || blocker.execute_batch("BEGIN IMMEDIATE").is_ok());
    home.write("gate", "");
    sleep(LOCKED);
    blocker.execute_batch("ROLLBACK").unwrap();
    let ended = run.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(home.read("trace"), "one\ntwo\n");
}
