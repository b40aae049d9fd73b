//! The store in PostgreSQL.

mod backup;
mod failover;
mod former;
mod leases;
mod passwords;
mod tables;
mod tls;
mod trouble;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::NoTls;
use workflow_core::ids::RunId;
use workflow_core::store::RunStore;
use workflow_store::{PostgresOptions, PostgresStore};
use workflow_testkit::postgres::SharedServer;
use workflow_testkit::store::{Damage, Fixture};

/// A server to use instead of one that is started for the tests.
const URL: &str = "WORKFLOW_TEST_POSTGRES_URL";

/// The first column of the rows of a query, as text.
fn query(url: &str, sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        let rows = client.simple_query(sql).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
        let texts = rows.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        texts.collect()
    })
}

/// A schema for one test, which is removed when it is dropped.
struct Place {
    url: String,
    schema: String,
}

impl Place {
    /// A schema in the server that all tests share.
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

    /// Executes statements in which `@.` stands for the schema.
    fn run(&self, sql: &str) {
        self.query(sql);
    }

    /// The first column of the rows of a query, as text.
    fn query(&self, sql: &str) -> Vec<String> {
        query(&self.url, &sql.replace("@.", &format!("{}.", self.schema)))
    }

    /// Executes `work` while another transaction has locked every run.
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

    /// Sets the clock of the database forward by this time.
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

/// A schema of its own, whose clock the test controls.
struct Schema {
    place: Place,
    /// Whether only features that a pooler in transaction mode supports are used.
    pooled: bool,
    ahead: Mutex<Duration>,
}

impl Schema {
    fn new(pooled: bool) -> Self {
        Self { place: Place::new(), pooled, ahead: Mutex::default() }
    }
}

impl Fixture for Schema {
    fn open(&self) -> Box<dyn RunStore> {
        let options = self.place.options();
        let options =
            if self.pooled { options.without_listening().prepared_statements(false) } else { options };
        Box::new(options.open().unwrap())
    }

    fn advance(&self, by: Duration) {
        let mut ahead = self.ahead.lock().unwrap();
        *ahead += by;
        self.place.clock_ahead(*ahead);
    }

    fn damage(&self, run: &RunId, event: u64, damage: Damage) {
        let damaged = match damage {
            Damage::UnknownEvent => {
                format!("replace(body, 'attempt_succeeded', '{}')", Damage::UNKNOWN_EVENT)
            }
            _ => "'garbage'".to_owned(),
        };
        self.place.run(&format!(
            "UPDATE @.event SET body = {damaged} WHERE seq = {event} \
             AND key = (SELECT key FROM @.run WHERE run_id = '{run}')"
        ));
    }
}

workflow_testkit::store_suite!(Schema::new(false); durable, processes, leases, hints, damage, slots);

#[test]
fn of_the_runs_that_many_stores_create_one_at_a_time_has_the_slot() {
    crate::slots::one_at_a_time(&Schema::new(false));
}

/// The same without features that a pooler in transaction mode does not support.
mod behind_a_pooler {
    use super::Schema;

    workflow_testkit::store_suite!(Schema::new(true); durable, processes, leases, hints, damage, slots);
}
