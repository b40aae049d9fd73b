//! Draws the plot of a seed.

use indexmap::IndexMap;
use serde_json::json;
use workflow_core::store::Control;

use super::fork::{ForkSetup, Place};
use super::plot::{EngineSetup, Happening, Plot, RunSetup, What};
use crate::reference::case::Case;
use crate::reference::chance::Chance;
use crate::reference::generate::generate;

/// The theme of a plot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Theme {
    Anything,
    /// The only process is suspended, and its leases expire.
    Suspension,
    /// The store cannot be written to.
    Disk,
}

/// The weights of the themes.
const THEMES: &[Theme] = &[
    Theme::Anything,
    Theme::Anything,
    Theme::Anything,
    Theme::Anything,
    Theme::Anything,
    Theme::Anything,
    Theme::Anything,
    Theme::Anything,
    Theme::Suspension,
    Theme::Disk,
];

/// The plot of a seed.
///
/// # Panics
///
/// If one of its workflows cannot be run.
pub fn draw(seed: u64) -> Plot {
    let chance = &mut Chance::of(seed, "plot");
    let theme = *chance.one(THEMES);
    let engines = if theme == Theme::Suspension { 1 } else { 1 + chance.below(4) };
    let runs = 1 + chance.below(5);
    let setups = (0..engines)
        .map(|_| EngineSetup { runs: *chance.one(&[1, 2, 64]), places: *chance.one(&[0, 0, 1, 2]) });
    let setups = setups.collect();
    let mut runs: Vec<_> = (0..runs as u64).map(|number| run(chance, seed, number, engines)).collect();
    share_keys(&mut runs, seed);
    let mut happenings: Vec<_> = (0..chance.below(9))
        .map(|_| Happening {
            at: moment(chance),
            engine: chance.below(engines),
            what: what(chance, theme, runs.len() as u64),
        })
        .collect();
    let forks = if chance.percent(40) { 1 + chance.below(3) } else { 0 };
    happenings.extend((0..forks as u64).map(|number| Happening {
        at: moment(chance),
        engine: chance.below(engines),
        what: What::Fork(fork(chance, number)),
    }));
    Plot { seed, late_hints: *chance.one(&[0, 0, 30, 100]), happenings, engines: setups, runs }
}

fn run(chance: &mut Chance, seed: u64, number: u64, engines: usize) -> RunSetup {
    let case = generate(seed.wrapping_mul(8).wrapping_add(number));
    // The plot has its own faults of hosts.
    let case = Case { pauses: Vec::new(), deaths: Vec::new(), tells: chance.percent(30), ..case };
    let at = if chance.percent(50) { 0 } else { moment(chance) };
    RunSetup { number, at, engine: chance.below(engines), driven: chance.percent(30), key: None, case }
}

/// Some runs wait for each other. Drawn apart from everything else, so that it changes nothing else of a seed.
fn share_keys(runs: &mut [RunSetup], seed: u64) {
    let chance = &mut Chance::of(seed, "keys");
    if chance.percent(40) {
        for run in runs {
            run.key = Some(chance.below(2) as u64).filter(|_| chance.percent(80));
        }
    }
}

fn fork(chance: &mut Chance, number: u64) -> ForkSetup {
    let of = chance.below(8);
    let one = chance.below(200);
    let place = match chance.below(10) {
        0..=1 => Place::Start,
        2 => Place::Stage(one),
        3 => Place::Node(one),
        _ => Place::Event(one),
    };
    let mut vars = IndexMap::new();
    if chance.percent(40) {
        vars.insert("flag".to_owned(), chance.percent(50).into());
    }
    if chance.percent(30) {
        vars.insert("n".to_owned(), chance.below(9).into());
    }
    let outputs = [json!({ "done": true, "score": 9 }), json!("said by a person"), json!([1, "two"])];
    let output = Some(chance.one(&outputs).clone()).filter(|_| chance.percent(40));
    ForkSetup { number, of, place, vars, output }
}

/// Most events happen early, when they affect the most.
fn moment(chance: &mut Chance) -> u64 {
    let most = *chance.one(&[200, 2_000, 10_000, 40_000]);
    chance.next() % most
}

/// A duration: often shorter than a lease, and sometimes longer than several.
fn while_(chance: &mut Chance) -> u64 {
    let most = *chance.one(&[500, 5_000, 12_000, 30_000, 60_000]);
    1 + chance.next() % most
}

fn what(chance: &mut Chance, theme: Theme, runs: u64) -> What {
    let lasts = while_(chance);
    let what = match theme {
        Theme::Anything => chance.below(100),
        Theme::Suspension => *chance.one(&[26, 33, 73, 77, 99]),
        Theme::Disk => *chance.one(&[45, 48, 99]),
    };
    match what {
        0..=17 => What::Crash { down: lasts },
        18..=25 => What::Shutdown { down: lasts },
        26..=32 => What::Freeze { lasts },
        33..=36 => What::Freeze { lasts: 10_000 + lasts },
        37..=44 => What::Refused { lasts },
        45..=47 => What::Full { lasts },
        48..=50 => What::Locked { lasts },
        51..=56 => What::Silence { lasts },
        57..=64 => What::Slow { most: *chance.one(&[50, 500, 5_000]), lasts },
        65..=72 => What::Flaky { percent: *chance.one(&[10, 40]), lasts },
        73..=76 => What::Clock { by: *chance.one(&[-60_000, -500, 500, 60_000]) },
        77..=78 => {
            What::StoreClock { by: *chance.one(&[1_000, 15_000, 15_000, 86_400_000, -1_000, -15_000]) }
        }
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
