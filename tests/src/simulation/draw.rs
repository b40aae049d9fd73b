//! The plot of a seed.

use workflow_core::store::Control;

use super::plot::{EngineSetup, Happening, Plot, RunSetup, What};
use crate::reference::case::Case;
use crate::reference::chance::Chance;
use crate::reference::generate::generate;

/// The plot of a seed.
///
/// # Panics
///
/// When a workflow of it is none that can be run.
pub fn draw(seed: u64) -> Plot {
    let chance = &mut Chance::of(seed, "plot");
    let engines = 1 + chance.below(4);
    let runs = 1 + chance.below(5);
    let setups = (0..engines)
        .map(|_| EngineSetup { runs: *chance.one(&[1, 2, 64]), places: *chance.one(&[0, 0, 1, 2]) });
    let setups = setups.collect();
    let runs: Vec<_> = (0..runs as u64).map(|number| run(chance, seed, number, engines)).collect();
    let happenings: Vec<_> = (0..chance.below(9))
        .map(|_| Happening {
            at: moment(chance),
            engine: chance.below(engines),
            what: what(chance, runs.len() as u64),
        })
        .collect();
    Plot { seed, late_hints: *chance.one(&[0, 0, 30, 100]), happenings, engines: setups, runs }
}

fn run(chance: &mut Chance, seed: u64, number: u64, engines: usize) -> RunSetup {
    let case = generate(seed.wrapping_mul(8).wrapping_add(number));
    // What happens to hosts is in the plot.
    let case = Case { pauses: Vec::new(), deaths: Vec::new(), tells: chance.percent(30), ..case };
    let at = if chance.percent(50) { 0 } else { moment(chance) };
    RunSetup { number, at, engine: chance.below(engines), driven: chance.percent(30), case }
}

/// Most things happen early, when there is most to disturb.
fn moment(chance: &mut Chance) -> u64 {
    let most = *chance.one(&[200, 2_000, 10_000, 40_000]);
    chance.next() % most
}

/// A while: often shorter than a lease, and at times longer than two.
fn while_(chance: &mut Chance) -> u64 {
    let most = *chance.one(&[500, 5_000, 12_000, 30_000]);
    1 + chance.next() % most
}

fn what(chance: &mut Chance, runs: u64) -> What {
    let lasts = while_(chance);
    match chance.below(100) {
        0..=17 => What::Crash { down: lasts },
        18..=25 => What::Shutdown { down: lasts },
        26..=32 => What::Freeze { lasts },
        33..=44 => What::Refused { lasts },
        45..=56 => What::Silence { lasts },
        57..=64 => What::Slow { most: *chance.one(&[50, 500, 5_000]), lasts },
        65..=72 => What::Flaky { percent: *chance.one(&[10, 40]), lasts },
        73..=76 => What::Clock { by: *chance.one(&[-60_000, -500, 500, 60_000]) },
        77..=78 => What::StoreClock { by: *chance.one(&[1_000, 15_000]) },
        _ => {
            let control = match chance.below(10) {
                0..=3 => Control::Pause,
                4..=6 => Control::Resume,
                7..=8 => Control::Cancel,
                _ => Control::Kill,
            };
            What::Control { run: chance.next() % runs, control }
        }
    }
}
