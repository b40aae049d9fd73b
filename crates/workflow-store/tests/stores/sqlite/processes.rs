//! The store in SQLite, used by several processes: this test binary starts itself again.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use workflow_core::store::{Control, Lease, RunStore, StoreError, Watcher};
use workflow_store::{SqliteOptions, SqliteStore};

use super::{database, lock_out};
use crate::fixture::*;

/// Tells a test in a separate process which database to use.
const DATABASE: &str = "WORKFLOW_STORE_TEST_DATABASE";

fn database_of_child() -> Option<PathBuf> {
    std::env::var_os(DATABASE).map(PathBuf::from)
}

/// This binary, to run the test `name`.
fn child(name: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("sqlite::processes::{name}"), "--nocapture"]);
    command.env_clear().env(DATABASE, path);
    command
}

/// Leases that do not expire during a test.
fn open(path: &Path) -> SqliteStore {
    let options = SqliteOptions::new().lease_time(Duration::from_secs(3_600));
    SqliteStore::open_with(path, options).unwrap()
}

struct Process {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Process {
    fn start(name: &str, path: &Path) -> Self {
        let mut child = child(name, path).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line with this prefix, without the prefix.
    fn line(&mut self, beginning: &str) -> String {
        let mut lines = self.lines.by_ref().lines();
        lines.find_map(|line| line.unwrap().strip_prefix(beginning).map(str::to_owned)).unwrap()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Drives all claimable runs, several at the same time, and reports what was acknowledged.
fn drive_all(path: &Path) {
    let store = open(path);
    let leases = block_on(store.claim_next(99, at(0))).unwrap();
    println!("\nholds {}", leases.len());
    let store = &store;
    block_on(join_all(leases.iter().map(|lease| async move {
        let mut last = store.events(&lease.run, 0, usize::MAX).await.unwrap().len() as u64;
        loop {
            let batch: Arc<[_]> = (last + 1..=last + 1 + last % 3).map(succeeded).collect();
            store.append(lease, last, &batch, None).await.unwrap();
            last += batch.len() as u64;
            println!("\nstored {} {last}", lease.run);
        }
    })));
}

#[test]
fn the_runs_of_a_killed_process_are_free_at_once_and_nothing_acknowledged_is_lost() {
    const RUNS: u64 = 6;
    if let Some(path) = database_of_child() {
        return drive_all(&path);
    }
    let home = tempfile::tempdir().unwrap();
    let store = open(&database(&home));
    for n in 0..RUNS {
        let lease = create(&store, &format!("r{n}"));
        block_on(store.release(lease)).unwrap();
    }
    let mut acknowledged = vec![1; usize::try_from(RUNS).unwrap()];
    for round in 0..5 {
        let name = "the_runs_of_a_killed_process_are_free_at_once_and_nothing_acknowledged_is_lost";
        let mut process = Process::start(name, &database(&home));
        assert_eq!(process.line("holds "), RUNS.to_string(), "round {round}");
        let error = block_on(store.claim(&id("r0"))).unwrap_err();
        let StoreError::Held { holder, .. } = error else { panic!("{error}") };
        assert!(holder.starts_with(&format!("process {}", process.child.id())), "{holder}");
        assert!(block_on(store.claim_next(99, at(0))).unwrap().is_empty());
        let mut note = |line: &str| {
            if let Some((run, last)) = line.split_once(' ')
                && let (Ok(run), Ok(last)) = (run.parse::<usize>(), last.parse::<u64>())
            {
                acknowledged[run] = last;
            }
        };
        for _ in 0..40 * (round + 1) {
            note(&process.line("stored r"));
        }
        process.child.kill().unwrap();
        process.child.wait().unwrap();
        // Output that was not read yet counts as well, except for an incomplete line.
        let mut said = String::new();
        process.lines.read_to_string(&mut said).unwrap();
        for line in said.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            note(line.strip_prefix("stored r").unwrap_or_default());
        }
        assert!(acknowledged.iter().all(|last| *last > 1), "{acknowledged:?}");

        // One by name; the others in any order.
        assert_eq!(block_on(store.get(&id("r3"))).unwrap().holder, None);
        let mut leases = vec![block_on(store.claim(&id("r3"))).unwrap()];
        leases.extend(block_on(store.claim_next(99, at(0))).unwrap());
        assert_eq!(leases.len() as u64, RUNS);
        for lease in leases {
            let run: usize = lease.run.as_str()[1..].parse().unwrap();
            let all = events(&store, &lease.run);
            let last = all.len() as u64;
            assert!(last >= acknowledged[run], "{run}: {last} of {}", acknowledged[run]);
            assert_eq!(numbers(&all), (1..=last).collect::<Vec<_>>());
            append(&store, &lease, last, &[succeeded(last + 1)]).unwrap();
            block_on(store.release(lease)).unwrap();
        }
    }
}

/// Holds `r1`, and tries to write whenever it is asked to.
fn hold(path: &Path) {
    let store = Arc::new(open(path));
    let (sender, calls) = std::sync::mpsc::channel();
    let watcher: Watcher = Arc::new(move |_| sender.send(()).unwrap());
    let _watching = store.watch(watcher);
    let lease: Lease = block_on(store.claim(&id("r1"))).unwrap();
    let mut last = events(&*store, &id("r1")).len() as u64;
    println!("\nholds");
    loop {
        calls.recv().unwrap();
        match block_on(store.append(&lease, last, &[succeeded(last + 1)].into(), None)) {
            Ok(controls) => {
                last += 1;
                for control in controls {
                    println!("\ncontrol {}", control.number);
                }
            }
            Err(error) => {
                let told = block_on(store.renew()).unwrap_err();
                println!("\n{error}; {told}");
                return;
            }
        }
    }
}

#[test]
fn a_stopped_process_keeps_its_runs_until_their_time_has_run_out_and_writes_nothing_after_it() {
    if let Some(path) = database_of_child() {
        return hold(&path);
    }
    let home = tempfile::tempdir().unwrap();
    let store = open(&database(&home));
    let lease = create(&store, "r1");
    block_on(store.release(lease)).unwrap();
    let name = "a_stopped_process_keeps_its_runs_until_their_time_has_run_out_and_writes_nothing_after_it";
    let mut process = Process::start(name, &database(&home));
    process.line("holds");
    block_on(store.request(&id("r1"), Control::Pause.into())).unwrap();
    assert_eq!(process.line("control "), "1");
    process.signal("-STOP");
    assert!(matches!(block_on(store.claim(&id("r1"))), Err(StoreError::Held { .. })));
    assert!(block_on(store.claim_next(9, at(0))).unwrap().is_empty());

    // Two hours later.
    let later = || Timestamp::now() + SignedDuration::from_hours(2);
    let options = SqliteOptions::new().lease_time(Duration::from_secs(3_600)).clock(later);
    let store = SqliteStore::open_with(database(&home), options).unwrap();
    let lease = block_on(store.claim(&id("r1"))).unwrap();
    append(&store, &lease, 2, &[succeeded(3)]).unwrap();
    process.signal("-CONT");
    block_on(store.request(&id("r1"), Control::Resume.into())).unwrap();
    let told = "the leases of this process were not renewed in time and have expired";
    assert_eq!(process.line("run `r1` "), format!("has been taken over by another driver; {told}"));
    assert!(process.child.wait().unwrap().success());
    append(&store, &lease, 3, &[succeeded(4)]).unwrap();
    assert_eq!(numbers(&events(&store, &id("r1"))), [1, 2, 3, 4]);
}

/// The part of the test that runs in a process with a limit of file sizes.
fn write_too_much(path: &Path) {
    let store = open(path);
    let large = output_of(2, &"x".repeat(600_000).into());
    let leases = ["r1", "r2", "r3"].map(|run| block_on(store.claim(&id(run))).unwrap());
    for _ in 0..2 {
        let error = append(&store, &leases[0], 1, std::slice::from_ref(&large)).unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{error}");
        assert_eq!(numbers(&events(&store, &id("r1"))), [1]);
    }
    // A write that does not fit does not affect the others in its transaction.
    let blocker = lock_out(path);
    let (small, large) = ([succeeded(2)].into(), [large].into());
    let mut appends = Box::pin(join_all([
        store.append(&leases[1], 1, &small, None),
        store.append(&leases[0], 1, &large, None),
        store.append(&leases[2], 1, &small, None),
    ]));
    assert!((&mut appends).now_or_never().is_none());
    blocker.execute_batch("COMMIT").unwrap();
    let [second, first, third] = block_on(appends).try_into().unwrap();
    second.unwrap();
    assert!(matches!(first, Err(StoreError::Io { .. })), "{first:?}");
    third.unwrap();
    append(&store, &leases[0], 1, &small).unwrap();
    println!("\ncontinued");
}

#[test]
fn what_does_not_fit_on_the_disk_leaves_no_part_behind_and_the_rest_continues() {
    if let Some(path) = database_of_child() {
        return write_too_much(&path);
    }
    let home = tempfile::tempdir().unwrap();
    let store = open(&database(&home));
    for run in ["r1", "r2", "r3"] {
        let lease = create(&store, run);
        block_on(store.release(lease)).unwrap();
    }
    // A limit of file sizes ends a write in the middle, like a full disk.
    let name = "what_does_not_fit_on_the_disk_leaves_no_part_behind_and_the_rest_continues";
    let binary = child(name, &database(&home));
    let script = "trap '' XFSZ; ulimit -f 1000; exec \"$0\" \"$@\"";
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]).arg(binary.get_program()).args(binary.get_args());
    command.env_clear().env(DATABASE, database(&home));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("continued"), "{said}{errors}");
    for run in ["r1", "r2", "r3"] {
        assert_eq!(events(&store, &id(run))[1..], [succeeded(2)], "{run}");
    }
}
