//! One stage with many parallel lanes.

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_exec::StartRun;

use crate::measure::{Effort, Result, busy, repeat};
use crate::table::Row;
use crate::work::{Bare, NoOp, engine, fan_out};

const LANES: usize = 1_000;
const RUNS: usize = 20;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let runs = effort.amount(RUNS);
    let workflow = fan_out(LANES)?;
    let bare = Bare::new(NoOp)?;
    let [ran, floor] = repeat(effort.repetitions(), runs * LANES, || {
        let (called, floor) = busy(|| {
            block_on(async {
                for _ in 0..runs {
                    bare.side_by_side(LANES).await?;
                }
                Result::Ok(())
            })
        });
        called?;
        let engine = engine(NoOp)?;
        let plan = engine.prepare(&workflow)?;
        let (ended, ran) = busy(|| {
            block_on(async {
                for _ in 0..runs {
                    let view = engine.run(StartRun::plan(&plan)).await?;
                    assert_eq!(view.status, RunStatus::Completed);
                }
                Result::Ok(())
            })
        });
        ended?;
        Ok([ran, floor])
    })?;
    let met = ran.median <= 800.0;
    Ok(vec![
        Row::times("fan-out, 1,000 lanes in a stage, per node", ran, Some(floor)).goal("G2 ≤ 0.8 µs", met),
    ])
}
