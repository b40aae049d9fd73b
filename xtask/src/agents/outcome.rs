//! The results of the tests, as a table of case and agent.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::install::Agent;
use crate::workspace::{line, root};

/// Whether each test passed, by its name.
pub(crate) struct Outcomes(BTreeMap<String, bool>);

impl Outcomes {
    /// Runs the tests, shows their output, and records the result of each.
    pub(crate) fn of(command: &mut Command) -> Result<Self> {
        let shown = line(command);
        println!("$ {shown}");
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{shown}`"))?;
        let mut outcomes = BTreeMap::new();
        let told = child.stdout.take().context("nextest has no output")?;
        for line in BufReader::new(told).lines() {
            let Ok(told) = serde_json::from_str::<Value>(&line?) else { continue };
            let (Some("test"), Some(name)) = (told["type"].as_str(), told["name"].as_str()) else { continue };
            let name = name.rsplit('$').next().unwrap_or(name).split('#').next().unwrap_or_default();
            match told["event"].as_str() {
                Some("ok") => drop(outcomes.insert(name.to_owned(), true)),
                Some("failed" | "timeout") => drop(outcomes.insert(name.to_owned(), false)),
                _ => {}
            }
        }
        let status = child.wait()?;
        let outcomes = Self(outcomes);
        ensure!(status.success() || !outcomes.all_passed(), "`{shown}` exited with {status}");
        Ok(outcomes)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn all_passed(&self) -> bool {
        self.0.values().all(|passed| *passed)
    }

    /// The table, in Markdown: a row per case, a column per agent; followed by the cases that need all of
    /// them.
    pub(crate) fn table(&self, agents: &[&Agent]) -> String {
        let mut cases: BTreeMap<(&str, &str), BTreeMap<&str, bool>> = BTreeMap::new();
        let mut together = String::new();
        for (name, passed) in &self.0 {
            let parts: Vec<&str> = name.split("::").collect();
            if let [file, agent, case] = parts[..] {
                cases.entry((file, case)).or_default().insert(agent, *passed);
            } else {
                let case = parts.last().copied().unwrap_or_default().replace('_', " ");
                let _ = writeln!(together, "| {case} | {} |", word(Some(*passed)));
            }
        }
        let heads: Vec<_> = agents.iter().map(|agent| format!("{} {}", agent.name, agent.version)).collect();
        let mut table = format!("| | {} |\n|---|{}\n", heads.join(" | "), "---|".repeat(agents.len()));
        for ((file, case), by_agent) in &cases {
            let cell = |agent: &&Agent| word(by_agent.get(&*agent.module()).copied());
            let cells: Vec<_> = agents.iter().map(cell).collect();
            let _ = writeln!(table, "| {file}: {} | {} |", case.replace('_', " "), cells.join(" | "));
        }
        if !together.is_empty() {
            let _ = write!(table, "\n| without an agent of its own | |\n|---|---|\n{together}");
        }
        table
    }
}

fn word(passed: Option<bool>) -> &'static str {
    match passed {
        Some(true) => "passed",
        Some(false) => "FAILED",
        None => "not run",
    }
}

const BEGIN: &str = "<!-- Written by `cargo xtask test-agents`: -->\n";
const END: &str = "<!-- until here. -->";

/// Writes the table into the docs, between its markers.
pub(crate) fn write_docs(table: &str) -> Result<()> {
    let path = root().join("docs/src/guides/agents.md");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let marks = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        marks.with_context(|| format!("{} has no markers for the table", path.display()))?;
    std::fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))?;
    println!("wrote docs/src/guides/agents.md");
    Ok(())
}
