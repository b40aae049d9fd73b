//! What the engine adds to the work it drives: one table, each figure beside its floor.

mod concurrent;
mod fan_out;
mod measure;
mod sequential;
mod table;
mod work;

use std::io::Write as _;

use measure::{Effort, Result};

fn main() -> Result<()> {
    let mut effort = Effort { quick: false };
    let mut only = None;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => effort.quick = true,
            other => only = Some(other.to_owned()),
        }
    }
    let groups: [(&str, fn(Effort) -> Result<Vec<table::Row>>); 3] = [
        ("sequential", sequential::rows),
        ("fan-out", fan_out::rows),
        ("concurrent", concurrent::rows),
    ];
    let mut rows = Vec::new();
    for (name, group) in groups {
        if only.as_ref().is_none_or(|only| only == name) {
            rows.extend(group(effort)?);
        }
    }
    std::io::stdout().write_all(table::render(&rows).as_bytes())?;
    Ok(())
}
