//! Looks for processes, independently of the provider.

use std::fs;

/// The living processes with the marker of `run`.
pub(crate) fn of_run(run: &str) -> Vec<i32> {
    let entry = format!("WORKFLOW_RUN_ID={run}");
    let carries = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|other| other == entry.as_bytes())
    };
    let names = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.parse().ok()).filter(carries).filter(|pid| lives(*pid)).collect()
}

/// Whether such a process exists and is not a zombie.
pub(crate) fn lives(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| state != 'Z' && state != 'X')
}

/// The number at the end of a line like `ready 1234`.
pub(crate) fn pid_in(line: &str) -> i32 {
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// How many threads of this process belong to calls.
pub(crate) fn threads_of_calls() -> usize {
    let threads = fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let names = threads.filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok());
    names.filter(|name| name.starts_with("workflow-")).count()
}
