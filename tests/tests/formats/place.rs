//! The committed stores: a home of files, an SQLite database, and a PostgreSQL database as SQL statements.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use rusqlite::Connection;
use serde_json::Value;
use tokio_postgres::{NoTls, SimpleQueryMessage};
use workflow_core::store::RunStore;
use workflow_store::{FileStore, PostgresOptions, SqliteStore};
use workflow_testkit::postgres::SharedServer;

/// A server to use instead of one that is started for the tests.
const URL: &str = "WORKFLOW_TEST_POSTGRES_URL";

/// The name of the schema in the committed statements. A test uses another name.
const SCHEMA: &str = "committed_runs";

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Files,
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Files, Self::Sqlite, Self::Postgres];

    /// The name of its committed folder or file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Sqlite => "runs.db",
            Self::Postgres => "postgres.sql",
        }
    }

    /// Lets `fill` fill an empty store, and writes it into `folder`.
    pub(crate) fn write(self, folder: &Path, fill: impl FnOnce(&dyn RunStore)) {
        let path = folder.join(self.name());
        match self {
            Self::Files => {
                fill(&FileStore::open(&path).unwrap());
                for run in fs::read_dir(path.join("runs")).unwrap() {
                    anonymous(&run.unwrap().path());
                }
            }
            Self::Sqlite => {
                fill(&SqliteStore::open(&path).unwrap());
                // Without deleted rows, which name the processes that had it open.
                Connection::open(&path).unwrap().execute_batch("VACUUM").unwrap();
                let _ = fs::remove_dir(folder.join("runs.db-holders"));
            }
            Self::Postgres => {
                let schema = Schema::new(SCHEMA.len());
                fill(&schema.options().name("elsewhere").open().unwrap());
                fs::write(path, schema.dump()).unwrap();
            }
        }
    }

    /// Executes `work` with a store that has a copy of the committed data in `folder`.
    pub(crate) fn with_copy(self, folder: &Path, work: impl FnOnce(&dyn Fn() -> Box<dyn RunStore>)) {
        let committed = folder.join(self.name());
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join(self.name());
        match self {
            Self::Files => {
                copy_folder(&committed, &path);
                work(&|| Box::new(FileStore::open(&path).unwrap()));
            }
            Self::Sqlite => {
                fs::copy(&committed, &path).unwrap();
                work(&|| Box::new(SqliteStore::open(&path).unwrap()));
            }
            Self::Postgres => {
                let schema = Schema::new(0);
                schema.query(&fs::read_to_string(&committed).unwrap().replace(SCHEMA, &schema.name));
                work(&|| Box::new(schema.options().open().unwrap()));
            }
        }
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Removes the names of this process and machine from a run's lock file.
fn anonymous(run: &Path) {
    let Ok(note) = fs::read_to_string(run.join("lock")) else { return };
    let mut note: Value = serde_json::from_str(&note).unwrap();
    (note["process"], note["host"]) = (1.into(), "elsewhere".into());
    fs::write(run.join("lock"), format!("{note}\n")).unwrap();
}

/// A schema that is removed with this.
struct Schema {
    url: String,
    name: String,
}

impl Schema {
    fn new(number: usize) -> Self {
        static SERVER: OnceLock<SharedServer> = OnceLock::new();
        let shared = || SERVER.get_or_init(|| SharedServer::join().unwrap()).url();
        let url = std::env::var(URL).unwrap_or_else(|_| shared());
        Self { url, name: format!("formats_{}_{number}", std::process::id()) }
    }

    fn options(&self) -> PostgresOptions {
        PostgresOptions::new(&self.url).schema(&self.name)
    }

    /// The first column of the rows of a query, in which `@.` stands for the schema.
    fn query(&self, sql: &str) -> Vec<String> {
        let sql = sql.replace("@.", &format!("{}.", self.name));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
            let connection = tokio::spawn(connection);
            let rows = client.simple_query(&sql).await.unwrap();
            drop(client);
            connection.await.unwrap().unwrap();
            let text = |message: &SimpleQueryMessage| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            };
            rows.iter().filter_map(text).collect()
        })
    }

    /// The statements that create it again: the migrations, and one per row.
    fn dump(&self) -> String {
        let mut sql = PostgresOptions::new("").schema(SCHEMA).migration_sql();
        for (table, order) in [
            ("worker", "worker_id"),
            ("bundle", "hash"),
            ("run", "key"),
            ("event", "key, seq"),
            ("log", "key"),
            ("chunk", "key, last"),
        ] {
            let columns = self.query(&format!(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = '{}' \
                 AND table_name = '{table}' ORDER BY ordinal_position",
                self.name
            ));
            let places = vec!["%L"; columns.len()].join(", ");
            let columns = columns.join(", ");
            for row in
                self.query(&format!("SELECT format('({places})', {columns}) FROM @.{table} ORDER BY {order}"))
            {
                let into = format!("{SCHEMA}.{table} ({columns}) OVERRIDING SYSTEM VALUE");
                writeln!(sql, "INSERT INTO {into} VALUES {row};").unwrap();
            }
        }
        for sequence in ["epoch", "signal", "run_key_seq"] {
            let last = self.query(&format!("SELECT last_value FROM @.{sequence}")).remove(0);
            writeln!(sql, "SELECT setval('{SCHEMA}.{sequence}', {last});").unwrap();
        }
        sql
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.query(&format!("DROP SCHEMA IF EXISTS {} CASCADE", self.name));
        }
    }
}
