//! The project's chores as one program: `cargo xtask help` lists them.
#![allow(clippy::print_stdout, reason = "a chore talks to whoever runs it")]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

mod ci;
mod examples;
mod steps;
mod tools;
mod workspace;

use workspace::{cargo, run};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Check everything that has to hold before a change lands
    Ci(ci::Options),
    /// Install the cargo tools that `ci` uses, at their pinned versions
    Tools,
    /// Write the JSON Schemas under `schemas/` from the Rust types
    Schemas,
    /// Write the runs under `tests/formats/` that this version has to go on reading for ever
    Formats,
    /// Measure what the engine adds to the work it drives, in one table
    Bench {
        /// What `workflow-benches` takes: --quick, --build, names of groups
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

fn main() -> Result<ExitCode> {
    match Chore::parse() {
        Chore::Ci(options) => return Ok(ci::run(&options)),
        Chore::Tools => tools::ALL.iter().try_for_each(|tool| tool.ensure().map(drop))?,
        Chore::Schemas => {
            let mut test = cargo(&["test", "--quiet", "--package", "workflow-core", "--test", "schemas"]);
            run(test.arg("committed").env("UPDATE_SCHEMAS", "1"))?;
        }
        Chore::Formats => {
            let mut test = cargo(&["test", "--quiet", "--package", "workflow-tests", "--test", "formats"]);
            run(test.arg("committed_with").env("UPDATE_FORMATS", "1"))?;
        }
        Chore::Bench { options } => {
            run(cargo(&["run", "--quiet", "--release", "--package", "workflow-benches", "--"]).args(options))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
