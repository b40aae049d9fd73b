//! `worker`: several processes share the runs that others leave to them.

use rustix::process::Signal;
use serde_json::Value;

use super::home::{Ended, Home, Started, lives, stable, until};
use super::postgres::Database;

/// Two stages; the first waits for the file `gate` and can be told from that of another run.
const STAGES: [(&str, &str); 2] = [
    (
        "one",
        "echo one >>trace-$WORKFLOW_RUN_ID; echo $$ >pid-$WORKFLOW_RUN_ID; touch begun-$WORKFLOW_RUN_ID; \
         until test -e gate; do sleep 0.02; done",
    ),
    ("two", "echo two >>trace-$WORKFLOW_RUN_ID"),
];

/// Calls `check` with a home on each store.
fn on_every_store(check: impl Fn(Home)) {
    let database = Database::new();
    for store in ["file:runs", "sqlite:runs.db", &database.url()] {
        check(Home::with_stages(&STAGES).on(store));
    }
}

/// Creates a run that is left to workers.
fn leave(home: &Home, run: &str) {
    let left = home.run(&["run", "stages.workflow.yml", "--run-id", run, "--detach"]);
    assert_eq!((left.code, left.stdout), (Some(0), format!("{run}\n")));
}

fn until_status(home: &Home, run: &str, status: &str) {
    until(status, || home.show(run)["status"] == status);
}

/// Asks a worker to stop, which succeeds.
fn end(worker: Started) -> Ended {
    worker.signal(Signal::TERM);
    let ended = worker.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

/// What a worker did with which run, from its machine-readable output.
fn deeds(worker: &Ended) -> Vec<(String, String)> {
    let text = |line: &Value, name: &str| line[name].as_str().unwrap().to_owned();
    worker.json().iter().map(|line| (text(line, "runId"), text(line, "what"))).collect()
}

#[test]
fn workers_share_the_runs_that_were_left_to_them() {
    on_every_store(|home| {
        let workers = [(); 2].map(|()| home.start(&["worker", "--runs", "1", "--json"]));
        let runs = ["a", "b", "c", "d"];
        for run in runs {
            leave(&home, run);
        }
        // One run at a time each: two running ones are with two workers.
        let begun = || runs.iter().filter(|run| home.path(&format!("begun-{run}")).exists()).count();
        until("two runs", || begun() == 2);
        let holders: std::collections::BTreeSet<_> = home
            .run(&["runs", "--json"])
            .json()
            .iter()
            .filter_map(|run| run["holder"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(holders.len(), 2, "{holders:?}");
        home.write("gate", "");
        for run in runs {
            until_status(&home, run, "completed");
            assert_eq!(home.read(&format!("trace-{run}")), "one\ntwo\n", "{run}");
        }
        let mut all = Vec::new();
        for worker in workers {
            let deeds = deeds(&end(worker));
            // It completes a run before it acquires the next.
            for pair in deeds.chunks(2) {
                let [(first, taken_up), (second, completed)] = pair else { panic!("{deeds:?}") };
                assert_eq!((first, &**taken_up, &**completed), (second, "taken_up", "completed"));
            }
            assert!(!deeds.is_empty());
            all.extend(deeds.into_iter().step_by(2).map(|(run, _)| run));
        }
        all.sort_unstable();
        assert_eq!(all, runs, "each by one of them");
    });
}

#[test]
fn a_worker_tells_which_runs_it_acquires_and_what_they_wait_for() {
    let home = Home::with_stages(&[
        ("one", "true"),
        (
            "two",
            "test \"$WORKFLOW_RUN_ID\" != bad || exit 3; test \"$WORKFLOW_RUN_ID\" != slow || { touch begun; sleep 600; }",
        ),
    ]);
    let worker = home.start(&["worker"]);
    for (run, status) in [("good", "completed"), ("bad", "failed")] {
        leave(&home, run);
        until_status(&home, run, status);
    }
    leave(&home, "slow");
    until("the call", || home.path("begun").exists());
    let ended = end(worker);
    stable(|| {
        insta::assert_snapshot!(ended.stdout, @"
        [time] run good of workflow stages acquired
        [time] run good completed
        [time] run bad of workflow stages acquired
        [time] run bad failed: `sh` exited with code 3 (transient)
        [time] run slow of workflow stages acquired
        [time] run slow left to other processes
        ");
        insta::assert_snapshot!(ended.stderr, @"
        working on sqlite:.orch/runs.db, on 64 runs at a time
        SIGTERM: stopping the calls, and leaving the runs to other processes
        ");
    });
}

#[test]
fn a_worker_that_is_asked_to_end_hands_its_runs_over() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT"), (Signal::HUP, "SIGHUP")] {
        on_every_store(|home| {
            leave(&home, "first");
            let worker = home.start_until(&["worker", "--json"], "begun-first");
            until("the number of the process", || home.read("pid-first").ends_with('\n'));
            worker.signal(signal);
            let ended = worker.wait();
            assert_eq!(ended.code, Some(0), "{ended:?}");
            assert!(
                ended.stderr.contains(&format!(
                    "{name}: stopping the calls, and leaving the runs to other processes\n"
                ))
            );
            assert_eq!(deeds(&ended), [("first".into(), "taken_up".into()), ("first".into(), "left".into())]);
            assert!(!lives(&home, "pid-first"));
            let [left] = home.run(&["runs", "--json"]).json().try_into().unwrap();
            assert_eq!((&left["status"], &left["holder"]), (&"running".into(), &Value::Null));

            home.write("gate", "");
            let worker = home.start(&["worker"]);
            until_status(&home, "first", "completed");
            end(worker);
            assert_eq!(home.read("trace-first"), "one\none\ntwo\n");
        });
    }
}

#[test]
fn a_worker_that_drains_lets_its_calls_end_and_makes_no_other() {
    on_every_store(|home| {
        leave(&home, "first");
        let mut worker = home.start_until(&["worker", "--json", "--drain", "10m"], "begun-first");
        worker.signal(Signal::TERM);
        worker.wait_for_stderr(
            "SIGTERM: starting no calls, and letting those under way end for at most 10m00s",
        );
        leave(&home, "second");
        assert!(lives(&home, "pid-first"));
        home.write("gate", "");
        let ended = worker.wait();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(deeds(&ended), [("first".into(), "taken_up".into()), ("first".into(), "left".into())]);
        assert_eq!(home.read("trace-first"), "one\n", "the second call was not made");
        assert_eq!(home.show("second")["status"], "pending");

        let worker = home.start(&["worker"]);
        until_status(&home, "first", "completed");
        until_status(&home, "second", "completed");
        end(worker);
        assert_eq!(home.read("trace-first"), "one\ntwo\n", "the first call was not made again");
    });
}

#[test]
fn a_worker_drains_no_longer_than_it_may() {
    for (arguments, signals) in [(["worker", "--drain", "1ms"], 1), (["worker", "--drain", "1h"], 2)] {
        let home = Home::with_stages(&STAGES);
        leave(&home, "first");
        let mut worker = home.start_until(&arguments, "begun-first");
        worker.signal(Signal::TERM);
        worker.wait_for_stderr("starting no calls");
        if signals > 1 {
            worker.signal(Signal::TERM);
        }
        assert_eq!(worker.wait().code, Some(0));
        assert!(!lives(&home, "pid-first"));
        assert_eq!(home.show("first")["status"], "running");
        assert_eq!(home.read("trace-first"), "one\n");
    }
}

#[test]
fn a_worker_that_is_asked_twice_does_not_wait_for_the_stubborn() {
    let home = Home::with_stages(&[(
        "one",
        "trap '' TERM; echo $$ >pid; touch begun; until test -e gate; do sleep 0.02; done",
    )]);
    leave(&home, "first");
    let mut worker = home.start_until(&["worker"], "begun");
    worker.signal(Signal::TERM);
    worker.wait_for_stderr("stopping the calls");
    assert!(lives(&home, "pid"));
    worker.signal(Signal::TERM);
    worker.wait_for_stderr("killing the calls");
    assert_eq!(worker.wait().code, Some(0));
    assert!(!lives(&home, "pid"));
    assert_eq!(home.show("first")["status"], "running");
}

#[test]
fn a_worker_obeys_what_other_processes_ask_for() {
    on_every_store(|home| {
        for run in ["paused", "cancelled"] {
            leave(&home, run);
        }
        let worker = home.start_until(&["worker"], "begun-paused");
        until("the other run", || home.read("pid-cancelled").ends_with('\n'));

        let cancel = home.run(&["cancel", "cancelled"]);
        assert_eq!(cancel.code, Some(0), "{cancel:?}");
        until_status(&home, "cancelled", "cancelled");
        assert!(!lives(&home, "pid-cancelled"));

        let pause = home.run(&["pause", "paused"]);
        assert!(pause.stdout.starts_with("run paused: pause requested (process "), "{pause:?}");
        until("the request", || home.show("paused")["requested"] == "pause");
        home.write("gate", "");
        until_status(&home, "paused", "paused");
        assert_eq!(home.read("trace-paused"), "one\n");

        let resume = home.run(&["resume", "paused", "--detach"]);
        assert_eq!(resume.code, Some(0), "{resume:?}");
        until_status(&home, "paused", "completed");
        assert_eq!(home.read("trace-paused"), "one\ntwo\n");
        end(worker);
    });
}

#[test]
fn the_runs_of_a_worker_that_was_killed_are_taken_over() {
    let database = Database::new();
    for store in ["file:runs", "sqlite:runs.db", &database.url()] {
        let home = Home::with_stages(&STAGES).on(store);
        leave(&home, "first");
        let killed = home.start_until(&["worker"], "begun-first");
        until("the number of the process", || home.read("pid-first").ends_with('\n'));
        std::fs::rename(home.path("pid-first"), home.path("pid-killed")).unwrap();
        killed.signal(Signal::KILL);
        killed.wait();
        assert!(lives(&home, "pid-killed"), "what it called outlives it");
        if store.starts_with("postgres:") {
            // No process can know that it is dead before its lease has expired.
            assert_eq!(home.run(&["resume", "first"]).code, Some(5));
            database.advance(31);
        }
        let worker = home.start(&["worker"]);
        until("the second call", || home.read("trace-first") == "one\none\n");
        assert!(!lives(&home, "pid-killed"), "{store}: it was stopped before the stage ran again");
        home.write("gate", "");
        until_status(&home, "first", "completed");
        end(worker);
        assert_eq!(home.read("trace-first"), "one\none\ntwo\n", "{store}");
    }
}

#[test]
fn a_worker_that_is_resumed_after_its_lease_expired_changes_nothing() {
    let database = Database::new();
    let home = Home::with_stages(&STAGES).on(&database.url());
    leave(&home, "first");
    let mut asleep = Started::of(home.command(&["worker"]).env("WORKFLOW_LOG", "info"));
    until("the number of the process", || home.read("pid-first").ends_with('\n'));
    asleep.signal(Signal::STOP);
    database.advance(31);
    let worker = home.start(&["worker"]);
    until("the second call", || home.read("trace-first") == "one\none\n");

    // Its call was stopped. It may no longer record the end of the call.
    asleep.signal(Signal::CONT);
    asleep.wait_for_stderr("the run is no longer driven here");
    home.write("gate", "");
    until_status(&home, "first", "completed");
    for worker in [asleep, worker] {
        end(worker);
    }
    assert_eq!(home.read("trace-first"), "one\none\ntwo\n");
    assert_eq!(home.show("first")["context"]["stages"]["one"]["results"][0]["attempts"], 2);
}

#[test]
fn a_worker_needs_no_definitions() {
    let home = Home::with_stages(&STAGES);
    home.write("gate", "");
    leave(&home, "first");
    std::fs::remove_file(home.path("stages.workflow.yml")).unwrap();
    let worker = home.start(&["worker", "--home", "another", "--store", "sqlite:.orch/runs.db"]);
    until_status(&home, "first", "completed");
    end(worker);
    assert!(!home.path("another").exists());
}

#[test]
fn a_worker_whose_leases_expired_continues_unclaimed_runs() {
    let database = Database::new();
    let home = Home::with_stages(&STAGES).on(&database.url());
    leave(&home, "first");
    let mut worker = home.start_until(&["worker"], "begun-first");
    database.advance(31);
    worker.wait_for_stderr("the leases of this process have expired: claiming its runs again");
    home.write("gate", "");
    until_status(&home, "first", "completed");
    // The call in progress continued.
    assert_eq!(home.read("trace-first"), "one\ntwo\n");
    end(worker);
}
