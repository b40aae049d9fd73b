//! From a file's text to a plan, and the list of a catalog.

use std::fmt::Write as _;
use std::fs;

use futures::executor::block_on;
use workflow_core::catalog::Catalog as _;
use workflow_core::definition::Workflow;
use workflow_store::FsCatalog;

use crate::measure::{Effort, Result, busy, repeat, timed};
use crate::table::Row;
use crate::work::{NoOp, directory, engine};

const FILES: usize = 100;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    Ok(vec![parse(effort)?, list(effort)?])
}

/// The floor: reading the same workflow from JSON, without a check.
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
    let met = parsed.median <= 1e6;
    let row = Row::times("parse, validate, compile a workflow of 20 stages", parsed, Some(floor));
    Ok(row.goal("G13 ≤ 1 ms", met))
}

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
    let met = listed.median <= 20e6;
    Ok(Row::times("100 workflow files listed", listed, Some(floor)).goal("G13 ≤ 20 ms", met))
}

/// A workflow as people write them.
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
