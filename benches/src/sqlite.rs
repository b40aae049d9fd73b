//! Runs in an SQLite database, each of their steps stored before the next: one run alone, and many together.

use std::path::Path;
use std::time::Duration;

use futures::executor::block_on;
use rusqlite::Connection;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_exec::StartRun;
use workflow_store::{SqliteOptions, SqliteStore, Synchronous};

use crate::measure::{Effort, Result, Times, repeat, timed};
use crate::table::Row;
use crate::work::{NoOp, all, chain, directory, engine_on};

/// Stages of a run alone.
const STAGES: usize = 200;

/// Stages of each of many runs.
const FEW_STAGES: usize = 20;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for synchronous in [Synchronous::Normal, Synchronous::Full] {
        rows.push(alone(effort, synchronous)?);
        for runs in [64, 1_000] {
            rows.extend(together(effort, synchronous, effort.amount(runs).max(8))?);
        }
    }
    Ok(rows)
}

/// The floor: the same bytes in the same portions, one transaction for each.
fn alone(effort: Effort, synchronous: Synchronous) -> Result<Row> {
    let stages = effort.amount(STAGES);
    let [ran, floor, _] = measure(effort, synchronous, 1, stages)?;
    let ratio = ran.median / floor.median;
    let row = Row::times(format!("one run in SQLite, {synchronous:?}, per step"), ran, Some(floor));
    Ok(match synchronous {
        Synchronous::Normal => row.goal("G5 ≤ 1.5 × floor", ratio <= 1.5),
        _ => row.goal("G5 ≤ 1.25 × floor", ratio <= 1.25),
    })
}

/// The floor of one transaction per portion is what many runs would cost one by one; another floor has one
/// transaction for as many portions as there are runs.
fn together(effort: Effort, synchronous: Synchronous, runs: usize) -> Result<Vec<Row>> {
    let [ran, single, batch] = measure(effort, synchronous, runs, FEW_STAGES)?;
    let what = format!("{runs} concurrent runs in SQLite, {synchronous:?}, per step");
    let row = Row::times(what, ran, Some(batch));
    let gain = single.median / ran.median;
    let steps = 1e9 / ran.median;
    let figure =
        Row::figure("  × faster than one transaction each; steps/s", format!("{gain:.1}; {steps:.0}"));
    Ok(match (synchronous, runs) {
        (Synchronous::Full, 64) => {
            vec![row, figure.goal("G6 ≥ 10 ×, 30,000/s", gain >= 10.0 && steps >= 3e4)]
        }
        (Synchronous::Full, 1_000) => {
            vec![row, figure.goal("G6 ≥ 28 ×, 80,000/s", gain >= 28.0 && steps >= 8e4)]
        }
        _ => vec![row, figure],
    })
}

/// The engine; the bare client with a transaction per portion; the same with one for as many portions as
/// there are runs. Per step.
fn measure(effort: Effort, synchronous: Synchronous, runs: usize, stages: usize) -> Result<[Times; 3]> {
    let workflow = chain(stages)?;
    repeat(effort.repetitions().min(9), runs * stages, || {
        let home = directory()?;
        let path = home.path().join("runs.db");
        // Leases are not renewed here.
        let options = SqliteOptions::new().synchronous(synchronous).lease_time(Duration::from_secs(3_600));
        let engine = engine_on(SqliteStore::open_with(&path, options)?, NoOp)?;
        let plan = engine.prepare(&workflow)?;
        let (ended, ran) = timed(|| {
            block_on(all((0..runs).map(|number| {
                let (engine, plan) = (&engine, &plan);
                async move {
                    let start = StartRun::plan(plan).run_id(RunId::new(format!("run-{number}"))?);
                    assert_eq!(engine.run(start).await?.status, RunStatus::Completed);
                    Ok(())
                }
            })))
        });
        ended?;
        drop(engine);
        let portions = portions(&path)?;
        let bare = |name: &str, each: usize| write(&home.path().join(name), synchronous, &portions, each);
        // A sample shows what many runs take one by one.
        let some = portions.len().min(500);
        let single = write(&home.path().join("single.db"), synchronous, &portions[..some], 1)?;
        let single = single * u32::try_from(portions.len())? / u32::try_from(some)?;
        Ok([ran, single, bare("batch.db", runs)?])
    })
}

type Portion = (i64, i64, String);

/// The data of each append, in order.
fn portions(path: &Path) -> Result<Vec<Portion>> {
    let database = Connection::open(path)?;
    let mut portions = database.prepare("SELECT run, number, body FROM event ORDER BY rowid")?;
    let rows = portions.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes them with the same settings, `together` portions per transaction.
fn write(path: &Path, synchronous: Synchronous, portions: &[Portion], each: usize) -> Result<Duration> {
    let database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(
        None,
        "synchronous",
        if synchronous == Synchronous::Full { "full" } else { "normal" },
    )?;
    database.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    database.execute_batch(
        "CREATE TABLE event (run INTEGER NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
        CREATE UNIQUE INDEX event_by_number ON event (run, number);",
    )?;
    let (written, time) = timed(|| -> rusqlite::Result<()> {
        for portions in portions.chunks(each) {
            database.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            for portion in portions {
                let sql = "INSERT INTO event (run, number, body) VALUES (?1, ?2, ?3)";
                database.prepare_cached(sql)?.execute((portion.0, portion.1, &portion.2))?;
            }
            database.prepare_cached("COMMIT")?.execute([])?;
        }
        Ok(())
    });
    written?;
    Ok(time)
}
