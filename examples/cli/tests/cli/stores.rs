//! Where runs are kept: the same commands with every store, and which store is selected.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::home::{Home, stable, until};
use super::postgres::Database;

/// A stage with output, and one that runs as soon as there is a `gate`.
const STAGES: [(&str, &str); 2] =
    [("one", "echo said"), ("two", "touch begun; until test -e gate; do sleep 0.02; done")];

#[test]
fn every_command_does_the_same_on_every_store() {
    let database = Database::new();
    let postgres = database.url();
    let transcripts = ["file:runs", "sqlite:runs.db", &postgres].map(transcript);
    for transcript in &transcripts {
        stable(|| insta::assert_snapshot!("every_command", transcript));
    }
}

/// The output of the commands, one after the other, with a new store.
fn transcript(store: &str) -> String {
    let home = Home::with_stages(&STAGES).on(store);
    let mut told = String::new();
    let mut tell = |args: &[&str]| {
        let ended = home.run(args);
        let code = ended.code.unwrap();
        writeln!(told, "$ workflow {}", args.join(" ")).unwrap();
        for line in ended.stdout.lines().chain(ended.stderr.lines()) {
            writeln!(told, "{line}").unwrap();
        }
        if code != 0 {
            writeln!(told, "exit code {code}").unwrap();
        }
    };
    let leave = |run| ["run", "stages.workflow.yml", "--run-id", run, "--detach"];
    tell(&leave("paused"));
    tell(&["runs"]);
    tell(&["pause", "paused"]);
    tell(&["show", "paused"]);
    tell(&["resume", "paused", "--detach"]);
    tell(&leave("cancelled"));
    tell(&["cancel", "cancelled"]);
    tell(&["resume", "cancelled", "--detach"]);

    let driver = home.start_until(&["recover"], "begun");
    tell(&["pause", "paused"]);
    tell(&["resume", "paused", "--detach"]);
    home.write("gate", "");
    assert_eq!(driver.wait().code, Some(0));
    tell(&["logs", "paused"]);
    tell(&["recover"]);

    tell(&leave("recovered"));
    tell(&["recover"]);
    tell(&leave("resumed"));
    tell(&["pause", "resumed"]);
    tell(&["resume", "resumed"]);
    tell(&["run", "stages.workflow.yml", "--run-id", "driven"]);
    tell(&["show", "driven"]);
    tell(&["logs", "driven", "--follow"]);
    tell(&["show", "missing"]);

    tell(&["run", "stages.workflow.yml", "--run-id", "asked", "--interactive"]);
    tell(&["answer", "asked"]);
    tell(&["answer", "asked", "--approve"]);
    tell(&["answer", "asked", "--reject", "--comment", "enough"]);
    tell(&["fork", "driven", "--at", "two", "--output", "one=other", "--set", "x:=1", "--run-id", "forked"]);
    tell(&["rerun", "asked", "--from", "two", "--run-id", "again"]);
    tell(&["show", "again"]);
    tell(&["answer", "again", "--approve", "--detach"]);
    tell(&["migrate", "driven"]);
    tell(&["recover"]);

    tell(&leave("worked"));
    let worker = home.start(&["worker"]);
    until("the end of the run", || home.show("worked")["status"] == "completed");
    worker.signal(Signal::TERM);
    assert_eq!(worker.wait().code, Some(0));
    tell(&["runs"]);
    told
}

#[test]
fn without_a_word_a_new_home_has_a_database() {
    let home = Home::with_stages(&[("one", "true")]);
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--run-id", "first"]).code, Some(0));
    assert!(home.path(".orch/runs.db").is_file() && !home.path(".orch/runs").exists());
    let [run] = home.run(&["--store", "sqlite:.orch/runs.db", "runs", "--json"]).json().try_into().unwrap();
    assert_eq!(run["runId"], "first");
}

#[test]
fn a_home_with_runs_in_files_stays_with_them() {
    let home = Home::with_stages(&[("one", "true")]);
    let ids = |args: &[&str]| {
        let listed = home.run(&[args, &["runs", "--json"]].concat());
        let ids =
            listed.json().iter().map(|run| run["runId"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        (ids.join(" "), listed.stderr)
    };
    let run = |id| ["run", "stages.workflow.yml", "--run-id", id];
    home.run(&[&["--store", "file:.orch"], &run("old")[..]].concat());
    assert_eq!(home.run(&run("new")).code, Some(0));
    assert_eq!(ids(&[]), ("old new".to_owned(), String::new()));
    assert!(!home.path(".orch/runs.db").exists());

    // Once the user has named the database, it is selected; the files are still found.
    home.run(&[&["--store", "sqlite:.orch/runs.db"], &run("newer")[..]].concat());
    let hint = "note: this home has runs in files too, beside those in .orch/runs.db: use `--store file:.orch` for them\n";
    assert_eq!(ids(&[]), ("newer".to_owned(), hint.to_owned()));
    assert_eq!(ids(&["--store", "file:.orch"]), ("old new".to_owned(), String::new()));
}

#[test]
fn a_home_whose_files_cannot_be_looked_at_is_not_taken_for_an_empty_one() {
    let home = Home::with_stages(&[("one", "true")]);
    fs::create_dir_all(home.path(".orch")).unwrap();
    // A link to itself: an error for every user, including root.
    std::os::unix::fs::symlink("runs", home.path(".orch/runs")).unwrap();
    let refused = home.run(&["run", "stages.workflow.yml"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert!(refused.stderr.starts_with("error: .orch/runs: "), "{refused:?}");
    assert!(!home.path(".orch/runs.db").exists());
}

#[test]
fn a_store_that_makes_no_sense_or_is_not_there_is_refused_without_its_password() {
    let home = Home::with_stages(&[("one", "true")]);
    home.write("text.db", "no database");
    let mut told = String::new();
    for url in [
        "",
        "runs.db",
        "mysql://ann:s3cret@db/runs",
        "sqlit:runs.db",
        "sqlite:",
        "sqlite::memory:",
        "sqlite://runs.db",
        "file:",
        "postgres:",
        "postgres:ann:s3cret@db/runs",
        "postgres://ann:s3@cret@db/runs",
        "postgres://ann:s3/cret@db/runs",
        "postgres://ann:s3cret@127.0.0.1:port/runs",
        "postgres://ann:s3cret@127.0.0.1:1/runs",
        "sqlite:missing.db",
        "file:missing",
        "sqlite:text.db",
        "sqlite:.",
    ] {
        for args in [&["--store", url, "runs"][..], &["runs"]] {
            let mut command = home.command(args);
            if args.len() == 1 {
                command.env("WORKFLOW_STORE", url);
            }
            let output = command.output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert!(!stderr.contains("s3") && output.stdout.is_empty(), "{url}: {stderr}");
            let line = format!("{url}\n  {} {stderr}", output.status.code().unwrap());
            // Both notations are equal.
            if !told.ends_with(&line) {
                told += &line;
            }
        }
    }
    let place = home.path("").canonicalize().unwrap();
    let told = told.replace(place.to_str().unwrap(), "[here]");
    insta::assert_snapshot!(told);
}

#[test]
fn a_store_matters_to_no_command_that_touches_no_run() {
    let home = Home::new().on("nonsense");
    for args in [&["init"][..], &["list"], &["templates"], &["validate", "hello"], &["schema", "workflow"]] {
        assert_eq!(home.run(args).code, Some(0), "{args:?}");
    }
}

#[test]
fn the_url_of_the_store_reaches_no_command_line_of_a_stage() {
    let home = Home::with_stages(&[("one", "env >environment")]).on("sqlite:runs.db");
    assert_eq!(home.run(&["run", "stages.workflow.yml"]).code, Some(0));
    let environment = home.read("environment");
    assert!(environment.contains("WORKFLOW_CALL") && !environment.contains("runs.db"), "{environment}");
}

#[test]
fn a_run_whose_process_was_killed_is_resumed_at_once_on_one_machine() {
    for store in ["file:runs", "sqlite:runs.db"] {
        let home = Home::with_stages(&STAGES).on(store);
        let run = home.start_until(&["run", "stages.workflow.yml", "--run-id", "first"], "begun");
        run.signal(Signal::KILL);
        run.wait();
        home.write("gate", "");
        // A lease of its process that was still valid would be an error here.
        let resumed = home.run(&["resume", "first"]);
        assert_eq!(resumed.code, Some(0), "{store}: {resumed:?}");
        assert_eq!(home.show("first")["context"]["stages"]["two"]["results"][0]["attempts"], 2, "{store}");
    }
}

#[test]
fn a_store_that_is_deleted_under_a_run_ends_it_with_an_error() {
    for (store, files) in [("file:runs", "runs"), ("sqlite:runs.db", "runs.db*")] {
        let home = Home::with_stages(&[("one", &format!("rm -rf {files}")), ("two", "touch two")]).on(store);
        let ended = home.run(&["run", "stages.workflow.yml", "--run-id", "deleted"]);
        assert_ne!(ended.code, Some(0), "{store}: {}", ended.stdout);
        assert!(ended.stderr.contains("was deleted"), "{store}: {}", ended.stderr);
        assert!(!ended.stdout.contains("run completed"), "{store}: {}", ended.stdout);
        assert!(!home.path("two").exists(), "{store}");
    }
}

#[test]
fn the_status_of_every_store_tells_what_it_has() {
    let database = Database::new();
    for store in ["file:runs", "sqlite:runs.db", &database.url()] {
        let home = Home::with_stages(&[("one", "true")]).on(store);
        for run in ["done", "left"] {
            let left: &[&str] = if run == "left" { &["--detach"] } else { &[] };
            let args = [&["run", "stages.workflow.yml", "--run-id", run][..], left].concat();
            assert_eq!(home.run(&args).code, Some(0));
        }
        let [found] = home.run(&["store", "status", "--json"]).json().try_into().unwrap();
        assert_eq!(found["runs"], serde_json::json!({"completed": 1, "pending": 1}), "{found}");
        // The events of the run that is done, and the first of the other.
        let events = home.run(&["events", "done", "--json"]).json().len() as u64 + 1;
        assert_eq!(found["events"], events, "{found}");
        assert!(found["bytes"].as_u64().unwrap() > 1_000 && found["oldestRunAt"].is_string(), "{found}");
        assert!(!found["store"].as_str().unwrap().contains('@'), "no password: {found}");
        let shown = home.run(&["store", "status"]).stdout;
        assert!(shown.contains("2 runs: 1 completed, 1 pending"), "{shown}");

        assert_eq!(home.run(&["store", "prune", "--status", "completed", "--yes"]).code, Some(0));
        let [after] = home.run(&["store", "vacuum", "--json"]).json().try_into().unwrap();
        assert_eq!((&after["runs"], &after["events"]), (&serde_json::json!({"pending": 1}), &1.into()));
        assert_eq!(home.run(&["recover"]).code, Some(0), "the other run is still there");
        assert_eq!(home.show("left")["status"], "completed");
    }
}

#[test]
fn a_store_of_an_earlier_version_is_migrated_on_request() {
    let home = Home::new();
    let old = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/formats/0.1.0/runs.db");
    fs::copy(old, home.path("old.db")).unwrap();
    let home = home.on("sqlite:old.db");
    let before = fs::read(home.path("old.db")).unwrap();
    let [status] = home.run(&["store", "status", "--json"]).json().try_into().unwrap();
    let (version, newest) = (status["version"].as_u64().unwrap(), status["newestVersion"].as_u64().unwrap());
    assert!(version < newest, "{status}");
    let shown = home.run(&["store", "status"]).stdout;
    assert!(shown.contains(&format!("`workflow store migrate` makes it {newest}")), "{shown}");
    assert_eq!(fs::read(home.path("old.db")).unwrap(), before, "to look at it changes nothing");

    let migrated = home.run(&["store", "migrate"]);
    assert_eq!(migrated.stdout, format!("migrated sqlite:old.db from version {version} to {newest}\n"));
    let again = home.run(&["store", "migrate"]).stdout;
    assert_eq!(again, format!("sqlite:old.db has version {newest} already\n"));
    let [after] = home.run(&["store", "status", "--json"]).json().try_into().unwrap();
    assert_eq!((&after["runs"], &after["events"]), (&status["runs"], &status["events"]));
}

#[test]
fn a_schema_is_migrated_by_one_of_many_processes() {
    let database = Database::new();
    let home = Home::with_stages(&[("one", "true")]).on(&database.url());
    let [empty] = home.run(&["store", "status", "--json"]).json().try_into().unwrap();
    assert_eq!((&empty["version"], &empty["events"]), (&0.into(), &0.into()));
    let started: Vec<_> = (0..4).map(|_| home.start(&["store", "migrate"])).collect();
    for process in started {
        assert_eq!(process.wait().code, Some(0));
    }
    let [status] = home.run(&["store", "status", "--json"]).json().try_into().unwrap();
    assert_eq!(status["version"], status["newestVersion"]);
}

#[test]
fn a_store_that_is_not_there_has_no_status_and_is_not_made() {
    for store in ["file:nothing", "sqlite:nothing"] {
        let home = Home::new().on(store);
        for what in ["status", "migrate"] {
            let ended = home.run(&["store", what]);
            assert_eq!(ended.code, Some(5), "{ended:?}");
        }
        assert!(!home.path("nothing").exists());
    }
}
