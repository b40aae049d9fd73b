//! Paths that cannot be written or followed, and runs of another program.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::geteuid;

use super::home::{Ended, Home};

const STAGES: [(&str, &str); 1] = [("one", "echo said")];

/// Runs a command with standard output on a full disk.
fn on_full_disk(home: &Home, args: &[&str]) -> Ended {
    let mut command = home.command(args);
    command.stdout(File::options().write(true).open("/dev/full").unwrap());
    Ended::from(command.output().unwrap())
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error_of_every_command() {
    let home = Home::with_stages(&STAGES);
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--run-id", "r1"]).code, Some(0));
    for args in [
        &["--help"][..],
        &["--version"],
        &["run", "--help"],
        &["templates"],
        &["runs"],
        &["runs", "--json"],
        &["show", "r1"],
        &["logs", "r1"],
        &["validate", "stages.workflow.yml"],
        &["run", "stages.workflow.yml"],
        &["run", "stages.workflow.yml", "--json"],
        &["run", "stages.workflow.yml", "--detach"],
    ] {
        let ended = on_full_disk(&home, args);
        assert_eq!(ended.code, Some(5), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains("error: standard output: No space left"), "{args:?}: {}", ended.stderr);
    }
}

#[test]
fn a_store_path_that_cannot_be_followed_is_an_error() {
    for store in
        ["file:loop/runs", "sqlite:loop/runs.db", "sqlite:loop", "sqlite:stages.workflow.yml/runs.db"]
    {
        let home = Home::with_stages(&STAGES).on(store);
        symlink("loop", home.path("loop")).unwrap();
        for args in [&["runs"][..], &["show", "r1"], &["recover"]] {
            let ended = home.run(args);
            assert_eq!(ended.code, Some(5), "{store} {args:?}: {}", ended.stderr);
            assert!(!ended.stderr.contains("no such runs"), "{store} {args:?}: {}", ended.stderr);
        }
    }
}

#[test]
fn runs_of_another_program_are_listed_and_left_alone() {
    let home = Home::with_stages(&STAGES);
    let events = r#"{"type":"run_start","timestamp":"2026-01-02T03:04:05Z","data":{}}"#;
    let state = r#"{"runId":"theirs","workflowId":"ship","currentStage":"plan","currentIter":1,"status":"running",
        "createdAt":"2026-01-02T03:04:05Z","updatedAt":"2026-01-02T03:04:06Z","completedNodes":[]}"#;
    home.write(".orch/runs/theirs/events.jsonl", events);
    home.write(".orch/runs/theirs/state.json", state);
    home.write(".orch/runs/broken/meta.json", "{");
    let before = foreign_files(&home);

    let ended = home.run(&["run", "stages.workflow.yml", "--run-id", "ours"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(home.path(".orch/runs.db").exists(), "new runs go to the database");
    let listed = home.run(&["runs"]).stdout;
    let line = |run: &str| listed.lines().find(|line| line.starts_with(run)).unwrap().to_owned();
    for (run, workflow, status) in [("theirs", "ship", "running"), ("broken", "?", "?")] {
        let words: Vec<_> = line(run).split_whitespace().map(str::to_owned).collect();
        assert_eq!(words[1..3], [workflow, status], "{listed}");
        assert!(line(run).ends_with("written by another program, not changed"), "{listed}");
    }
    assert!(line("ours").contains("completed"), "{listed}");
    let objects = home.run(&["runs", "--json"]).json();
    let is_foreign =
        |run: &str| objects.iter().find(|object| object["runId"] == run).unwrap()["foreign"] == true;
    assert_eq!([is_foreign("theirs"), is_foreign("ours")], [true, false]);

    for store in [None, Some("file:.orch")] {
        for args in
            [&["show", "theirs"][..], &["logs", "theirs"], &["cancel", "theirs"], &["resume", "theirs"]]
        {
            let mut command = home.command(args);
            command.args(store.iter().flat_map(|store| ["--store", store]));
            let ended = Ended::from(command.output().unwrap());
            assert_eq!(ended.code, Some(5), "{args:?}: {}", ended.stderr);
            assert!(ended.stderr.contains("written by another program"), "{args:?}: {}", ended.stderr);
        }
        let mut command = home.command(&["run", "stages.workflow.yml", "--run-id", "theirs"]);
        command.args(["--store", "file:.orch"]);
        assert_ne!(command.output().unwrap().status.code(), Some(0));
    }
    assert_eq!(foreign_files(&home), before);
}

fn foreign_files(home: &Home) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for run in ["theirs", "broken"] {
        for entry in fs::read_dir(home.path(&format!(".orch/runs/{run}"))).unwrap() {
            let path = entry.unwrap().path();
            files.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
    files.sort();
    files
}

/// Runs a command of a world-executable program as a user who may only read the home: root may write
/// everything.
fn without_writing(home: &Home, program: &Path, args: &[&str]) -> Ended {
    let own = home.command(args);
    let mut command = Command::new(program);
    if geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.args(args).current_dir(home.path("")).env_clear();
    command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ended::from(command.output().unwrap())
}

/// A user without files.
const NOBODY: u32 = 65_534;

/// Sets the modes of a folder and everything below: folders can be entered, files read.
fn set_modes(path: &Path, write: u32) {
    let is_folder = path.is_dir();
    let mode = if is_folder { 0o555 } else { 0o444 } | write;
    if is_folder {
        fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        for entry in fs::read_dir(path).unwrap() {
            set_modes(&entry.unwrap().path(), write);
        }
    }
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_home_that_cannot_be_written_can_be_looked_at() {
    let home = Home::new();
    home.write(
        ".orch/workflows/hello.workflow.yml",
        "workflow: { stages: [one] }\none: { provider: demo }\n",
    );
    assert_eq!(home.run(&["run", "hello", "--run-id", "r1"]).code, Some(0));
    assert_eq!(home.run(&["run", "hello", "--run-id", "r2", "--detach"]).code, Some(0));
    let program = home.path("workflow");
    fs::copy(env!("CARGO_BIN_EXE_workflow"), &program).unwrap();
    fs::set_permissions(home.path(""), Permissions::from_mode(0o755)).unwrap();
    set_modes(&home.path(".orch"), 0);
    let run = |args: &[&str]| without_writing(&home, &program, args);
    for (args, shown) in [
        (&["runs"][..], "r1"),
        (&["show", "r1"], "completed"),
        (&["events", "r1"], "run completed"),
        (&["logs", "r1"], ""),
        (&["list"], "hello"),
        (&["validate", "hello"], "valid"),
        (&["answer", "r1"], ""),
    ] {
        let looked = run(args);
        assert_eq!(looked.code, Some(0), "{args:?}: {looked:?}");
        assert!(looked.stdout.contains(shown), "{args:?}: {looked:?}");
    }
    for args in [
        &["run", "hello"][..],
        &["cancel", "r2"],
        &["resume", "r2"],
        &["resume", "r2", "--detach"],
        &["rerun", "r1"],
        &["delete", "r1", "--yes"],
        &["recover"],
        &["worker"],
    ] {
        let refused = run(args);
        assert_eq!(refused.code, Some(5), "{args:?}: {refused:?}");
        let why = ["Permission denied", "Read-only file system", "is not writable", "read-only"];
        assert!(why.iter().any(|why| refused.stderr.contains(why)), "{args:?}: {refused:?}");
    }
    set_modes(&home.path(".orch"), 0o200);
}

/// In a folder that is mounted read-only, which the system reports differently than permissions.
#[cfg(target_os = "linux")]
#[test]
fn a_home_on_a_read_only_mount_can_be_looked_at() {
    let home = Home::with_stages(&STAGES);
    home.write(".orch/workflows/kept.workflow.yml", &home.read("stages.workflow.yml"));
    assert_eq!(home.run(&["run", "stages.workflow.yml", "--run-id", "r1"]).code, Some(0));
    let run = |args: &[&str]| {
        let program = home.command(args);
        let mut apart = Command::new("unshare");
        apart.arg("--mount").args(if geteuid().is_root() { &[][..] } else { &["--map-root-user"] });
        let script = "mount --bind .orch .orch && mount -o remount,bind,ro .orch && exec \"$0\" \"$@\"";
        apart.args(["sh", "-c", script]).arg(program.get_program()).args(args);
        apart.current_dir(home.path("")).env_clear();
        apart.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Ended::from(apart.output().unwrap())
    };
    for (args, shown) in [(&["runs"][..], "r1"), (&["show", "r1"], "completed"), (&["logs", "r1"], "said")] {
        let looked = run(args);
        assert_eq!(looked.code, Some(0), "{args:?}: {looked:?}");
        assert!(looked.stdout.contains(shown), "{args:?}: {looked:?}");
    }
    let listed = run(&["list", "--json"]).json();
    let why = listed[0]["readOnly"].as_str().unwrap();
    assert!(why.contains(".orch/workflows cannot be written: Read-only file system"), "{why}");
    for args in [&["run", "stages.workflow.yml"][..], &["rerun", "r1"], &["delete", "r1", "--yes"]] {
        let refused = run(args);
        assert_eq!(refused.code, Some(5), "{args:?}: {refused:?}");
        let why = ["Read-only file system", "is not writable"];
        assert!(why.iter().any(|why| refused.stderr.contains(why)), "{args:?}: {refused:?}");
    }
}
