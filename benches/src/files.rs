//! One run in files, each of its steps synced to disk before the next.

use std::fs;
use std::io::Write as _;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_exec::StartRun;
use workflow_store::FileStore;

use crate::measure::{Effort, Result, repeat, timed};
use crate::table::Row;
use crate::work::{NoOp, chain, directory, engine_on};

const STAGES: usize = 200;

/// The floor: the same bytes in the same portions, each written and synced, in the same directory.
pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let stages = effort.amount(STAGES);
    let home = directory()?;
    let engine = engine_on(FileStore::open(home.path())?, NoOp)?;
    let plan = engine.prepare(&chain(stages)?)?;
    let mut last: Option<RunId> = None;
    let [ran, floor] = repeat(effort.repetitions(), stages, || {
        let (view, ran) = timed(|| block_on(engine.run(StartRun::plan(&plan))));
        let view = view?;
        assert_eq!(view.status, RunStatus::Completed);
        let run = home.path().join("runs").join(view.run_id.as_str());
        let log = fs::read(run.join("events.jsonl"))?;
        let portions: Vec<_> = portions(&log).collect();
        let mut file = fs::File::create(run.join("floor"))?;
        let (written, floor) = timed(|| {
            portions.iter().try_for_each(|portion| file.write_all(portion).and_then(|()| file.sync_data()))
        });
        written?;
        last = Some(view.run_id);
        Ok([ran, floor])
    })?;
    let ratio = ran.median / floor.median;
    let row = Row::times(format!("one run in files, {stages} stages, per step"), ran, Some(floor));
    Ok(vec![row.goal("G9 ≤ 1.3 × floor", ratio <= 1.3)])
}

/// The bytes of each append: lines that say that more follow, and one that does not.
fn portions(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = log;
    std::iter::from_fn(move || {
        let mut end = 0;
        for line in rest.split_inclusive(|byte| *byte == b'\n') {
            end += line.len();
            if !line.ends_with(b"\"more\":true}\n") {
                break;
            }
        }
        let (portion, behind) = rest.split_at(end);
        rest = behind;
        (!portion.is_empty()).then_some(portion)
    })
}
