//! The worker processes of a test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use workflow_tests::worker::{Orders, Place};

/// The number of polls before a wait times out.
const LOOKS: usize = 10_000;

/// The time between two polls.
const LOOK: Duration = Duration::from_millis(5);

/// Worker processes that share a store. No worker, and no process that it started, outlives this value.
pub(crate) struct Fleet {
    pub(crate) orders: Orders,
    workers: Vec<Child>,
    /// The directory of traces.
    home: tempfile::TempDir,
}

impl Fleet {
    /// Without workers. `place` receives a directory for its data.
    pub(crate) fn new(place: impl FnOnce(&Path) -> Place) -> Self {
        let home = tempfile::tempdir().unwrap();
        let orders = Orders { place: place(home.path()), traces: home.path().to_owned(), elsewhere: false };
        Self { orders, workers: Vec::new(), home }
    }

    /// Starts a worker.
    pub(crate) fn hire(&mut self) {
        self.hire_with(&self.orders.clone());
    }

    /// Starts a worker with other arguments than the others.
    pub(crate) fn hire_with(&mut self, orders: &Orders) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_worker"));
        self.workers.push(self.spawn(command.arg(serde_json::to_string(orders).unwrap())));
    }

    /// Starts a worker whose files are limited to this many blocks of 512 bytes, until there is
    /// [room](Self::make_room).
    pub(crate) fn hire_with_small_files(&mut self, blocks: usize) {
        let mut command = Command::new("/bin/sh");
        let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_worker")]);
        self.workers.push(self.spawn(command.arg(serde_json::to_string(&self.orders).unwrap())));
    }

    /// Lifts the limit of a worker's files.
    pub(crate) fn make_room(&self, worker: usize) {
        let limit = Rlimit { current: None, maximum: None };
        prlimit(Some(Pid::from_child(&self.workers[worker])), Resource::Fsize, limit).unwrap();
    }

    fn spawn(&self, command: &mut Command) -> Child {
        let log = File::options().create(true).append(true).open(self.log_file()).unwrap();
        // It works until its standard input ends, which happens when this process ends for any reason.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    pub(crate) fn size(&self) -> usize {
        self.workers.len()
    }

    /// Kills a worker, which is still running.
    pub(crate) fn kill(&mut self, worker: usize) {
        let mut child = self.workers.remove(worker);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "a worker has ended by itself\n{}", self.said());
    }

    /// The prefix of a store's description of a worker as a holder.
    pub(crate) fn name(&self, worker: usize) -> String {
        format!("process {} ", self.workers[worker].id())
    }

    pub(crate) fn signal(&self, workers: &[usize], signal: Signal) {
        for worker in workers {
            // It was not waited for yet, so its id was not reused.
            kill_process(Pid::from_child(&self.workers[*worker]), signal).unwrap();
        }
    }

    /// Shuts a worker down regularly.
    pub(crate) fn dismiss(&mut self, worker: usize) {
        drop(self.workers[worker].stdin.take());
        let running = |child: &mut Child| child.try_wait().unwrap().is_none();
        for _ in 0..LOOKS {
            if !running(&mut self.workers[worker]) {
                break;
            }
            thread::sleep(LOOK);
        }
        assert!(!running(&mut self.workers[worker]), "a worker does not finish\n{}", self.said());
        let status = self.workers.remove(worker).wait().unwrap();
        assert!(status.success(), "a worker ended with {status}\n{}", self.said());
    }

    /// Shuts all workers down regularly; each is still running.
    pub(crate) fn dismiss_all(&mut self) {
        let said = self.said();
        for worker in &mut self.workers {
            assert_eq!(worker.try_wait().unwrap(), None, "a worker has ended by itself\n{said}");
        }
        while !self.workers.is_empty() {
            self.dismiss(0);
        }
    }

    /// The calls that were begun, in order: `run:seed:path:attempt`. Incomplete lines are skipped.
    pub(crate) fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.orders.calls()).unwrap_or_default();
        text.lines().filter_map(|line| line.strip_suffix(" .")).map(str::to_owned).collect()
    }

    /// Waits until `reached`.
    pub(crate) fn until(&self, what: &str, mut reached: impl FnMut() -> bool) {
        for _ in 0..LOOKS {
            if reached() {
                return;
            }
            thread::sleep(LOOK);
        }
        panic!("waited in vain: {what}\n{}", self.said());
    }

    /// The living processes of calls.
    pub(crate) fn at_work(&self) -> Vec<i32> {
        let mark = format!("TRACE={}", self.orders.calls().display());
        let marked = |pid: &i32| {
            // Processes may end meanwhile; those of other users cannot be read.
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        let names = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.file_name());
        names.filter_map(|name| name.to_str()?.parse().ok()).filter(marked).collect()
    }

    fn log_file(&self) -> PathBuf {
        self.home.path().join("log")
    }

    /// The log output of all workers.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// The end of the workers' log output.
    pub(crate) fn said(&self) -> String {
        let log = self.log();
        let newest: Vec<_> = log.lines().rev().take(60).collect();
        newest.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            let _ = worker.kill();
            let _ = worker.wait();
        }
        // No worker starts new processes any more.
        for pid in self.at_work().into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
