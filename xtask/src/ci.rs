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

enum Outcome {
    Passed,
    /// With the error.
    Failed(String),
    Installed,
    Skipped,
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed(_) => "FAILED",
            Self::Installed => "installed",
            Self::Skipped => "skipped",
        }
    }
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
    let count = |outcome: &str| rows.iter().filter(|row| row.outcome.word() == outcome).count();
    let (passed, failed, skipped) = (count("passed"), count("FAILED"), count("skipped"));
    // Again, as what the later steps printed is long.
    for row in &rows {
        if let Outcome::Failed(error) = &row.outcome {
            println!("\n=== {} failed: {error}", row.what);
        }
    }
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
                println!("{}: FAILED", step.name);
                Outcome::Failed(format!("{error:#}"))
            }
        },
    };
    let failed = matches!(outcome, Outcome::Failed(_));
    rows.push(Row { what: step.name.to_owned(), took: started.elapsed(), outcome });
    !failed
}

fn print_table(rows: &[Row], not_run: usize) {
    println!("\n{:16} {:>8}", "step", "seconds");
    for row in rows {
        println!("{:16} {:8.1}  {}", row.what, row.took.as_secs_f64(), row.outcome.word());
    }
    let total: Duration = rows.iter().map(|row| row.took).sum();
    println!("{:16} {:8.1}", "total", total.as_secs_f64());
    if not_run > 0 {
        println!("{not_run} more steps were not run");
    }
}
