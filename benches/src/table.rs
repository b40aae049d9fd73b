//! The table of results.

use std::fmt::Write as _;

use crate::measure::Times;

/// A row of the table.
pub(crate) struct Row {
    what: String,
    min: String,
    median: String,
    floor: String,
    ratio: String,
    goal: String,
}

impl Row {
    /// Times, with those of the floor that was measured in the same repetitions.
    pub(crate) fn times(what: impl Into<String>, times: Times, floor: Option<Times>) -> Self {
        Self {
            what: what.into(),
            min: time(times.min),
            median: time(times.median),
            floor: floor.map(|floor| time(floor.median)).unwrap_or_default(),
            ratio: floor.map(|floor| format!("{:.1}", times.median / floor.median)).unwrap_or_default(),
            goal: String::new(),
        }
    }

    /// A single figure.
    pub(crate) fn figure(what: impl Into<String>, figure: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            min: String::new(),
            median: figure.into(),
            floor: String::new(),
            ratio: String::new(),
            goal: String::new(),
        }
    }

    /// Adds a floor.
    pub(crate) fn floor(self, floor: impl Into<String>, ratio: f64) -> Self {
        Self { floor: floor.into(), ratio: format!("{ratio:.1}"), ..self }
    }

    /// Adds the goal, and whether it was met.
    pub(crate) fn goal(self, goal: &str, met: bool) -> Self {
        let met = if met { "met" } else { "not met" };
        Self { goal: format!("{goal}: {met}"), ..self }
    }
}

/// Formats nanoseconds.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 9_999.5 => format!("{n:.0} ns"),
        n if n < 999_950.0 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.1} ms", n / 1e6),
    }
}

/// The rows as a Markdown table.
pub(crate) fn render(rows: &[Row]) -> String {
    let head = ["", "min", "median", "floor", "× floor", "goal"].map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(head)
        .chain(rows.iter().map(|row| {
            [&row.what, &row.min, &row.median, &row.floor, &row.ratio, &row.goal].map(String::clone)
        }))
        .collect();
    let widths: [usize; 6] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0).max(3)
    });
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            // Writing to a `String` cannot fail.
            let _ = if matches!(column, 0 | 5) {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
        }
        text.push_str("|\n");
        if number == 0 {
            for (column, width) in widths.iter().enumerate() {
                let rule = "-".repeat(width - 1);
                let _ = if matches!(column, 0 | 5) {
                    write!(text, "| {rule}- ")
                } else {
                    write!(text, "| {rule}: ")
                };
            }
            text.push_str("|\n");
        }
    }
    text
}
