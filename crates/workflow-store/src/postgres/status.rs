//! What a schema has, its migration on request, and how its tables are cleaned.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use tokio_postgres::types::Type;
use workflow_core::store::StoreError;

use super::PostgresOptions;
use super::database::{Database, Query};
use super::row::{timestamp, unsigned};
use super::schema;
use super::thread::within_runtime;
use crate::status::StoreStatus;

/// How long a migration or a vacuum may take.
const LONG: Duration = Duration::from_secs(12 * 60 * 60);

const RUNS: Query = Query::new("SELECT status, count(*) FROM @.run GROUP BY status", &[]);

/// The numbers of the last events and not the events, which may be a hundred times as many.
const SUMS: Query = Query::new(
    "SELECT coalesce(sum(last_event), 0)::bigint, min(created), \
         (SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c \
             WHERE c.relnamespace = $1::regnamespace AND c.relkind IN ('r', 'S')) \
     FROM @.run",
    &[Type::TEXT],
);

/// The tables whose rows are deleted or updated.
const TABLES: [&str; 9] = ["run", "event", "chunk", "log", "notice", "slot", "worker", "bundle", "version"];

impl PostgresOptions {
    /// What the schema has. Blocks until that is read.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn status(&self) -> Result<StoreStatus, StoreError> {
        self.ask(async |database| {
            let versions = schema::versions(database).await?;
            let mut status = StoreStatus {
                kind: "postgres",
                version: Some(versions.version),
                needed_version: Some(versions.needed),
                newest_version: Some(versions.newest),
                runs: BTreeMap::new(),
                events: 0,
                bytes: 0,
                oldest_run_at: None,
            };
            if versions.version == 0 {
                return Ok(status);
            }
            for row in database.read(&RUNS, &[]).await? {
                status.runs.insert(row.get(0), unsigned(row.get(1)));
            }
            let rows = database.read(&SUMS, &[&database.schema()]).await?;
            let row = database.one(&rows)?;
            status.events = unsigned(row.get(0));
            status.oldest_run_at = row.get::<_, Option<i64>>(1).map(timestamp);
            status.bytes = unsigned(row.get(2));
            Ok(status)
        })
    }

    /// Brings the schema up to date, as opening it does, and without the limit of time that a statement has otherwise. Of several
    /// processes one does it, and the others wait. Blocks until that is done.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn migrate(&self) -> Result<(), StoreError> {
        self.clone().time_limit(LONG).ask(async |database| schema::prepare(database).await)
    }

    /// Makes the space of deleted rows usable again, and updates the statistics of the tables. Nothing waits for it. The files do not
    /// become smaller: new rows use the space. Blocks until that is done.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn vacuum(&self) -> Result<(), StoreError> {
        self.clone().time_limit(LONG).ask(async |database| {
            for table in TABLES {
                database.read_once(&format!("VACUUM (ANALYZE) @.{table}"), &[]).await?;
            }
            Ok(())
        })
    }

    /// Does something on a thread with connections of its own.
    fn ask<T: Send>(
        &self,
        job: impl AsyncFnOnce(&Database) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let closed = |message: &str| StoreError::Closed(message.to_owned());
        let mut answer = Err(closed("the runtime of a thread could not start"));
        let work = || {
            within_runtime(async {
                answer = match Database::new(self) {
                    Ok(database) => job(&database).await,
                    Err(error) => Err(error),
                };
            })
        };
        let ended = thread::scope(|scope| scope.spawn(work).join());
        match ended {
            Ok(Ok(())) => answer,
            Ok(Err(error)) => Err(closed(&error.to_string())),
            Err(_) => Err(closed("the thread panicked")),
        }
    }
}
