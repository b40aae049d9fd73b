//! One measurement for `benches/peers`, which compares engines: microseconds per step, as the others are measured.

use std::sync::Arc;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_core::plan::Plan;
use workflow_core::status::RunStatus;
use workflow_exec::{Engine, StartRun};
use workflow_store::{SqliteOptions, SqliteStore, Synchronous};

use crate::measure::{Result, Times, repeat, timed};
use crate::work::{NoOp, all, chain, directory, engine, engine_on, fan_out};

/// Stages of each of many runs.
const FEW: usize = 5;

/// Measures `work`, for instance `row-1000`, with the store `memory`, or SQLite with `normal` or `full` synchronisation.
pub(crate) fn child(work: &str, store: &str) -> Result<String> {
    let (what, size) = work.rsplit_once('-').ok_or("the work has no size")?;
    let size: usize = size.parse()?;
    let (workflow, runs, steps) = match what {
        "row" => (chain(size)?, 1, size),
        "fan-out" => (fan_out(size)?, 1, size),
        "runs" => (chain(FEW)?, size, size * FEW),
        _ => return Err(format!("no work is called `{what}`").into()),
    };
    let [Times { median, .. }] = repeat(5, steps, || {
        let home = directory()?;
        let sqlite = |synchronous| {
            let options = SqliteOptions::new().synchronous(synchronous);
            engine_on(SqliteStore::open_with(home.path().join("runs.db"), options)?, NoOp)
        };
        let engine = match store {
            "memory" => engine(NoOp)?,
            "normal" => sqlite(Synchronous::Normal)?,
            "full" => sqlite(Synchronous::Full)?,
            _ => return Err(format!("no store is called `{store}`").into()),
        };
        let plan = engine.prepare(&workflow)?;
        let (ended, ran) = timed(|| run(&engine, &plan, runs));
        ended?;
        Ok([ran])
    })?;
    Ok(format!("{}\n", median / 1e3))
}

fn run(engine: &Engine, plan: &Arc<Plan>, runs: usize) -> Result<()> {
    block_on(all((0..runs).map(|number| async move {
        let start = StartRun::plan(plan).run_id(RunId::new(format!("run-{number}"))?);
        assert_eq!(engine.run(start).await?.status, RunStatus::Completed);
        Ok(())
    })))
}
