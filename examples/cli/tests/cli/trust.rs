//! Stores that other users have written to: which of their runs are driven, and by which command.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::home::{Ended, Home, Started, copy, until};

/// A run that creates a file where it is executed.
const STAGES: [(&str, &str); 1] = [("one", "touch executed-$WORKFLOW_RUN_ID")];

/// What an attacker commits: a home with an unclaimed run.
fn attacker(store: Option<&str>) -> Home {
    let home = Home::with_stages(&STAGES);
    let home = if let Some(store) = store { home.on(store) } else { home };
    leave(&home, "stages.workflow.yml", "evil");
    home
}

fn leave(home: &Home, file: &str, run: &str) {
    let left = home.run(&["run", file, "--run-id", run, "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
}

fn refuses(home: &Home, args: &[&str]) {
    let refused = home.run(args);
    assert_eq!(refused.code, Some(5), "{args:?}: {refused:?}");
    assert!(
        refused.stderr.contains("--trust-store") && refused.stderr.contains("are not driven"),
        "{refused:?}"
    );
}

#[test]
fn a_store_that_came_with_a_checkout_is_looked_at_and_not_driven() {
    for store in [None, Some("file:.orch")] {
        let attacker = attacker(store);
        let home = Home::with_stages(&STAGES);
        let home = if let Some(store) = store { home.on(store) } else { home };
        copy(&attacker.path(".orch"), &home.path(".orch"));
        for args in [&["runs"][..], &["show", "evil"], &["events", "evil"], &["logs", "evil"]] {
            let looked = home.run(args);
            assert_eq!(looked.code, Some(0), "{args:?}: {looked:?}");
            assert!(!looked.stderr.contains("trust"), "{args:?}: {looked:?}");
        }
        for args in [
            &["recover"][..],
            &["resume", "evil"],
            &["worker"],
            &["rerun", "evil"],
            &["run", "stages.workflow.yml"],
        ] {
            refuses(&home, args);
        }
        assert!(!home.path("executed-evil").exists());
        // Requests are recorded, and nothing is executed for them.
        assert_eq!(home.run(&["pause", "evil"]).code, Some(0));
        assert_eq!(home.run(&["resume", "evil", "--detach"]).code, Some(0));
        assert!(!home.path("executed-evil").exists());
        let trusted = home.run(&["recover", "--trust-store"]);
        assert_eq!(trusted.code, Some(0), "{trusted:?}");
        assert!(home.path("executed-evil").exists());
        // The notice is shown once.
        let run = home.run(&["run", "stages.workflow.yml", "--run-id", "own"]);
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}

#[test]
fn a_store_in_the_place_of_a_known_one_is_another_one() {
    let attacker = attacker(None);
    let home = Home::with_stages(&STAGES);
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--run-id", "own"]).code, Some(0));
    assert_eq!(home.run(&["recover"]).code, Some(0));
    for name in ["runs.db", "runs.db-wal", "runs.db-shm"] {
        let _ = fs::remove_file(home.path(".orch").join(name));
        let _ = fs::copy(attacker.path(".orch").join(name), home.path(".orch").join(name));
    }
    refuses(&home, &["recover"]);
    assert!(!home.path("executed-evil").exists());
}

#[test]
fn a_store_of_an_earlier_version_is_driven_once_it_is_trusted() {
    let home = Home::with_stages(&STAGES);
    let formats = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/formats/0.1.0");
    fs::create_dir_all(home.path(".orch")).unwrap();
    fs::copy(formats.join("runs.db"), home.path(".orch/runs.db")).unwrap();
    assert!(home.run(&["runs", "--json"]).json().len() > 10);
    refuses(&home, &["run", "stages.workflow.yml"]);
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--trust-store"]).code, Some(0));
    assert_eq!(home.run(&["run", "stages.workflow.yml"]).code, Some(0));
}

/// Works until that run has completed, and then stops.
fn work_until(home: &Home, args: &[&str], run: &str) -> Ended {
    let worker = home.start(&[&["worker"], args].concat());
    until(run, || home.show(run)["status"] == "completed");
    end(worker)
}

fn end(worker: Started) -> Ended {
    worker.signal(Signal::TERM);
    let ended = worker.wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended
}

#[test]
fn a_worker_takes_only_the_runs_that_it_was_told() {
    let home = Home::with_stages(&STAGES);
    let stages = home.read("stages.workflow.yml");
    home.write("other.workflow.yml", &stages);
    home.write("demo.workflow.yml", "workflow: { stages: [one] }\none: { provider: demo }\n");
    home.write(".orch/workflows/stages.workflow.yml", &stages);
    home.write("edited/stages.workflow.yml", &stages.replace("touch", "touch evil;touch"));
    for (file, run) in [
        ("other.workflow.yml", "other"),
        ("edited/stages.workflow.yml", "edited"),
        ("demo.workflow.yml", "demo"),
        ("stages", "own"),
    ] {
        leave(&home, file, run);
    }
    let ended = work_until(&home, &["--only-catalog", "--provider", "command", "--runs", "1"], "own");
    assert!(ended.stderr.contains("only those that call command and with the definitions"), "{ended:?}");
    assert!(!home.path("evil").exists());
    work_until(&home, &["--provider", "demo", "codex"], "demo");
    work_until(&home, &["--workflow", "other"], "other");
    assert_eq!(home.show("edited")["status"], "pending");
    assert!(!home.path("evil").exists());
    work_until(&home, &[], "edited");
    // An unknown provider name would match no run without a notice.
    assert_eq!(home.run(&["worker", "--provider", "comand"]).code, Some(2));
}

#[test]
fn a_worker_with_a_key_executes_only_what_is_signed_with_it() {
    let home = Home::with_stages(&STAGES);
    home.write("key", "a key that is long enough, and a line end\n");
    leave(&home, "stages.workflow.yml", "unsigned");
    let with_key = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("WORKFLOW_KEY_FILE", "key");
        command
    };
    let run = |args: &[&str]| Ended::from(with_key(args).output().unwrap());
    let left = run(&["run", "stages.workflow.yml", "--run-id", "signed", "--detach"]);
    assert_eq!(left.code, Some(0), "{left:?}");
    let worker = Started::of(&mut with_key(&["worker"]));
    until("the signed run", || home.show("signed")["status"] == "completed");
    let ended = end(worker);
    let refusal = "run `unsigned` is not driven here: its event 1 (run_created) has no signature";
    assert_eq!(ended.stderr.matches(refusal).count(), 1, "{ended:?}");
    let resumed = run(&["resume", "unsigned"]);
    assert!(resumed.code == Some(5) && resumed.stderr.contains(refusal), "{resumed:?}");
    let shown = run(&["show", "unsigned"]);
    assert!(shown.code == Some(0) && shown.stderr.contains(refusal), "{shown:?}");
    assert!(!home.path("executed-unsigned").exists() && home.path("executed-signed").exists());
    // Rerunning a run does not make it trusted.
    assert_eq!(run(&["rerun", "unsigned"]).code, Some(5));
    assert_eq!(run(&["rerun", "signed"]).code, Some(0));
    home.write("key", "short");
    let refused = run(&["recover"]);
    assert!(refused.code == Some(5) && refused.stderr.contains("at least 16 bytes"), "{refused:?}");
}

#[test]
fn a_store_that_cannot_be_noted_is_driven_by_who_made_it_and_later_with_the_flag() {
    let home = Home::with_stages(&STAGES);
    let run = |args: &[&str]| {
        let mut command = home.command(args);
        // A folder below a file cannot exist.
        Ended::from(command.env("XDG_STATE_HOME", home.path("stages.workflow.yml")).output().unwrap())
    };
    let first = run(&["run", "stages.workflow.yml", "--run-id", "first"]);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stderr.contains("later commands need --trust-store"), "{first:?}");
    let refused = run(&["recover"]);
    assert!(refused.code == Some(5) && refused.stderr.contains("--trust-store"), "{refused:?}");
    let trusted = run(&["run", "stages.workflow.yml", "--trust-store"]);
    assert_eq!(trusted.code, Some(0), "{trusted:?}");
}
