//! One run of consecutive stages.

use std::time::Duration;

use futures::executor::block_on;
use workflow_core::status::RunStatus;
use workflow_exec::StartRun;

use crate::measure::{Effort, Result, Times, busy, repeat};
use crate::table::Row;
use crate::work::{Bare, NoOp, chain, engine};

/// Steps of one repetition: short runs are repeated.
const STEPS: usize = 20_000;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut whole = Vec::new();
    for stages in [10, 100, 1_000, 10_000] {
        let [compiled, run, both, floor] = measure(stages, effort)?;
        whole.push((stages, both));
        let step = format!("sequential, {stages} stages, per step");
        rows.push(Row::times(&step, run, Some(floor)).goal("G1 ≤ 1 µs", run.median <= 1_000.0));
        rows.push(Row::times("  compiling the plan", compiled, None));
        rows.push(Row::times("  both", both, Some(floor)));
    }
    let of = |stages| whole.iter().find(|(n, _)| *n == stages).map_or(f64::NAN, |(_, times)| times.median);
    let growth = of(10_000) / of(100);
    rows.push(
        Row::figure("  t(10,000) / t(100), both", format!("{growth:.2}")).goal("G1 ≤ 1.2", growth <= 1.2),
    );
    Ok(rows)
}

/// Measures compiling, running, both, and the bare calls.
fn measure(stages: usize, effort: Effort) -> Result<[Times; 4]> {
    let runs = (effort.amount(STEPS) / stages).max(1);
    let workflow = chain(stages)?;
    let bare = Bare::new(NoOp)?;
    repeat(effort.repetitions(), runs * stages, || {
        let (called, floor) = busy(|| block_on(bare.in_a_row(runs * stages)));
        called?;
        let engine = engine(NoOp)?;
        let (mut compiling, mut running) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..runs {
            let (plan, time) = busy(|| engine.prepare(&workflow));
            let plan = plan?;
            compiling += time;
            let (view, time) = busy(|| block_on(engine.run(StartRun::plan(&plan))));
            assert_eq!(view?.status, RunStatus::Completed);
            running += time;
        }
        Ok([compiling, running, compiling + running, floor])
    })
}
