//! The same work, that does nothing, with this engine and with others: microseconds per step.
//!
//! ```text
//! cargo run --release --manifest-path benches/peers/Cargo.toml [ROUNDS]
//! ```
//!
//! The first run also builds `workflow-benches`, which measures this engine. Each figure is measured by a process of its own.
//! The engines take turns within each round, so that a disturbance of the machine affects them all; the table has the medians of
//! the rounds, and the smallest and the largest figure.
//!
//! What each engine keeps of a run differs, and is said in the table: nothing, the last state, each result, or each event.

mod cano;
mod durare;
mod duroxide;
mod measure;
mod sayiir;
mod table;

use std::process::ExitCode;

use measure::{Result, Work};

/// One engine, as it is measured.
struct Engine {
    name: &'static str,
    keeps: &'static str,
    /// Which work it does in this comparison.
    does: &'static [Work],
    measure: fn(Work) -> Result<f64>,
}

use Work::{FanOut, Row, Runs};

const ENGINES: &[Engine] = &[
    Engine {
        name: "workflow, in memory",
        keeps: "each event",
        does: &[Row(1_000), FanOut(1_000), Runs(1_000)],
        measure: |work| measure::ours(work, "memory"),
    },
    Engine {
        name: "cano 0.15, bare",
        keeps: "nothing",
        does: &[Row(1_000), FanOut(1_000), Runs(1_000)],
        measure: cano::measure,
    },
    Engine {
        name: "sayiir 1.0, in process",
        keeps: "nothing",
        does: &[Row(1_000), FanOut(1_000), Runs(1_000)],
        measure: sayiir::in_process,
    },
    Engine {
        name: "sayiir 1.0, checkpoints in memory",
        keeps: "each result",
        does: &[Row(1_000), FanOut(1_000), Runs(1_000)],
        measure: sayiir::checkpoints,
    },
    Engine {
        name: "durare 0.5, in memory",
        keeps: "each result",
        does: &[Row(1_000), FanOut(1_000), Runs(1_000)],
        measure: durare::in_memory,
    },
    Engine {
        name: "workflow, SQLite `NORMAL`",
        keeps: "each event",
        does: &[Row(200), FanOut(200), Runs(200)],
        measure: |work| measure::ours(work, "normal"),
    },
    Engine {
        name: "durare 0.5, SQLite `NORMAL`",
        keeps: "each result",
        does: &[Row(200), FanOut(200), Runs(200)],
        measure: durare::normal,
    },
    Engine {
        name: "duroxide 0.1.32, SQLite `NORMAL`",
        keeps: "each event",
        does: &[Row(200), FanOut(200), Runs(200)],
        measure: duroxide::measure,
    },
    Engine {
        name: "workflow, SQLite `FULL`",
        keeps: "each event",
        does: &[Row(200), FanOut(200), Runs(200)],
        measure: |work| measure::ours(work, "full"),
    },
    Engine {
        name: "durare 0.5, SQLite `FULL`",
        keeps: "each result",
        does: &[Row(200), FanOut(200), Runs(200)],
        measure: durare::full,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        // The child processes of a table.
        ["measure", engine, work] => measure_one(engine, work).map(|micros| println!("{micros}")),
        [] => table::make(3),
        [rounds] => rounds.parse().map_err(Into::into).and_then(table::make),
        _ => Err("the only argument is the number of rounds".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_one(engine: &str, work: &str) -> Result<f64> {
    let known = ENGINES.iter().find(|known| known.name == engine);
    let known = known.ok_or_else(|| format!("no engine is called `{engine}`"))?;
    (known.measure)(work.parse()?)
}
