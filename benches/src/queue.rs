//! Claims of runs from a short and a long queue: what a worker that looks for work waits for.

use std::time::Duration;

use futures::executor::block_on;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use workflow_core::priority::Priority;
use workflow_core::status::RunStatus;
use workflow_core::store::{LabelLimit, RunFilter, RunStore};
use workflow_store::{PostgresOptions, SqliteOptions, SqliteStore};
use workflow_testkit::postgres::{Server, anywhere};

use crate::measure::{Effort, Result, repeat, timed};
use crate::sqlite_reads::new_run;
use crate::table::Row;
use crate::work::directory;

/// How many runs are claimed at once.
const BATCH: usize = 10;
const SHORT: usize = 2_000;
const LONG: usize = 200_000;

/// Long leases, because they are not renewed here.
const LEASE: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = in_sqlite(effort)?;
    match Server::start(&anywhere(), false) {
        Ok(server) => rows.extend(in_postgres(effort, &server.url())?),
        Err(reason) => {
            let reason = reason.lines().next().unwrap_or_default().to_owned();
            rows.push(Row::figure("PostgreSQL", format!("not measured: {reason}")));
        }
    }
    Ok(rows)
}

fn in_sqlite(effort: Effort) -> Result<Vec<Row>> {
    let homes = [directory()?, directory()?];
    let open = |home: &tempfile::TempDir| {
        SqliteStore::open_with(home.path().join("runs.db"), SqliteOptions::new().lease_time(LEASE))
    };
    measured("SQLite", effort, &open(&homes[0])?, &open(&homes[1])?)
}

fn in_postgres(effort: Effort, url: &str) -> Result<Vec<Row>> {
    let open = |schema: &str| PostgresOptions::new(url).schema(schema).lease_time(LEASE).open();
    measured("PostgreSQL", effort, &open("short")?, &open("long")?)
}

fn measured(name: &str, effort: Effort, short: &dyn RunStore, long: &dyn RunStore) -> Result<Vec<Row>> {
    let count = effort.amount(LONG);
    block_on(queue(short, effort.amount(SHORT)))?;
    block_on(queue(long, count))?;
    let [many, few] = repeat(effort.repetitions(), 1, || Ok([claim(long)?, claim(short)?]))?;
    let what =
        format!("claiming {BATCH} of {count} pending runs in {name}; floor: of {}", effort.amount(SHORT));
    let row = Row::times(what, many, Some(few));
    let limit = LabelLimit::new("tenant", 2)?;
    // The first makes the index.
    claim_within(long, &limit)?;
    claim_within(short, &limit)?;
    let [within, few_within] =
        repeat(effort.repetitions(), 1, || Ok([claim_within(long, &limit)?, claim_within(short, &limit)?]))?;
    let limited = Row::times("  with 2 runs of each of 51 tenants at most", within, Some(few_within));
    let row = row.goal("A6 ≤ 2 × a short queue", many.median <= few.median * 2.0);
    let pending = RunFilter::all().status(RunStatus::Pending).created_before(Timestamp::MAX);
    let [counted] = repeat(effort.repetitions(), 1, || {
        let (found, time) = timed(|| block_on(long.count(&pending)));
        assert_eq!(found?, count as u64);
        Ok([time])
    })?;
    Ok(vec![row, limited, Row::times("  counting them", counted, None)])
}

/// Adds pending runs that no process holds.
async fn queue(store: &dyn RunStore, count: usize) -> Result<()> {
    let priorities: Vec<_> = Priority::all().collect();
    let runs = stream::iter((0..count).map(|number| {
        let mut run = new_run(&format!("run-{number}"))?;
        run.head.priority = priorities[number % priorities.len()];
        // One tenant has nearly all of the queue.
        let tenant =
            if number % 100 == 99 { format!("tenant-{}", number / 100 % 50) } else { "busy".to_owned() };
        run.head.labels.insert("tenant".to_owned(), tenant);
        Ok(run)
    }));
    runs.try_for_each_concurrent(256, async |run| {
        let lease = store.create(run).await?;
        Ok(store.release(lease).await?)
    })
    .await
}

/// Claims some of them within a limit, and gives them back.
fn claim_within(store: &dyn RunStore, limit: &LabelLimit) -> Result<Duration> {
    let (leases, time) = timed(|| block_on(store.claim_within(BATCH, Timestamp::MAX, limit)));
    let leases = leases?;
    assert_eq!(leases.len(), BATCH);
    block_on(stream::iter(leases).map(Ok).try_for_each(|lease| store.release(lease)))?;
    Ok(time)
}

/// Claims some of them, and gives them back.
fn claim(store: &dyn RunStore) -> Result<Duration> {
    let (leases, time) = timed(|| block_on(store.claim_next(BATCH, Timestamp::MAX)));
    let leases = leases?;
    assert_eq!(leases.len(), BATCH);
    block_on(stream::iter(leases).map(Ok).try_for_each(|lease| store.release(lease)))?;
    Ok(time)
}
