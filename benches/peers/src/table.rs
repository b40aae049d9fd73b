//! The table: each engine with each work, in rounds.

use std::process::Command;

use crate::measure::{Result, Work, build_ours};
use crate::{ENGINES, Engine};

/// Measures everything in this many rounds, and prints the table.
pub(crate) fn make(rounds: usize) -> Result<()> {
    build_ours()?;
    let cells: Vec<(&Engine, Work)> =
        ENGINES.iter().flat_map(|engine| engine.does.iter().map(move |work| (engine, *work))).collect();
    let mut figures = vec![Vec::new(); cells.len()];
    for round in 1..=rounds.max(1) {
        eprintln!("round {round} of {rounds}");
        for ((engine, work), figures) in cells.iter().zip(&mut figures) {
            figures.push(measured(engine, *work)?);
        }
    }
    println!("| | keeps | in a row | all at once | many runs |");
    println!("|---|---|---|---|---|");
    for engine in ENGINES {
        let shown = engine.does.iter().map(|work| {
            let place = cells.iter().position(|(of, which)| of.name == engine.name && which == work);
            place.map_or(String::new(), |place| shown(&figures[place]))
        });
        println!("| {} | {} | {} |", engine.name, engine.keeps, shown.collect::<Vec<_>>().join(" | "));
    }
    Ok(())
}

/// One figure, by a process of its own.
fn measured(engine: &Engine, work: Work) -> Result<f64> {
    let output =
        Command::new(std::env::current_exe()?).args(["measure", engine.name, &work.told()]).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}, {}: {error}", engine.name, work.told()).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// The median, and the smallest and the largest.
fn shown(figures: &[f64]) -> String {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let at = |place: usize| match figures[place] {
        figure if figure < 10.0 => format!("{figure:.2}"),
        figure if figure < 100.0 => format!("{figure:.1}"),
        figure => format!("{figure:.0}"),
    };
    format!("{} ({} to {})", at(figures.len() / 2), at(0), at(figures.len() - 1))
}
