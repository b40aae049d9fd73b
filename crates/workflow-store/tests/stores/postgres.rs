//! The store in PostgreSQL.

mod leases;
mod server;
mod tables;
mod trouble;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio_postgres::NoTls;
use workflow_store::{PostgresOptions, PostgresStore};

use self::server::SharedServer;

/// A server to use instead of one that is started for the tests.
const URL: &str = "WORKFLOW_TEST_POSTGRES_URL";

/// A schema of a test's own, which is removed with this.
struct Place {
    url: String,
    schema: String,
}

impl Place {
    /// One in the server that all tests share.
    fn new() -> Self {
        static SERVER: OnceLock<SharedServer> = OnceLock::new();
        let shared = || SERVER.get_or_init(|| SharedServer::join().unwrap()).url();
        Self::at(std::env::var(URL).unwrap_or_else(|_| shared()))
    }

    fn at(url: String) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self { url, schema: format!("test_{}_{count}", std::process::id()) }
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&self.url).schema(&self.schema)
    }

    fn open(&self) -> PostgresStore {
        self.options().open().unwrap()
    }

    /// Runs statements in which `@.` stands for the schema.
    fn run(&self, sql: &str) {
        self.query(sql);
    }

    /// The first column of the rows of a query, as text.
    fn query(&self, sql: &str) -> Vec<String> {
        let sql = sql.replace("@.", &format!("{}.", self.schema));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            let rows = client.simple_query(&sql).await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
            let texts = rows.iter().filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            });
            texts.collect()
        })
    }

    /// Does `work` while somebody else has locked every run.
    fn while_locked(&self, work: impl FnOnce()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            client.batch_execute(&format!("BEGIN; LOCK TABLE {}.run", self.schema)).await.unwrap();
            work();
            client.batch_execute("ROLLBACK").await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
        });
    }

    /// Lets the clock of the database be so much ahead.
    fn clock_ahead(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.run(&format!(
            "CREATE OR REPLACE FUNCTION @.clock() RETURNS timestamptz LANGUAGE sql VOLATILE \
             AS 'SELECT clock_timestamp() + interval ''{seconds} seconds'''"
        ));
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.run(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.schema));
        }
    }
}

/// A store, and what it is in.
fn open() -> (Arc<PostgresStore>, Place) {
    let place = Place::new();
    (Arc::new(place.open()), place)
}

crate::suite!(open());

/// The same without anything that a pooler in transaction mode does not do.
mod behind_a_pooler {
    use super::*;

    fn open() -> (Arc<PostgresStore>, Place) {
        let place = Place::new();
        let options = place.options().without_listening().prepared_statements(false);
        (Arc::new(options.open().unwrap()), place)
    }

    crate::suite!(open());
}
