//! Plays simulations, seed after seed, on all cores: what `cargo xtask sim` runs.
//!
//! ```text
//! simulate [--seeds N] [--from SEED] [--keep-going]
//! ```
//!
//! Ends at the first seed that violates a rule, with the smallest plot that still does; `--keep-going`
//! reports every such seed, without shrinking it.
#![allow(clippy::print_stdout, reason = "it talks to whoever runs it")]

use std::error::Error;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use workflow_tests::simulation::counts::Counts;
use workflow_tests::simulation::draw::draw;
use workflow_tests::simulation::{shrink, simulate};

/// How often the progress is shown.
const PROGRESS: Duration = Duration::from_secs(10);

/// The maximum number of smaller plots to try.
const TRIES: usize = 1_000;

struct Options {
    seeds: u64,
    from: u64,
    keep_going: bool,
}

fn options() -> Result<Options, Box<dyn Error>> {
    let mut options = Options { seeds: 1_000, from: 0, keep_going: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Result<u64, Box<dyn Error>> {
            Ok(words.next().ok_or(format!("{word} needs a number"))?.parse()?)
        };
        match word.as_str() {
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            "--keep-going" => options.keep_going = true,
            _ => return Err(format!("not understood: {word}").into()),
        }
    }
    Ok(options)
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = options()?;
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let all = Mutex::new(Counts::default());
    let failed = Mutex::new(Vec::new());
    let began = Instant::now();
    let told = Mutex::new(began);
    // A panic counts as a violation, and is reported as one.
    std::panic::set_hook(Box::new(|_| {}));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.seeds {
                        return;
                    }
                    let seed = options.from + number;
                    let (violations, counts) = simulate(&draw(seed), None);
                    if let Ok(mut all) = all.lock() {
                        *all += counts;
                    }
                    if !violations.is_empty() {
                        println!("seed {seed}: {}\n{}", violations.join("\n  "), draw(seed));
                        stop.store(!options.keep_going, Ordering::Relaxed);
                        if let Ok(mut failed) = failed.lock() {
                            failed.push(seed);
                        }
                    }
                    if let Ok(mut told) = told.lock()
                        && told.elapsed() > PROGRESS
                    {
                        *told = Instant::now();
                        println!("{} of {} seeds after {:.0?}", number + 1, options.seeds, began.elapsed());
                    }
                }
            });
        }
    });
    let played = next.into_inner().min(options.seeds);
    println!("{played} seeds from {} in {:.1?}", options.from, began.elapsed());
    print!("{}", all.into_inner()?);
    let mut failed = failed.into_inner()?;
    failed.sort_unstable();
    let Some(seed) = failed.first() else {
        println!("nothing was violated");
        return Ok(ExitCode::SUCCESS);
    };
    println!("{} seeds failed: {failed:?}", failed.len());
    if !options.keep_going {
        println!("making the plot of seed {seed} smaller");
        let smallest = shrink(&draw(*seed), None, TRIES);
        let (violations, _) = simulate(&smallest, None);
        println!("\nThe smallest plot found for seed {seed}:\n\n{smallest}\n{}\n", violations.join("\n"));
        println!("cargo xtask sim --seeds 1 --from {seed} plays it again");
    }
    Ok(ExitCode::FAILURE)
}
