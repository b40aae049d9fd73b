//! The stores of a play.

use std::sync::{Arc, OnceLock};

use tempfile::TempDir;
use tokio_postgres::NoTls;
use workflow_core::store::{RunFilter, RunStore};
use workflow_store::{FileStore, PostgresOptions, SqliteStore};
use workflow_testkit::postgres::SharedServer;
use workflow_tests::inline::Inline;
use workflow_tests::play::Medium;
use workflow_tests::sim::Sim;

/// A server to use instead of one that is started for the tests.
const URL: &str = "WORKFLOW_TEST_POSTGRES_URL";

pub(crate) struct Files(TempDir);

pub(crate) struct Sqlite(TempDir);

/// A schema for one test, which is removed when it is dropped.
pub(crate) struct Postgres {
    url: String,
    schema: String,
}

impl Files {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
}

impl Postgres {
    pub(crate) fn new() -> Self {
        static SERVER: OnceLock<SharedServer> = OnceLock::new();
        let shared = || SERVER.get_or_init(|| SharedServer::join().unwrap()).url();
        let url = std::env::var(URL).unwrap_or_else(|_| shared());
        let place = Self { url, schema: format!("matrix_{}", std::process::id()) };
        drop(place.options().open().unwrap());
        place
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&self.url).schema(&self.schema)
    }

    fn run(&self, sql: &str) {
        let sql = sql.replace('@', &self.schema);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            client.batch_execute(&sql).await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
        });
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.run("DROP SCHEMA @ CASCADE");
    }
}

impl Medium for Files {
    fn open(&self) -> Arc<dyn RunStore> {
        Arc::new(Inline::new(FileStore::open(self.0.path()).unwrap()))
    }
}

impl Medium for Sqlite {
    fn open(&self) -> Arc<dyn RunStore> {
        Arc::new(Inline::new(SqliteStore::open(self.0.path().join("runs.db")).unwrap()))
    }
}

impl Medium for Postgres {
    fn open(&self) -> Arc<dyn RunStore> {
        // The leases of all earlier stores have expired.
        self.run("UPDATE @.worker SET expires_at = '-infinity'");
        Arc::new(Inline::new(self.options().open().unwrap()))
    }
}

/// Deletes all runs, so that the next ones can have their names.
pub(crate) fn clear(medium: &dyn Medium) {
    let store = medium.open();
    Sim::new().block_on(async {
        for run in store.list(&RunFilter::all()).await.unwrap() {
            store.delete(&run.run_id).await.unwrap();
        }
    });
}
