//! A separate database for each test, in the PostgreSQL server that all tests share.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls};

use workflow_testkit::postgres::SharedServer;

/// A server to use instead of one that is started for the tests.
const URL: &str = "WORKFLOW_TEST_POSTGRES_URL";

/// A database for one test, which is removed when it is dropped.
pub(crate) struct Database {
    server: Config,
    name: String,
}

impl Database {
    pub(crate) fn new() -> Self {
        static SERVER: OnceLock<SharedServer> = OnceLock::new();
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let shared = || SERVER.get_or_init(|| SharedServer::join().unwrap()).url();
        let server: Config = std::env::var(URL).unwrap_or_else(|_| shared()).parse().unwrap();
        let name = format!("cli_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(&server, &format!("CREATE DATABASE {name}"));
        Self { server, name }
    }

    /// Its `--store` URL.
    pub(crate) fn url(&self) -> String {
        url(&self.server, &self.name)
    }

    /// Advances its clock by this many seconds: a lease that is not renewed has expired then.
    pub(crate) fn advance(&self, seconds: u32) {
        let mut config = self.server.clone();
        config.dbname(&self.name);
        run(
            &config,
            &format!(
                "CREATE OR REPLACE FUNCTION workflow.clock() RETURNS timestamptz LANGUAGE sql VOLATILE \
                 AS 'SELECT clock_timestamp() + interval ''{seconds} seconds'''"
            ),
        );
    }
}

/// The `--store` URL of a database of a server.
pub(crate) fn url(server: &Config, name: &str) -> String {
    let mut url = format!("postgres://{}", encoded(server.get_user().unwrap().as_bytes()));
    if let Some(password) = server.get_password() {
        write!(url, ":{}", encoded(password)).unwrap();
    }
    let host = match &server.get_hosts()[0] {
        Host::Tcp(host) => host.clone(),
        Host::Unix(path) => path.display().to_string(),
    };
    let port = server.get_ports().first().copied().unwrap_or(5432);
    write!(url, "@{}:{port}/{name}", encoded(host.as_bytes())).unwrap();
    url
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            run(&self.server, &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

fn run(config: &Config, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = config.connect(NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(sql).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    });
}

/// `bytes` in their URL encoding.
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || *byte == b'_' {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").unwrap();
        }
    }
    text
}
