//! Whole engines in a simulated world: several of them share a store, and a seed decides which faults occur.
//!
//! - [`plot`]: the events as data: engines, runs, and crashes, partitions, control requests and more with
//!   their times. [`draw`](mod@draw) creates one from a seed.
//! - [`play`](mod@play): executes a plot. A [`process`] dies or is suspended with everything in it; a
//!   [`link`] to the store loses, delays and refuses requests; a [`provider`] answers as the run's case says,
//!   and a [`person`] does so or deviates.
//! - [`disk`]: the disk of the store: at times it is full, or locked by another program.
//! - [`journal`]: the guarantees of the store, recorded by a [`witness`] in front of it.
//! - [`judge`](mod@judge): checks the guarantees, and the outcome of each run.
//! - [`warnings`]: what the engines warn of, where no other trace is left.
//! - [`planted`]: stores with a defect, to show that the simulation finds it.

pub mod counts;
pub mod disk;
pub mod draw;
pub mod fork;
pub mod journal;
pub mod judge;
pub mod link;
pub mod person;
pub mod planted;
pub mod play;
pub mod plot;
pub mod process;
pub mod provider;
pub mod rude;
pub mod warnings;
pub mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::counts::Counts;
use self::planted::Defect;
use self::plot::Plot;
use crate::reference;

/// Plays a plot, and returns the violations and the counts of events.
pub fn simulate(plot: &Plot, defect: Option<Defect>) -> (Vec<String>, Counts) {
    let judged = catch_unwind(AssertUnwindSafe(|| judge::judge(plot, play::play(plot, defect))));
    judged.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        (vec![format!("panic: {}", message.unwrap_or_default())], Counts::default())
    })
}

/// A smaller plot has another order of events, so several seeds are tried for each.
const SEEDS: usize = 4;

/// The smallest plot that can be reached from `plot` and still violates a rule. At most `tries` plots are
/// tried.
pub fn shrink(plot: &Plot, defect: Option<Defect>, tries: usize) -> Plot {
    reference::shrink::shrink(plot, tries, |plot| {
        let sound = plot.is_sound();
        let seeds = (plot.seed..).take(if sound { SEEDS } else { 0 });
        let mut plots = seeds.map(|seed| Plot { seed, ..plot.clone() });
        plots.find(|plot| !simulate(plot, defect).0.is_empty())
    })
}
