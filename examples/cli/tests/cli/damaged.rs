//! Stores that other users may write, and runs that are damaged.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::home::{Ended, Home};

/// A user without files.
const SOMEBODY: u32 = 65_534;

/// Three runs that no process has driven yet.
fn with_runs(store: &str) -> Home {
    let home = Home::with_stages(&[("one", "echo said")]).on(store);
    for run in ["a", "broken", "c"] {
        let ended = home.run(&["run", "stages.workflow.yml", "--run-id", run, "--detach"]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    home
}

/// The others are recovered, and the program says which one is not.
fn recovers(home: &Home, what: &str) {
    let ended = home.run(&["recover"]);
    for run in ["a", "c"] {
        assert_eq!(home.show(run)["status"], "completed", "{what}: {ended:?}");
    }
    assert!(ended.code.is_some_and(|code| code != 0), "{what}: {ended:?}");
    let line = ended.stderr.lines().find(|line| line.starts_with("error: ") && line.contains("broken"));
    assert!(line.is_some(), "{what}: {ended:?}");
    // And again, when nothing else is left.
    let again = home.run(&["recover"]);
    assert!(again.code.is_some_and(|code| code != 0) && again.stderr.contains("broken"), "{what}: {again:?}");
}

#[test]
fn a_damaged_run_in_files_does_not_keep_others_from_being_recovered() {
    for (what, damage) in [("an event", "garbage\n"), ("no event", "")] {
        let home = with_runs("file:.orch");
        fs::write(home.path(".orch/runs/broken/events.jsonl"), damage).unwrap();
        recovers(&home, what);
    }
    let home = with_runs("file:.orch");
    let created = fs::read_to_string(home.path(".orch/runs/broken/events.jsonl")).unwrap();
    let bundle = fs::read_dir(home.path(".orch/bundles")).unwrap().next().unwrap().unwrap().path();
    let name = bundle.file_stem().unwrap().to_str().unwrap().to_owned();
    assert!(created.contains(&name));
    let events = created.replace(&name, &"0".repeat(name.len()));
    fs::write(home.path(".orch/runs/broken/events.jsonl"), events).unwrap();
    recovers(&home, "the bundle");
}

#[test]
fn a_damaged_run_in_a_database_does_not_keep_others_from_being_recovered() {
    for (what, sql) in [
        (
            "an event",
            "UPDATE event SET body = 'garbage' WHERE run = (SELECT key FROM run WHERE id = 'broken')",
        ),
        ("no event", "DELETE FROM event WHERE run = (SELECT key FROM run WHERE id = 'broken')"),
    ] {
        let home = with_runs("sqlite:runs.db");
        let database = rusqlite::Connection::open(home.path("runs.db")).unwrap();
        assert_ne!(database.execute(sql, []).unwrap(), 0, "{what}");
        drop(database);
        recovers(&home, what);
    }
}

/// The head of a run in lists is derived from its events again.
#[test]
fn a_run_whose_head_is_damaged_is_recovered_from_its_events() {
    let home = with_runs("sqlite:runs.db");
    let database = rusqlite::Connection::open(home.path("runs.db")).unwrap();
    assert_eq!(database.execute("UPDATE run SET head = '{' WHERE id = 'broken'", []).unwrap(), 1);
    drop(database);
    let ended = home.run(&["recover"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for run in ["a", "broken", "c"] {
        assert_eq!(home.show(run)["status"], "completed", "{ended:?}");
    }
}

/// If the tests run as root, who can change every mode, it runs as another user.
#[test]
fn a_store_that_others_can_write_is_tightened_or_refused() {
    let others = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o022;
    let open = |path: &Path| {
        let mode = path.metadata().unwrap().permissions().mode();
        let all = if path.is_dir() { 0o077 } else { 0o066 };
        fs::set_permissions(path, Permissions::from_mode(mode | all)).unwrap();
    };
    for (store, paths) in [
        ("sqlite:runs.db", &["runs.db", "runs.db-holders"][..]),
        ("file:kept", &["kept/runs", "kept/bundles", "kept/runs/a", "kept/runs/a/events.jsonl"]),
    ] {
        let home = with_runs(store);
        for path in paths {
            open(&home.path(path));
        }
        let ended = home.run(&["recover"]);
        assert_eq!(ended.code, Some(0), "{store}: {ended:?}");
        for path in paths {
            assert_eq!(others(&home.path(path)), 0, "{path}");
        }
        if !rustix::process::geteuid().is_root() {
            continue;
        }
        fs::set_permissions(home.path(""), Permissions::from_mode(0o777)).unwrap();
        for path in ["kept", paths[0]].map(|path| home.path(path)).iter().filter(|path| path.exists()) {
            open(path);
        }
        let program = home.path("workflow");
        fs::copy(env!("CARGO_BIN_EXE_workflow"), &program).unwrap();
        fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
        let own = home.command(&["recover"]);
        let mut command = Command::new(&program);
        command.args(own.get_args()).current_dir(home.path("")).env_clear().uid(SOMEBODY).gid(SOMEBODY);
        command.envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let refused = Ended::from(command.output().unwrap());
        assert_eq!(refused.code, Some(5), "{store}: {refused:?}");
        assert!(refused.stderr.contains("other users can write it"), "{store}: {refused:?}");
    }
}
