//! Many runs at the same time, on one thread.

use std::sync::Arc;

use futures::executor::block_on;
use workflow_core::plan::Plan;
use workflow_core::provider::Provider;
use workflow_core::status::RunStatus;
use workflow_exec::{Engine, StartRun};

use crate::measure::{Effort, Result, Times, busy, repeat};
use crate::table::Row;
use crate::work::{Bare, NoOp, Yielding, all, chain, engine};

const STAGES: usize = 5;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let many = effort.amount(10_000);
    let few = many / 10;
    rows.extend(pair("calls ready at once", few, many, effort, || NoOp)?);
    rows.extend(pair("calls that yield once", few, many, effort, || Yielding)?);
    Ok(rows)
}

fn pair<P: Provider + 'static>(
    how: &str,
    few: usize,
    many: usize,
    effort: Effort,
    provider: impl Fn() -> P,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let mut medians = Vec::new();
    for runs in [few, many] {
        let [ran, floor] = measure(runs, effort, &provider)?;
        let what = format!("{runs} concurrent runs of 5 steps, {how}, per step");
        rows.push(Row::times(what, ran, Some(floor)).goal("G3 ≤ 1.2 µs", ran.median <= 1_200.0));
        medians.push(ran.median);
    }
    if let [few, many] = medians[..] {
        let growth = many / few;
        rows.push(Row::figure("  many / few", format!("{growth:.2}")).goal("G3 linear", growth <= 1.2));
    }
    Ok(rows)
}

fn measure<P: Provider + 'static>(
    runs: usize,
    effort: Effort,
    provider: impl Fn() -> P,
) -> Result<[Times; 2]> {
    let bare = Bare::new(provider())?;
    let workflow = chain(STAGES)?;
    repeat(effort.repetitions(), runs * STAGES, || {
        let (called, floor) = busy(|| block_on(all((0..runs).map(|_| bare.in_a_row(STAGES)))));
        called?;
        let engine = engine(provider())?;
        let plan = engine.prepare(&workflow)?;
        let (ended, ran) = busy(|| run(&engine, &plan, runs));
        ended?;
        Ok([ran, floor])
    })
}

fn run(engine: &Engine, plan: &Arc<Plan>, runs: usize) -> Result<()> {
    block_on(all((0..runs).map(|_| async {
        let view = engine.run(StartRun::plan(plan)).await?;
        assert_eq!(view.status, RunStatus::Completed);
        Ok(())
    })))
}

/// So many runs of five steps at the same time, for profilers that count instructions.
pub(crate) fn once(runs: usize) -> Result<()> {
    let engine = engine(NoOp)?;
    run(&engine, &engine.prepare(&chain(STAGES)?)?, runs)
}
