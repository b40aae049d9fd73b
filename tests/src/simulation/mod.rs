//! Whole engines in a simulated world: several of them share a store, and a seed decides what happens to them.
//!
//! - [`plot`]: what happens, as data: engines, runs, and crashes, partitions, controls and more at their times.
//!   [`draw`](mod@draw) makes one of a seed.
//! - [`play`](mod@play): what it comes to. A [`process`] dies or stands still with all that is in it; a
//!   [`link`] to the store loses, delays and refuses; a [`provider`] answers as the run's case has it,
//!   and a [`person`] as it has it or otherwise.
//! - [`disk`]: where the store writes: at times it is full, or locked by somebody else.
//! - [`journal`]: what the store has promised, noted by a [`witness`] that stands before it.
//! - [`judge`](mod@judge): whether that was kept, and whether each run came to what it has to.
//! - [`planted`]: stores with a defect, so that one sees that it would be found.

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
pub mod witness;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::counts::Counts;
use self::planted::Defect;
use self::plot::Plot;
use crate::reference;

/// Plays a plot, and says what was violated and what happened how often.
pub fn simulate(plot: &Plot, defect: Option<Defect>) -> (Vec<String>, Counts) {
    let judged = catch_unwind(AssertUnwindSafe(|| judge::judge(plot, play::play(plot, defect))));
    judged.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        (vec![format!("panic: {}", message.unwrap_or_default())], Counts::default())
    })
}

/// With less in a world, what is left comes in another order. So as many seeds are tried for each smaller plot.
const SEEDS: usize = 4;

/// The smallest plot that can be reached from `plot`, of which something is still violated. So many are tried.
pub fn shrink(plot: &Plot, defect: Option<Defect>, tries: usize) -> Plot {
    reference::shrink::shrink(plot, tries, |plot| {
        let sound = plot.is_sound();
        let seeds = (plot.seed..).take(if sound { SEEDS } else { 0 });
        let mut plots = seeds.map(|seed| Plot { seed, ..plot.clone() });
        plots.find(|plot| !simulate(plot, defect).0.is_empty())
    })
}
