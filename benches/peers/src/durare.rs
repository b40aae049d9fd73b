//! durare: an async function whose steps are recorded, in memory or in SQLite.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use durare::{
    DurableContext, DurableEngine, InMemoryProvider, SqliteProvider, StateProvider, WorkflowHandle,
    WorkflowOptions,
};
use futures::future::try_join_all;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tempfile::TempDir;

use crate::measure::{FEW, Result, Work, folder, median};

async fn row(context: DurableContext, steps: usize) -> durare::Result<usize> {
    for step in 0..steps {
        context.step("step", move || async move { Ok(step) }).await?;
    }
    Ok(steps)
}

async fn fan_out(context: DurableContext, steps: usize) -> durare::Result<usize> {
    let all = (0..steps).map(|step| context.step("step", move || async move { Ok(step) }));
    try_join_all(all).await?;
    Ok(steps)
}

async fn engine(provider: Arc<dyn StateProvider>) -> Result<DurableEngine> {
    let mut engine = DurableEngine::new(provider).await?;
    engine.register("row", row);
    engine.register("fan-out", fan_out);
    Ok(engine)
}

async fn run(engine: &DurableEngine, work: Work) -> Result<()> {
    let (name, steps, runs) = match work {
        Work::Row(steps) => ("row", steps, 1),
        Work::FanOut(steps) => ("fan-out", steps, 1),
        Work::Runs(runs) => ("row", FEW, runs),
    };
    let all = (0..runs).map(|run| async move {
        let options = WorkflowOptions::with_id(format!("run-{run}"));
        let handle: WorkflowHandle<usize> = engine.start(name, steps, options).await?;
        handle.await
    });
    try_join_all(all).await?;
    Ok(())
}

pub(crate) fn in_memory(work: Work) -> Result<f64> {
    let prepare = async || engine(Arc::new(InMemoryProvider::new())).await;
    median(work.steps(), prepare, async |engine| run(engine, work).await, async |_| ())
}

pub(crate) fn normal(work: Work) -> Result<f64> {
    in_sqlite(work, SqliteSynchronous::Normal)
}

pub(crate) fn full(work: Work) -> Result<f64> {
    in_sqlite(work, SqliteSynchronous::Full)
}

/// As its own `connect` opens a database, with another `synchronous`.
fn in_sqlite(work: Work, synchronous: SqliteSynchronous) -> Result<f64> {
    let prepare = async || {
        let home = folder()?;
        let url = format!("sqlite:{}", home.path().join("runs.db").display());
        let options = SqliteConnectOptions::from_str(&url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            .busy_timeout(Duration::from_secs(60));
        let pool = SqlitePoolOptions::new().max_connections(5).connect_with(options).await?;
        Ok((home, engine(Arc::new(SqliteProvider::from_pool(pool))).await?))
    };
    let run = async |(_, engine): &(TempDir, DurableEngine)| run(engine, work).await;
    median(work.steps(), prepare, run, async |_| ())
}
