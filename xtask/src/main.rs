//! The project's chores as one program: `cargo xtask help` lists them.
#![allow(clippy::print_stdout, reason = "a chore talks to whoever runs it")]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

mod ci;
mod steps;
mod tools;
mod workspace;

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Chore {
    /// Check everything that has to hold before a change lands
    Ci(ci::Options),
    /// Install the cargo tools that `ci` uses, at their pinned versions
    Tools,
}

fn main() -> Result<ExitCode> {
    match Chore::parse() {
        Chore::Ci(options) => Ok(ci::run(&options)),
        Chore::Tools => {
            tools::ALL.iter().try_for_each(|tool| tool.ensure().map(drop))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
