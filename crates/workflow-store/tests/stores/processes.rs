//! The store in files, used by several processes: this test binary starts itself again.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_core::store::{Control, RunFilter, RunStore, StoreError, Watcher};
use workflow_store::FileStore;

use crate::fixture::*;

/// Tells a test in a separate process which home to use.
const HOME: &str = "WORKFLOW_STORE_TEST_HOME";

fn home_of_child() -> Option<PathBuf> {
    std::env::var_os(HOME).map(PathBuf::from)
}

/// This binary, to run the test `name` in `home`.
fn child(name: &str, home: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env_clear().env(HOME, home);
    command
}

/// Drives `r1`: claims it, reports that, and appends an event for each control request.
fn drive(home: &Path) {
    let store = Arc::new(FileStore::open(home).unwrap());
    let (sender, calls) = mpsc::channel();
    let watcher: Watcher = Arc::new(move |_| sender.send(()).unwrap());
    let _watching = store.watch(watcher);
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    let mut last = events(&store, &id("r1")).len() as u64;
    println!("\nholds");
    loop {
        let controls = block_on(store.append(&lease, last, &[succeeded(last + 1)].into(), None)).unwrap();
        last += 1;
        for control in controls {
            println!("\ncontrol {}", control.number);
            if control.control == Control::Cancel {
                return;
            }
        }
        calls.recv().unwrap();
    }
}

struct Driver {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Driver {
    fn start(home: &Path) -> Self {
        Self::start_test("processes::a_run_is_held_by_a_process_until_it_dies", home)
    }

    fn start_test(name: &str, home: &Path) -> Self {
        let mut child = child(name, home).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut driver = Self { child, lines };
        driver.expect("holds");
        driver
    }

    fn expect(&mut self, wanted: &str) {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if line.trim_end() == wanted {
                return;
            }
            line.clear();
        }
        panic!("the process ended without saying {wanted}");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_run_is_held_by_a_process_until_it_dies() {
    if let Some(home) = home_of_child() {
        return drive(&home);
    }
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path()).unwrap();
    let lease = create(&store, "r1");
    block_on(store.release(lease.clone())).unwrap();
    for round in 0..3 {
        let mut driver = Driver::start(home.path());
        let error = block_on(store.claim(&id("r1"))).unwrap_err();
        let StoreError::Held { holder, .. } = error else { panic!("{error}") };
        assert!(holder.starts_with(&format!("process {}", driver.child.id())), "{holder}");
        let listed = block_on(store.list(&RunFilter::all())).unwrap();
        assert_eq!(listed[0].holder.as_ref(), Some(&holder));
        assert!(matches!(block_on(store.delete(&id("r1"))), Err(StoreError::Held { .. })));

        let number = block_on(store.request(&id("r1"), Control::Pause.into())).unwrap();
        driver.expect(&format!("control {number}"));
        driver.child.kill().unwrap();
        driver.child.wait().unwrap();

        assert_eq!(block_on(store.get(&id("r1"))).unwrap().holder, None);
        let next = block_on(store.claim(&id("r1"))).unwrap();
        assert_eq!(next.epoch, lease.epoch + 2 * round + 2);
        let all = events(&store, &id("r1"));
        assert_eq!(numbers(&all), (1..=all.len() as u64).collect::<Vec<_>>());
        block_on(store.release(next)).unwrap();
    }
    let mut driver = Driver::start(home.path());
    let number = block_on(store.request(&id("r1"), Control::Cancel.into())).unwrap();
    driver.expect(&format!("control {number}"));
    assert!(driver.child.wait().unwrap().success());
    block_on(store.claim(&id("r1"))).unwrap();
}

/// The part of the test that runs in a process with a limit of file sizes.
fn write_too_much(home: &Path) {
    let store = FileStore::open(home).unwrap();
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    let large = "x".repeat(40_000);
    let batch = [succeeded(2), output_of(3, &large.into()), succeeded(4)];
    for _ in 0..2 {
        let error = append(&store, &lease, 1, &batch).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        assert_eq!(numbers(&events(&store, &id("r1"))), [1]);
    }
    let error = block_on(store.append_output(&lease, &[entry(1, &"x".repeat(40_000))])).unwrap_err();
    assert!(matches!(error, StoreError::Io { .. }), "{error}");
    // The store continues with appends that fit.
    block_on(store.append(&lease, 1, &[started(2), succeeded(3)].into(), Some(&head(RunStatus::Running))))
        .unwrap();
    block_on(store.append_output(&lease, &[entry(1, "fits")])).unwrap();
    println!("\ncontinued");
}

#[test]
#[cfg(unix)]
fn an_append_that_does_not_fit_on_the_disk_leaves_no_part_behind() {
    if let Some(home) = home_of_child() {
        return write_too_much(&home);
    }
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path()).unwrap();
    let lease = create(&store, "r1");
    block_on(store.release(lease)).unwrap();
    // A limit of file sizes ends a write in the middle, like a full disk.
    let binary =
        child("processes::an_append_that_does_not_fit_on_the_disk_leaves_no_part_behind", home.path());
    let script = "trap '' XFSZ; ulimit -f 32; exec \"$0\" \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).arg(binary.get_program()).args(binary.get_args());
    command.env_clear().env(HOME, home.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("continued"), "{said}");
    assert_eq!(numbers(&events(&store, &id("r1"))), [1, 2, 3]);
    assert_eq!(block_on(store.output(&id("r1"), 0, 9)).unwrap(), [entry(1, "fits")]);
    assert_eq!(block_on(store.get(&id("r1"))).unwrap().head.status, RunStatus::Running);
}

/// Claims `r1`, reports that, and stores nothing.
fn hold(home: &Path) {
    let store = FileStore::open(home).unwrap();
    let _lease = block_on(store.claim(&id("r1"))).unwrap();
    println!("\nholds");
    loop {
        std::thread::park();
    }
}

#[test]
fn processes_that_are_killed_before_they_store_an_event_are_counted() {
    if let Some(home) = home_of_child() {
        return hold(&home);
    }
    let home = tempfile::tempdir().unwrap();
    let store = FileStore::open(home.path()).unwrap();
    let lease = create(&store, "r1");
    block_on(store.release(lease)).unwrap();
    let name = "processes::processes_that_are_killed_before_they_store_an_event_are_counted";
    for deaths in 1..=4 {
        drop(Driver::start_test(name, home.path()));
        let lease = block_on(store.claim(&id("r1"))).unwrap();
        assert_eq!(lease.deaths, deaths);
        // A release says nothing about the earlier holders.
        block_on(store.release(lease)).unwrap();
    }
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    append(&store, &lease, 1, &[started(2)]).unwrap();
    block_on(store.release(lease)).unwrap();
    drop(Driver::start_test(name, home.path()));
    assert_eq!(block_on(store.claim(&id("r1"))).unwrap().deaths, 1, "counted again from the event on");
}
