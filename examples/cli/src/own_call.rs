//! Whether a call of a run started this process: an agent must not approve its own work.
//!
//! This guards against mistakes and is not a security boundary: a process that clears its environment and detaches from
//! its parents evades it.

use std::fs;

use workflow_core::ids::RunId;

/// The variable that every process of a call inherits; its value begins with the run.
const CALL: &str = "WORKFLOW_CALL";
/// The longest chain of parents that is followed.
const MOST_ANCESTORS: usize = 1_000;

/// Whether this process, or one above it, belongs to a call of the run.
pub(crate) fn is_within(run: &RunId) -> bool {
    let own = std::env::var_os(CALL).is_some_and(|value| is_of(run, value.as_encoded_bytes()));
    own || ancestors().any(|process| environment_says(process, run))
}

fn is_of(run: &RunId, value: &[u8]) -> bool {
    value.strip_prefix(run.as_str().as_bytes()).is_some_and(|rest| rest.starts_with(b":"))
}

/// The environment that a process was started with. Empty where it cannot be read.
fn environment_says(process: u32, run: &RunId) -> bool {
    let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    let mut entries = environment.split(|byte| *byte == 0);
    entries.any(|entry| {
        let value = entry.strip_prefix(CALL.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        value.is_some_and(|value| is_of(run, value))
    })
}

fn ancestors() -> impl Iterator<Item = u32> {
    let first = std::os::unix::process::parent_id();
    std::iter::successors(Some(first), |process| parent(*process))
        .take_while(|process| *process > 1)
        .take(MOST_ANCESTORS)
}

fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, can hold anything. After it come the state and the parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
