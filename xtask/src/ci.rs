//! `cargo xtask ci`: runs the steps and shows how long each took.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::builder::PossibleValuesParser;

use crate::steps::{ALL, Step};

/// Which steps to run, and whether to stop at a failure.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only this step; may be given more than once
    #[arg(long, value_name = "STEP", value_parser = PossibleValuesParser::new(ALL.iter().map(|step| step.name)))]
    only: Vec<String>,
    /// Continue after a step that failed
    #[arg(long)]
    keep_going: bool,
    /// List the steps, and run none
    #[arg(long)]
    list: bool,
}

/// One line of the table at the end.
struct Row {
    what: String,
    took: Duration,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Passed,
    Failed,
    Installed,
    Skipped,
}

/// Runs the requested steps, and fails if one of them does.
pub(crate) fn run(options: &Options) -> ExitCode {
    let chosen = |step: &&Step| options.only.is_empty() || options.only.iter().any(|name| name == step.name);
    let steps: Vec<&Step> = ALL.iter().filter(chosen).collect();
    if options.list {
        for step in steps {
            println!("{:10} {}", step.name, step.about);
        }
        return ExitCode::SUCCESS;
    }

    let mut rows = Vec::new();
    for step in &steps {
        if !run_step(step, &mut rows) && !options.keep_going {
            break;
        }
    }
    let count = |outcome| rows.iter().filter(|row| row.outcome == outcome).count();
    let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
    let skipped = count(Outcome::Skipped);
    print_table(&rows, steps.len() - passed - failed - skipped);
    println!("\nsteps: {passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs one step after installing its tool, and returns whether nothing failed.
fn run_step(step: &Step, rows: &mut Vec<Row>) -> bool {
    println!("\n=== {}: {}", step.name, step.about);
    let started = Instant::now();
    let mut result = Ok(());
    if let Some(tool) = &step.tool {
        result = tool.ensure().map(|installed| {
            if installed {
                let what = format!("{}'s tool", step.name);
                rows.push(Row { what, took: started.elapsed(), outcome: Outcome::Installed });
            }
        });
    }
    let started = Instant::now();
    let hindrance = step.hindrance.filter(|_| result.is_ok()).and_then(|hindrance| hindrance());
    let outcome = match (hindrance, result) {
        (Some(hindrance), Ok(())) => {
            println!("{}: skipped: {hindrance}", step.name);
            Outcome::Skipped
        }
        (_, result) => match result.and_then(|()| (step.check)()) {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                println!("{}: {error:#}", step.name);
                Outcome::Failed
            }
        },
    };
    rows.push(Row { what: step.name.to_owned(), took: started.elapsed(), outcome });
    outcome != Outcome::Failed
}

fn print_table(rows: &[Row], not_run: usize) {
    println!("\n{:16} {:>8}", "step", "seconds");
    for row in rows {
        let outcome = match row.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Installed => "installed",
            Outcome::Skipped => "skipped",
        };
        println!("{:16} {:8.1}  {outcome}", row.what, row.took.as_secs_f64());
    }
    let total: Duration = rows.iter().map(|row| row.took).sum();
    println!("{:16} {:8.1}", "total", total.as_secs_f64());
    if not_run > 0 {
        println!("{not_run} more steps were not run");
    }
}
