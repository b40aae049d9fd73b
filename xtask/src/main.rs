//! The development tasks of the project: `cargo xtask help` lists them.
#![allow(clippy::print_stdout, reason = "a development task prints its results")]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

mod agents;
mod ci;
mod clients;
mod examples;
mod schemathesis;
mod steps;
mod studio;
mod tools;
mod workspace;

use workspace::{cargo, run};

/// The development tasks of the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Run every check that must pass before a change is merged
    Ci(ci::Options),
    /// Install the cargo tools that `ci` uses, at their pinned versions
    Tools,
    /// Write the JSON Schemas under `schemas/` from the Rust types
    Schemas,
    /// Write the tables of the book's reference from the schemas, and from what the reader of definitions
    /// accepts
    Reference,
    /// Write the schema and the types of the TypeScript client from the Rust types; needs Node
    Typescript,
    /// Write the table of the agents' capabilities in `docs/src/guides/agents.md` from their modules
    Capabilities,
    /// Run whole engines in a simulated world, with random faults from seeds
    Sim(Sim),
    /// Write the runs under `tests/formats/` that later versions must be able to read
    Formats,
    /// Install the command lines of agents and run them against a fake of their services
    TestAgents(agents::Options),
    /// Measure the overhead of the engine, in one table
    Bench {
        /// The options of `workflow-benches`: --quick, --build, names of groups
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        options: Vec<String>,
    },
}

/// Which seeds are played.
#[derive(clap::Args)]
struct Sim {
    /// How many
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first of them
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Report every seed that violates a rule, instead of shrinking the first one
    #[arg(long)]
    keep_going: bool,
}

fn main() -> Result<ExitCode> {
    match Chore::parse() {
        Chore::Ci(options) => return Ok(ci::run(&options)),
        Chore::TestAgents(options) => return agents::run_tests(&options),
        Chore::Tools => tools::ALL.iter().try_for_each(|tool| tool.ensure().map(drop))?,
        Chore::Schemas => {
            let mut test = cargo(&["test", "--quiet", "--package", "workflow-core", "--test", "schemas"]);
            run(test.arg("committed").env("UPDATE_SCHEMAS", "1"))?;
        }
        Chore::Reference => {
            let mut test = cargo(&["test", "--quiet", "--package", "workflow-core", "--all-features"]);
            run(test.args(["--test", "reference", "committed"]).env("UPDATE_REFERENCE", "1"))?;
        }
        Chore::Typescript => clients::generate()?,
        Chore::Capabilities => {
            let mut test = cargo(&["test", "--quiet", "--package", "workflow-providers", "--all-features"]);
            test.args(["--test", "capabilities", "committed"]);
            run(test.env("UPDATE_CAPABILITIES", "1"))?;
        }
        Chore::Sim(Sim { seeds, from, keep_going }) => steps::simulate(seeds, from, keep_going)?,
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
