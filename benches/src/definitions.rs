//! From a file's text to a plan, and the list of a catalog.

use std::fmt::Write as _;
use std::fs;

use futures::executor::block_on;
use workflow_core::catalog::{Catalog as _, Part, Text, Version};
use workflow_core::definition::{self, Defaults, Diagnostics, Workflow};
use workflow_core::plan::Plan;
use workflow_store::FsCatalog;

use crate::measure::{Effort, Result, busy, repeat, timed};
use crate::table::Row;
use crate::work::{NoOp, directory, engine};

const FILES: usize = 100;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    Ok(vec![parse(effort)?, parts(effort)?, list(effort)?])
}

/// The floor: parsing the same workflow from JSON, without checks.
fn parse(effort: Effort) -> Result<Row> {
    let engine = engine(NoOp)?;
    let text = text("twenty", 20);
    let json = serde_json::to_string(engine.parse(&text, "twenty")?.workflow())?;
    let times = effort.amount(100);
    let [parsed, floor] = repeat(effort.repetitions(), times, || {
        let (read, floor) =
            busy(|| (0..times).try_for_each(|_| serde_json::from_str(&json).map(drop::<Workflow>)));
        read?;
        let (plans, parsed) = busy(|| (0..times).try_for_each(|_| engine.parse(&text, "twenty").map(drop)));
        plans?;
        Ok([parsed, floor])
    })?;
    let met = parsed.median <= 0.25e6;
    let row = Row::times("parse, validate, compile a workflow of 20 stages", parsed, Some(floor));
    Ok(row.goal("G13 ≤ 0.25 ms", met))
}

/// The same with four roles and ten profiles, whose texts are in memory. The floor is that of the workflow
/// alone.
fn parts(effort: Effort) -> Result<Row> {
    let mut text = text("twenty", 20);
    for number in 0..20 {
        let profile = if number % 2 == 0 { "  profile: deep\n" } else { "" };
        let stage = format!("stage-{number}:\n");
        text = text
            .replace(&format!("\n{stage}"), &format!("\n{stage}  role: worker-{}\n{profile}", number % 4));
    }
    let times = effort.amount(50);
    let json = serde_json::to_string(compiled(&text)?.workflow())?;
    let [checked, floor] = repeat(effort.repetitions(), times, || {
        let (read, floor) =
            busy(|| (0..times).try_for_each(|_| serde_json::from_str(&json).map(drop::<Workflow>)));
        read?;
        let (plans, checked) = busy(|| (0..times).try_for_each(|_| compiled(&text).map(drop)));
        plans?;
        Ok([checked, floor])
    })?;
    let name = "parse, check, compile 20 stages with 4 roles and 10 profiles";
    Ok(Row::times(name, checked, Some(floor)))
}

fn compiled(text: &str) -> std::result::Result<Plan, Diagnostics> {
    let defaults = Defaults::default();
    let roles: Vec<_> = (0..4).filter_map(|number| format!("worker-{number}").parse().ok()).collect();
    let mut draft = definition::read(text.as_bytes(), None);
    loop {
        let wanted = draft.wanted(&defaults, &roles);
        if wanted.is_empty() {
            break;
        }
        for part in wanted {
            let found = match &part {
                Part::Role(_) => Some(ROLE),
                Part::Profile(_, id) if id.as_str() == "deep" => Some(PROFILE),
                _ => None,
            };
            let found = found.map(|text| Text {
                origin: part.to_string(),
                text: text.to_owned(),
                version: Version(String::new()),
            });
            draft.give(&part, Ok(found));
        }
    }
    match draft.resolve(&defaults) {
        Some(bundle) => Plan::compile(bundle),
        None => Err(Diagnostics(draft.finish())),
    }
}

const ROLE: &str = "---\nname: Worker\nvariables: [feature]\n---\nWork on {{feature}}.\n{{#each inputs}}\n{{this}}\n{{/each}}\n";
const PROFILE: &str = "graph:
  - { id: a, prompt: 'Look at ${vars.feature}' }
  - { id: b, inputs: [a], prompt: Judge, when: '$.nodes.a.status == \"completed\"' }
  - { id: c, type: export, from: b }
";

/// The floor: reading the files.
fn list(effort: Effort) -> Result<Row> {
    let home = directory()?;
    let catalog = FsCatalog::open(home.path())?;
    let folder = home.path().join("workflows");
    for number in 0..FILES {
        let id = format!("workflow-{number}");
        block_on(catalog.create(&id.parse()?, &text(&id, 5)))?;
    }
    let [listed, floor] = repeat(effort.repetitions(), 1, || {
        let (read, floor) = timed(|| {
            fs::read_dir(&folder)?
                .try_fold(0, |sum, entry| Ok::<_, std::io::Error>(sum + fs::read(entry?.path())?.len()))
        });
        read?;
        let (entries, listed) = timed(|| block_on(catalog.list()));
        assert_eq!(entries?.len(), FILES);
        Ok([listed, floor])
    })?;
    let met = listed.median <= 5e6;
    Ok(Row::times("100 workflow files listed", listed, Some(floor)).goal("G13 ≤ 5 ms", met))
}

/// A workflow in the usual style.
fn text(id: &str, stages: usize) -> String {
    let names: Vec<_> = (0..stages).map(|number| format!("stage-{number}")).collect();
    let mut text = format!(
        "workflow:\n  id: {id}\n  name: A workflow of {stages} stages\n  stages: [{}]\n  loop:\n    \
         max_iters: 5\n    stop_when: \"$.done == true\"\n",
        names.join(", ")
    );
    for (number, name) in names.iter().enumerate() {
        let before = names[number.saturating_sub(1)].as_str();
        // Writing to a `String` cannot fail.
        let _ = write!(
            text,
            "\n{name}:\n  provider: noop\n  on_failure: retry\n  retries: 2\n  \
             when: \"$.vars.skip != true && $.iteration < 4\"\n  \
             prompt: |\n    Work on ${{vars.feature}} as you were told,\n    and mind ${{stages.{before}.output:-nothing}}.\n  \
             timeout: 30m\n"
        );
    }
    text
}
