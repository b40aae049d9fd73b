//! Whole engines in a simulated world: the guarantees hold for every seed.
//!
//! ```text
//! cargo xtask sim --seeds 10000
//! ```
//!
//! plays more of them, and tells of a seed that fails what is left of it when all that does not matter is left
//! out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

use workflow_tests::simulation::counts::Counts;
use workflow_tests::simulation::draw::draw;
use workflow_tests::simulation::planted::Defect;
use workflow_tests::simulation::play::play;
use workflow_tests::simulation::plot::Plot;
use workflow_tests::simulation::{shrink, simulate};

/// How many seeds each test plays.
const SEEDS: u64 = 200;

/// A defect must be found within this many seeds.
const FOUND_WITHIN: u64 = 1_000;

/// The maximum number of smaller plots to try if one is sure to fail.
const TRIES: usize = 15;

fn nothing_is_violated(share: u64) -> Counts {
    let mut all = Counts::default();
    for seed in share * SEEDS..(share + 1) * SEEDS {
        let (violations, counts) = simulate(&draw(seed), None);
        let again = format!("cargo xtask sim --seeds 1 --from {seed}");
        assert!(violations.is_empty(), "seed {seed}: {}\n\n{again}", violations.join("\n"));
        all += counts;
    }
    all
}

#[test]
fn what_can_happen_happens_and_nothing_is_violated() {
    let counts = nothing_is_violated(0);
    assert_eq!(counts.absent(), [""; 0], "\n{counts}");
}

#[test]
fn nothing_is_violated_by_more_seeds() {
    nothing_is_violated(1);
}

#[test]
fn nothing_is_violated_by_yet_more_seeds() {
    nothing_is_violated(2);
}

#[test]
fn nothing_is_violated_by_still_more_seeds() {
    nothing_is_violated(3);
}

/// Each of these found a fault, in the engine or in the reference.
#[test]
fn nothing_is_violated_by_seeds_that_found_faults() {
    let seeds = [
        2880,  // a store answered a claim after the lease had run out: the run had two drivers in one engine
        3557,  // the budget was used up and the prompt could not be rendered
        6943,  // what a failed lane gave was taken for an output
        11845, // an approved node that could not be rendered was the last that its lane waited for
        16599, // a call whose start was stored after an outage was not stopped in the next one
        57137, // the same
        59693, // the controls in the lost answer of an append without events were skipped
        27913, // the same, when the driver did not wait for that answer
        82867, // an item that is passed over gave up a session after its end, and the run could not be driven
        9317, // a lane was complete with a node that was refused and passed over, and the next lane did not start
        17922, // an answer ended a lane of several that follow each other, in a run that was driven
        68983, // a driver forgot that its lease had run out, and found events of another one that equalled its own
        71333, // what is left of a stage whose variables cannot be set
        97064, // the same
    ];
    for seed in seeds {
        let (violations, _) = simulate(&draw(seed), None);
        assert!(violations.is_empty(), "seed {seed}: {}", violations.join("\n"));
    }
}

/// Byte for byte, including the counts.
#[test]
fn the_same_seed_makes_the_same_logs() {
    let mut different = Vec::new();
    for seed in 0..40 {
        let logs = || {
            let played = play(&draw(seed), None);
            let logs: Vec<_> =
                played.stored.values().map(|(_, log)| serde_json::to_string(log).unwrap()).collect();
            (logs.join("\n"), played.counts.to_string())
        };
        let first = logs();
        assert_eq!(first, logs(), "seed {seed}");
        different.push(first.0);
    }
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 40, "each seed makes logs of its own");
}

/// The size of a plot.
fn size(plot: &Plot) -> usize {
    plot.engines.len() + plot.runs.len() + plot.happenings.len()
}

/// Finds a defect in a plot of at least that size; and the plot after this many attempts to shrink it.
fn found(defect: Defect, least: usize, tries: usize) -> (Plot, Plot) {
    let mut plots = (0..FOUND_WITHIN).map(draw).filter(|plot| size(plot) >= least);
    let plot = plots.find(|plot| !simulate(plot, Some(defect)).0.is_empty());
    let plot = plot.unwrap_or_else(|| panic!("{defect:?} is not found"));
    let smallest = shrink(&plot, Some(defect), tries);
    assert!(!simulate(&smallest, Some(defect)).0.is_empty(), "what is left still fails:\n{smallest}");
    assert_eq!(simulate(&smallest, None).0, [""; 0], "and not without the defect");
    (plot, smallest)
}

#[test]
fn a_store_that_lets_two_runs_with_a_key_work_is_found() {
    found(Defect::IgnoresSlots, 0, TRIES);
}

#[test]
fn a_store_that_takes_what_a_fenced_engine_writes_is_found() {
    found(Defect::IgnoresTheEpoch, 0, TRIES);
}

#[test]
fn a_store_that_loses_what_it_acknowledged_is_found() {
    found(Defect::LosesAnAppend, 0, TRIES);
}

#[test]
fn a_store_that_gives_a_run_to_two_engines_is_found() {
    found(Defect::HandsOutTwice, 0, TRIES);
}

#[test]
fn a_panic_that_is_not_recorded_as_a_failure_is_found() {
    found(Defect::LosesPanics, 0, 2);
}

#[test]
fn a_process_that_does_not_reclaim_an_unclaimed_run_is_found() {
    found(Defect::RefusesFormerHolders, 0, 2);
}

#[test]
fn a_store_that_does_not_notice_that_its_disk_is_full_is_found() {
    found(Defect::IgnoresAFullDisk, 0, 2);
}

#[test]
fn output_that_is_not_stored_any_more_after_the_disk_was_full_is_found() {
    found(Defect::DropsOutputAfterFull, 0, 2);
}

#[test]
fn two_answers_of_which_both_senders_hear_that_they_were_taken_are_found() {
    found(Defect::HidesRefusals, 0, 2);
}

#[test]
fn a_store_that_loses_who_sent_a_control_request_is_found() {
    found(Defect::LosesSenders, 0, 2);
}

#[test]
fn a_store_that_takes_one_sender_of_control_requests_for_another_is_found() {
    found(Defect::SwapsSenders, 0, 2);
}

#[test]
fn what_does_not_matter_for_a_failure_is_left_out() {
    let (plot, smallest) = found(Defect::LosesAnAppend, 12, 6 * TRIES);
    assert!(size(&smallest) <= size(&plot) / 2, "of\n{plot}\nis left\n{smallest}");
}
