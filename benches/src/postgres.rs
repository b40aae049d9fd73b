//! Runs in a PostgreSQL database that waits for the disk.

use std::time::Duration;

use futures::executor::block_on;
use tokio_postgres::{Client, NoTls, Statement};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::RunStore;
use workflow_exec::{Engine, StartRun};
use workflow_store::{PostgresOptions, PostgresStore};
use workflow_testkit::postgres::{Server, anywhere};

use crate::measure::{Effort, Result, repeat, timed};
use crate::table::Row;
use crate::work::{NoOp, all, chain, engine_on};

const STAGES: usize = 100;
const STAGES_OF_MANY: usize = 10;

/// The number of clients with the highest throughput of statements that store one append each.
const CLIENTS: usize = 16;

pub(crate) fn rows(effort: Effort) -> Result<Vec<Row>> {
    let server = match Server::start(&anywhere(), true) {
        Ok(server) => server,
        Err(reason) => {
            let reason = reason.lines().next().unwrap_or_default().to_owned();
            return Ok(vec![Row::figure("PostgreSQL", format!("not measured: {reason}"))]);
        }
    };
    let url = server.url();
    let bare = Bare::new(&url)?;
    let mut rows = vec![one(effort, &url, &bare)?];
    for runs in [64, 1_000] {
        rows.extend(many(runs, effort, &url, &bare)?);
    }
    Ok(rows)
}

/// Long leases, because they are not renewed here.
fn options(url: &str) -> PostgresOptions {
    PostgresOptions::new(url).lease_time(Duration::from_secs(24 * 60 * 60))
}

async fn run(engine: &Engine, start: StartRun) -> Result<RunId> {
    let view = engine.run(start).await?;
    assert_eq!(view.status, RunStatus::Completed);
    Ok(view.run_id)
}

fn one(effort: Effort, url: &str, bare: &Bare) -> Result<Row> {
    let stages = effort.amount(STAGES);
    let reader = options(url).open()?;
    let engine = engine_on(options(url).open()?, NoOp)?;
    let plan = engine.prepare(&chain(stages)?)?;
    let [ran, floor] = repeat(effort.repetitions(), stages, || {
        let (id, ran) = timed(|| block_on(run(&engine, StartRun::plan(&plan))));
        let appends = appends(&reader, &id?, stages)?;
        let keys = bare.runs(1)?;
        let (stored, floor) = timed(|| bare.store(&keys, std::slice::from_ref(&appends)));
        stored?;
        Ok([ran, floor])
    })?;
    let ratio = ran.median / floor.median;
    let row = Row::times(format!("one run in PostgreSQL, {stages} stages, per step"), ran, Some(floor));
    Ok(row.goal("G7 ≤ 1.3 × bare statement", ratio <= 1.3))
}

fn many(runs: usize, effort: Effort, url: &str, bare: &Bare) -> Result<Vec<Row>> {
    let runs = if effort.quick { runs / 8 } else { runs };
    let steps = runs * STAGES_OF_MANY;
    let reader = options(url).open()?;
    let engine = engine_on(options(url).open()?, NoOp)?;
    let plan = engine.prepare(&chain(STAGES_OF_MANY)?)?;
    let sample = block_on(run(&engine, StartRun::plan(&plan)))?;
    let appends = appends(&reader, &sample, STAGES_OF_MANY)?;
    // A part of the floor is enough, because it does not vary.
    let share = (steps / 2_000).max(1);
    let clients: Vec<_> = (0..CLIENTS).map(|_| repeated(&appends, steps / share / CLIENTS)).collect();
    let sampled: usize = clients.iter().map(Vec::len).sum();
    let [ran, floor] = repeat(effort.repetitions() / 3, steps, || {
        let (ended, ran) = timed(|| {
            block_on(all((0..runs).map(|_| async { run(&engine, StartRun::plan(&plan)).await.map(drop) })))
        });
        ended?;
        let keys = bare.runs(CLIENTS)?;
        let (stored, floor) = timed(|| bare.store(&keys, &clients));
        stored?;
        #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
        let whole = floor.mul_f64(steps as f64 / sampled.max(1) as f64);
        Ok([ran, whole])
    })?;
    let rate = 1e9 / ran.median;
    let what = format!("{runs} concurrent runs of {STAGES_OF_MANY} steps in PostgreSQL, per step");
    let met = ran.median <= floor.median / 2.4;
    Ok(vec![
        Row::times(what, ran, Some(floor)).goal("G8 ≤ 1/2.4 of 16 bare clients", met),
        Row::figure("  steps per second", format!("{rate:.0}")).goal("G8 ≥ 25,000", rate >= 25_000.0),
    ])
}

/// The appends of a run, in about the portions of its steps.
fn appends(store: &PostgresStore, run: &RunId, stages: usize) -> Result<Vec<Vec<String>>> {
    let events = block_on(store.events(run, 0, usize::MAX))?;
    let text = |event: &Event| Ok(serde_json::to_string(event)?);
    let size = events.len().div_ceil(stages);
    events.chunks(size).map(|portion| portion.iter().map(text).collect()).collect()
}

fn repeated(appends: &[Vec<String>], count: usize) -> Vec<Vec<String>> {
    appends.iter().cycle().take(count).cloned().collect()
}

/// The floor: a statement that stores the same events, unless another client has written.
struct Bare {
    runtime: tokio::runtime::Runtime,
    clients: Vec<(Client, Statement)>,
}

const TABLES: &str = "CREATE TABLE bare_run (key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
     last bigint NOT NULL) WITH (fillfactor = 70); \
     CREATE TABLE bare_event (key bigint, seq bigint, body text, PRIMARY KEY (key, seq))";

const APPEND: &str = "WITH held AS (UPDATE bare_run SET last = last + $2 WHERE key = $1 AND last = $3 \
     RETURNING key) \
     INSERT INTO bare_event SELECT held.key, $3 + e.place, e.body \
     FROM held, unnest($4::text[]) WITH ORDINALITY AS e (body, place)";

impl Bare {
    fn new(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let clients = runtime.block_on(async {
            let mut clients = Vec::new();
            for number in 0..CLIENTS {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
                tokio::spawn(connection);
                if number == 0 {
                    client.batch_execute(TABLES).await?;
                }
                let statement = client.prepare(APPEND).await?;
                clients.push((client, statement));
            }
            Ok::<_, tokio_postgres::Error>(clients)
        })?;
        Ok(Self { runtime, clients })
    }

    /// Creates a run for each of this many clients.
    fn runs(&self, clients: usize) -> Result<Vec<i64>> {
        self.runtime.block_on(async {
            let mut keys = Vec::new();
            for (client, _) in &self.clients[..clients] {
                let made = "INSERT INTO bare_run (last) VALUES (0) RETURNING key";
                keys.push(client.query_one(made, &[]).await?.get(0));
            }
            Ok(keys)
        })
    }

    /// Stores the appends of several runs, with one client per run and one statement per append.
    fn store(&self, runs: &[i64], appends: &[Vec<Vec<String>>]) -> Result<()> {
        let stored =
            self.clients.iter().zip(runs).zip(appends).map(|(((client, statement), run), appends)| {
                one_after_the_other(client, statement, *run, appends)
            });
        self.runtime.block_on(all(stored))
    }
}

async fn one_after_the_other(
    client: &Client,
    statement: &Statement,
    key: i64,
    appends: &[Vec<String>],
) -> Result<()> {
    let mut last = 0_i64;
    for append in appends {
        let count = i64::try_from(append.len())?;
        client.execute(statement, &[&key, &count, &last, append]).await?;
        last += count;
    }
    Ok(())
}
