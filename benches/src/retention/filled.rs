//! A store with many copies of a run that has ended.

use futures::executor::block_on;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, NoTls};
use workflow_core::ids::RunId;
use workflow_core::status::RunStatus;
use workflow_core::store::RunStore as _;
use workflow_exec::StartRun;
use workflow_store::{PostgresOptions, PostgresStore};

use crate::measure::Result;
use crate::work::{NoOp, chain, engine_on};

/// How many stages the run has that is copied.
const STAGES: usize = 4;
/// How many events that is: four for each stage, and three for the run.
pub(super) const RUN_EVENTS: u64 = STAGES as u64 * 4 + 3;

/// How many runs one statement copies.
const AT_ONCE: u64 = 20_000;

/// The time between two runs: 100 seconds, in nanoseconds.
const BETWEEN: i64 = 100_000_000_000;

/// The runs `copy-1` to `copy-N`, each later than the one before, and the last one in the past.
pub(super) struct Filled {
    runtime: Runtime,
    client: Client,
    url: String,
    pub(super) runs: u64,
}

/// `$1` to `$2` are the numbers of the runs, of `$3`. The head of a run tells its times too, and lists look at them there.
const COPY: &str = "WITH run AS ( \
        INSERT INTO workflow.run \
            (run_id, workflow, status, created, ended, head, last_event, obeyed, epoch, priority, labels) \
        SELECT 'copy-' || n, r.workflow, r.status, r.created - s.before, r.ended - s.before, \
            replace(replace(r.head, r.head::jsonb ->> 'createdAt', \
                to_char(to_timestamp((r.created - s.before) / 1e9) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')), \
                r.head::jsonb ->> 'completedAt', \
                to_char(to_timestamp((r.ended - s.before) / 1e9) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')), \
            r.last_event, r.obeyed, nextval('workflow.epoch'), r.priority, r.labels \
        FROM workflow.run r, generate_series($1::bigint, $2::bigint) n, \
            LATERAL (SELECT ($3::bigint - n + 1) * $4::bigint AS before) s \
        WHERE r.run_id = 'template' RETURNING key) \
    INSERT INTO workflow.event (key, seq, body) \
    SELECT run.key, e.seq, e.body FROM run, workflow.event e \
    WHERE e.key = (SELECT key FROM workflow.run WHERE run_id = 'template')";

impl Filled {
    pub(super) fn new(url: &str, store: &PostgresStore, runs: u64) -> Result<Self> {
        template(url)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let client = runtime.block_on(connect(url))?;
        let filled = Self { runtime, client, url: url.to_owned(), runs };
        let mut from = 1;
        while from <= runs {
            let to = (from + AT_ONCE - 1).min(runs);
            let bounds = [from, to, runs].map(i64::try_from);
            let [from_run, to_run, all] = bounds;
            filled.runtime.block_on(filled.client.execute(COPY, &[&from_run?, &to_run?, &all?, &BETWEEN]))?;
            from = to + 1;
        }
        block_on(store.delete(&RunId::new("template")?))?;
        filled.execute("VACUUM (ANALYZE) workflow.run")?;
        filled.execute("VACUUM (ANALYZE) workflow.event")?;
        filled.execute("CHECKPOINT")?;
        Ok(filled)
    }

    pub(super) fn execute(&self, sql: &str) -> Result<()> {
        Ok(self.runtime.block_on(self.client.batch_execute(sql))?)
    }

    /// The size of the database, of the runs and of the events, with their indexes.
    pub(super) fn bytes(&self) -> Result<[u64; 3]> {
        let sql = "SELECT pg_database_size(current_database()), pg_total_relation_size('workflow.run'), \
             pg_total_relation_size('workflow.event')";
        let row = self.runtime.block_on(self.client.query_one(sql, &[]))?;
        let bytes = |column| u64::try_from(row.get::<_, i64>(column));
        Ok([bytes(0)?, bytes(1)?, bytes(2)?])
    }

    /// A connection that sees what there is now until it is dropped, as `pg_dump` does.
    pub(super) fn snapshot(&self) -> Result<Client> {
        self.runtime.block_on(async {
            let client = connect(&self.url).await?;
            client
                .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM workflow.worker")
                .await?;
            Ok(client)
        })
    }
}

async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Drives the run that is copied.
fn template(url: &str) -> Result<()> {
    let engine = engine_on(PostgresOptions::new(url).open()?, NoOp)?;
    let plan = engine.prepare(&chain(STAGES)?)?;
    let view = block_on(engine.run(StartRun::plan(&plan).run_id(RunId::new("template")?)))?;
    assert_eq!(view.status, RunStatus::Completed);
    Ok(())
}

/// The id of a copy, by its number.
pub(super) fn copy(number: u64) -> Result<RunId> {
    Ok(RunId::new(format!("copy-{number}"))?)
}
