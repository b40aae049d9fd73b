//! Thousands of items of a `foreach`, in a host that is killed while it works on them.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot continue has failed")]

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

const ITEMS: usize = 10_000;
/// The limit of parallel items in the host.
const CONCURRENCY: usize = 64;
const KILLS: usize = 6;
/// The trace of a call: `1/stage[0]/each[1234] 1` and a line ending.
const LINE: usize = 24;

/// The directory of a host's run, and of the trace of its calls.
struct Place {
    home: PathBuf,
    trace: PathBuf,
    items: usize,
}

impl Place {
    fn new(directory: &Path, items: usize) -> Self {
        Self { home: directory.join("home"), trace: directory.join("trace"), items }
    }

    fn host(&self) -> Child {
        Command::new(env!("CARGO_BIN_EXE_items"))
            .args([&self.home, &self.trace])
            .arg(self.items.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Lets a host continue to the end; returns its peak memory in bytes.
    fn end(&self) -> usize {
        let output = self.host().wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
    }

    /// Kills a host once about this many calls have left their trace; `false` if it ended before.
    fn kill_after(&self, calls: usize) -> bool {
        let mut host = self.host();
        let traced = || fs::metadata(&self.trace).map_or(0, |file| file.len());
        while traced() < (calls * LINE) as u64 && host.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Our child, not waited for: its id was not reused.
        host.kill().unwrap();
        host.wait().unwrap().code().is_none()
    }

    /// The calls that were executed, each with its attempt. Incomplete lines are skipped.
    fn calls(&self) -> Vec<(String, u64)> {
        let text = fs::read_to_string(&self.trace).unwrap_or_default();
        let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let calls = lines.filter_map(|line| line.split_once(' '));
        calls.map(|(path, attempt)| (path.to_owned(), attempt.parse().unwrap())).collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.join("runs/items/events.jsonl")).unwrap()
    }
}

#[test]
fn items_whose_results_were_recorded_never_run_again_however_often_the_host_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let place = Place::new(directory.path(), ITEMS);
    let mut seed = 0x5eed_u64;
    for kill in 0..KILLS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let within = usize::try_from(seed >> 33).unwrap() % (ITEMS / (KILLS + 2));
        // Between the calls so far and those that the remaining kills need.
        let after = kill * ITEMS / (KILLS + 1) + 1 + within;
        assert!(place.kill_after(after), "the host ended before kill {kill}");
    }
    let memory = place.end();

    let log = place.log();
    let events: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let numbers = events.iter().map(|event| usize::try_from(event["seq"].as_u64().unwrap()).unwrap());
    assert!(numbers.eq(1..=events.len()), "numbers have no gaps");

    let mut open: HashSet<(String, u64)> = HashSet::new();
    let mut succeeded: HashMap<String, u64> = HashMap::new();
    let mut interrupted: HashSet<(String, u64)> = HashSet::new();
    for event in &events {
        let data = &event["data"];
        let call = || (data["path"].as_str().unwrap().to_owned(), data["attempt"].as_u64().unwrap());
        match event["type"].as_str().unwrap() {
            "attempt_started" => {
                assert!(!succeeded.contains_key(&call().0), "{:?} came after its result", call());
                assert!(open.insert(call()));
            }
            "attempt_succeeded" => {
                assert!(open.remove(&call()));
                assert_eq!(succeeded.insert(call().0, call().1), None, "two results of {:?}", call());
            }
            "attempt_interrupted" => {
                assert!(open.remove(&call()));
                assert!(interrupted.insert(call()));
            }
            _ => {}
        }
    }
    assert!(open.is_empty());
    assert_eq!(succeeded.len(), ITEMS);
    assert!((1..=KILLS * CONCURRENCY).contains(&interrupted.len()), "{} interrupted", interrupted.len());

    let calls = place.calls();
    let executed: HashSet<_> = calls.iter().cloned().collect();
    assert_eq!(executed.len(), calls.len(), "an attempt was executed twice");
    for call in &executed {
        let counts = succeeded.get(&call.0) == Some(&call.1);
        assert!(
            counts || interrupted.contains(call),
            "{call:?} was executed, and its result was recorded before"
        );
    }
    let output = events.iter().find(|event| event["type"] == "node_completed").unwrap();
    let expected: Vec<_> = (0..ITEMS).map(|n| json!({ "item": n })).collect();
    assert_eq!(output["data"]["output"], Value::from(expected), "all results, in order");
    assert_eq!(events.last().unwrap()["type"], "run_completed");
    // Two events for each item and two more for each interrupted attempt, and nine of run, stage, lane and
    // node.
    assert_eq!(events.len(), 2 * ITEMS + 2 * interrupted.len() + 9);
    println!(
        "{ITEMS} items, {KILLS} kills: {} calls, {} events, {} bytes of log; the last host needed {memory} bytes",
        calls.len(),
        events.len(),
        log.len(),
    );
}

#[test]
fn a_log_grows_with_the_items_alone_and_results_that_come_together_are_one_append() {
    let directory = tempfile::tempdir().unwrap();
    let [few, many] = [ITEMS / 100, ITEMS / 10].map(|items| {
        let home = directory.path().join(items.to_string());
        fs::create_dir(&home).unwrap();
        let place = Place::new(&home, items);
        let memory = place.end();
        let log = place.log();
        let appends = log.lines().filter(|line| !line.ends_with(r#""more":true}"#)).count();
        println!("{items} items: {} bytes of log, {appends} appends, {memory} bytes of memory", log.len());
        // One append ends a round of items and begins the next.
        assert!(appends <= items / CONCURRENCY + 8, "{appends} appends for {items} items");
        log.len()
    });
    // Numbers have more digits.
    assert!(many <= 11 * few, "{few} bytes for few, {many} bytes for ten times as many");
}
