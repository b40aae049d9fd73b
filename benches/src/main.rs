//! The overhead of the engine: one table, each figure beside its floor.
//!
//! ```text
//! cargo run --release -p workflow-benches -- [--quick] [--build] [GROUP…]
//! cargo run --release -p workflow-benches -- retention [--events N]
//! valgrind --tool=callgrind target/release/workflow-benches once foreach 10000
//! ```
//!
//! These are plain programs instead of benches of a framework, because the ratio of two things counts that
//! are measured alternately within the same minute: on a shared machine the absolute figures drift by a
//! factor of two, and frameworks measure one function after the other. Frameworks also do not support memory
//! per run, control requests from another process, or a goal for each figure.
//!
//! `retention` fills a PostgreSQL store with ten million events (4 GB of disk, some minutes) and cleans it.
//!
//! `once` does one run of a shape: `stages`, `lanes`, `concurrent`, `chain`, `wide`, `layers`, `foreach` or `filtered`.
//! Counted instructions are the same each time, and show growth that times hide.
//!
//! No time is asserted: the table shows what was measured and whether it meets the goals.

mod clean_build;
mod concurrent;
mod control;
mod definitions;
mod fan_out;
mod files;
mod graphs;
mod http;
mod latency;
mod measure;
mod memory;
mod parked;
mod postgres;
mod providers;
mod queue;
mod redaction;
mod retention;
mod sequential;
mod sqlite;
mod sqlite_reads;
mod step;
mod table;
mod work;

use std::io::Write as _;
use std::process::ExitCode;

use measure::{Effort, Result};
use table::Row;

type Group = fn(Effort) -> Result<Vec<Row>>;

const GROUPS: [(&str, Group); 17] = [
    ("sequential", sequential::rows),
    ("fan-out", fan_out::rows),
    ("graphs", graphs::rows),
    ("concurrent", concurrent::rows),
    ("memory", memory::rows),
    ("parked", parked::rows),
    ("files", files::rows),
    ("sqlite", sqlite::rows),
    ("sqlite-reads", sqlite_reads::rows),
    ("postgres", postgres::rows),
    ("queue", queue::rows),
    ("definitions", definitions::rows),
    ("redaction", redaction::rows),
    ("providers", providers::rows),
    ("control", control::rows),
    ("latency", latency::rows),
    ("http", http::rows),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ended = carry_out(&arguments).and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // An error of the error output cannot be reported.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(arguments: &[&str]) -> Result<String> {
    Ok(match arguments {
        // The child processes of a measurement.
        ["memory", what, runs] => memory::child(what, runs.parse()?)?.to_string(),
        ["once", what, size] => graphs::once(what, size.parse()?)?,
        ["control", home, run, what] => control::child(home, run, what)?.to_string(),
        ["parked", kind, runs, seconds] => parked::child(kind, runs.parse()?, seconds.parse()?)?,
        ["other", what @ ..] => latency::child(what)?,
        ["retention", what @ ..] => retention::measure(what)?,
        // For `benches/peers`.
        ["step", work, store] => step::child(work, store)?,
        _ => measure_all(arguments)?,
    })
}

fn measure_all(arguments: &[&str]) -> Result<String> {
    let (mut effort, mut build, mut wanted) = (Effort { quick: false }, false, Vec::new());
    for &argument in arguments {
        match argument {
            "--quick" => effort.quick = true,
            "--build" => build = true,
            group if GROUPS.iter().any(|(name, _)| *name == group) => wanted.push(group),
            other => {
                let groups = GROUPS.map(|(name, _)| name).join(", ");
                return Err(format!("`{other}` is neither --quick nor --build nor one of {groups}").into());
            }
        }
    }
    let mut rows = Vec::new();
    for (name, group) in GROUPS {
        if wanted.is_empty() || wanted.contains(&name) {
            rows.extend(group(effort)?);
        }
    }
    if build {
        rows.extend(clean_build::rows()?);
    }
    Ok(table::render(&rows))
}
