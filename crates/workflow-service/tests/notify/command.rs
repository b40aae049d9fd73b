//! Commands as targets.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use workflow_core::definition::{NoticeKind, NotifyChannel, NotifyTarget, Period};
use workflow_core::store::MemoryStore;
use workflow_service::notifications::TestNotices as _;
use workflow_service::notify::Notifier;

use crate::world::{Running, engine, in_the_end, run};

fn command(line: &[&str], seconds: u64) -> NotifyTarget {
    NotifyTarget {
        channel: NotifyChannel::Command(line.iter().map(ToString::to_string).collect()),
        on: NoticeKind::ALL.to_vec(),
        workflows: Vec::new(),
        timeout: Some(Period::from_secs(seconds)),
    }
}

#[test]
fn a_command_reads_the_notice_and_nothing_of_a_run_gets_into_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(MemoryStore::new());
    run(&engine(store.clone()), "asks", "r1");
    let line = [
        "sh",
        "-c",
        "cat > \"$WORKFLOW_NOTICE_ID\"; printf '%s|' \"$@\" > arguments; env > environment; touch done",
        "sh",
        "${run.id}",
        "$(touch pwned)",
    ];
    let notifier =
        Notifier::builder(store).target("desk", command(&line, 30)).directory(folder.path()).build();
    let _running = Running::new(notifier);
    in_the_end("the command has run", || folder.path().join("done").exists());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert_eq!(read("arguments"), "${run.id}|$(touch pwned)|");
    let environment = read("environment");
    let variable = |name: &str| {
        let found = environment.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{name} in {environment}")).to_owned()
    };
    let notice: Value = serde_json::from_str(&read(&variable("WORKFLOW_NOTICE_ID"))).unwrap();
    assert_eq!(notice["wait"]["question"], "May it $(touch pwned)?");
    assert_eq!(notice["id"], variable("WORKFLOW_NOTICE_ID"));
    assert_eq!(variable("WORKFLOW_NOTICE_TYPE"), "run.waiting");
    assert_eq!(
        (variable("WORKFLOW_RUN_ID"), variable("WORKFLOW_ID"), variable("WORKFLOW_NOTICE_TARGET")),
        ("r1".to_owned(), "asks".to_owned(), "desk".to_owned())
    );
    assert!(!environment.contains("CARGO"), "only some variables are inherited: {environment}");
    assert!(!folder.path().join("pwned").exists());
}

/// Runs a command as a test of its target, and returns what is wrong.
fn problem(folder: &Path, line: &[&str]) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let notifier = Notifier::builder(Arc::new(MemoryStore::new()))
        .target("desk", command(line, 1))
        .directory(folder)
        .build();
    runtime.block_on(notifier.test("desk")).unwrap().problem
}

#[test]
fn a_command_that_does_not_end_is_killed_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $! > child; echo $$ > own; \
                  while :; do sleep 1; done";
    let problem = problem(folder.path(), &["sh", "-c", script]).unwrap();
    assert!(problem.contains("did not end within 1s, and was stopped"), "{problem}");
    for name in ["child", "own"] {
        let id = fs::read_to_string(folder.path().join(name)).unwrap();
        let state = fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{name} is running: {state}");
    }
}

#[test]
fn how_a_command_failed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(problem(folder.path(), &["true"]), None);
    let failed = problem(folder.path(), &["sh", "-c", "echo no display >&2; exit 3"]).unwrap();
    assert_eq!(failed, "the command exited with 3: no display");
    let missing = problem(folder.path(), &["no-such-program"]).unwrap();
    assert!(missing.contains("cannot start `no-such-program`"), "{missing}");
}
