//! Options for opening a store.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use workflow_core::store::StoreError;

use super::tls::TlsSettings;
use super::wire::Connector;

/// Options for opening a [`PostgresStore`](super::PostgresStore). Its `Debug` output contains no password.
///
/// ```no_run
/// use std::time::Duration;
/// use workflow_store::PostgresOptions;
///
/// let store = PostgresOptions::new("postgres://engine:secret@db.example/engine")
///     .lease_time(Duration::from_secs(15))
///     .open()?;
/// # Ok::<(), workflow_core::store::StoreError>(())
/// ```
#[derive(Clone)]
pub struct PostgresOptions {
    url: String,
    pub(super) listen: Listen,
    pub(super) schema: String,
    pub(super) name: Option<String>,
    pub(super) connections: usize,
    pub(super) lease_time: Duration,
    pub(super) poll_every: Duration,
    pub(super) time_limit: Duration,
    pub(super) output_limit: usize,
    pub(super) prepared_statements: bool,
}

/// Where notifications come from.
#[derive(Clone)]
pub(super) enum Listen {
    There,
    At(String),
    Nowhere,
}

impl PostgresOptions {
    /// The database at `url`: `postgres://user:password@host:port/database`, or `key=value` pairs as in
    /// libpq.
    ///
    /// `sslmode` has the meaning that libpq gives it: `disable`, `prefer` (TLS if the server offers it, the
    /// default), `require`, `verify-ca`, `verify-full`. The first three do not verify the server; use
    /// `verify-full` for a server on another machine. `sslrootcert=FILE` names the certificates of trusted
    /// authorities; the default are those of the system. A Unix socket has no TLS. In every mode, a password
    /// is never sent in clear text (`password` in `pg_hba.conf`) to a server that is neither local nor
    /// verified.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            listen: Listen::There,
            schema: "workflow".to_owned(),
            name: None,
            connections: 4,
            lease_time: Duration::from_secs(30),
            poll_every: Duration::from_secs(1),
            time_limit: Duration::from_secs(30),
            output_limit: 16 << 20,
            prepared_statements: true,
        }
    }

    /// The schema of the tables: up to 40 lower-case letters, digits and `_`. The default is `workflow`.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// The name that other processes see as the holder of a run. The default is the process id and the host
    /// name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The URL for the connection that listens, if the other URL leads to a pooler that assigns a session per
    /// transaction.
    #[must_use]
    pub fn listen_url(mut self, url: impl Into<String>) -> Self {
        self.listen = Listen::At(url.into());
        self
    }

    /// Opens no connection for notifications: control requests of other processes are found by polling only.
    #[must_use]
    pub fn without_listening(mut self) -> Self {
        self.listen = Listen::Nowhere;
        self
    }

    /// Whether statements are prepared once per connection, which is the default. A pooler that assigns a
    /// session per transaction may not support it.
    #[must_use]
    pub fn prepared_statements(mut self, prepared: bool) -> Self {
        self.prepared_statements = prepared;
        self
    }

    /// The maximum number of connections for everything but appends and the heartbeat, which have up to four
    /// of their own, and the connection that listens. The default is 4.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections.max(1);
        self
    }

    /// How long a lease is valid. The default is 30 seconds.
    #[must_use]
    pub fn lease_time(mut self, time: Duration) -> Self {
        self.lease_time = time;
        self
    }

    /// How often the database is polled, while there are watchers, for changes without notifications: runs
    /// whose holder died, and control requests if no connection listens. The default is every second.
    #[must_use]
    pub fn poll_every(mut self, time: Duration) -> Self {
        self.poll_every = time;
        self
    }

    /// The time limit for connecting and for each statement: an append that takes longer has an unknown
    /// outcome. The default is 30 seconds.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The approximate number of bytes of output that are kept of each run, the newest. The default is 16
    /// MiB.
    #[must_use]
    pub fn output_limit(mut self, bytes: usize) -> Self {
        self.output_limit = bytes;
        self
    }

    /// The client's configuration, for all connections but the one that listens.
    pub(super) fn config(&self) -> Result<(Config, Connector), StoreError> {
        let schema = self.schema.as_bytes();
        let plain = schema.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_');
        if !plain || !(1..=40).contains(&schema.len()) || schema[0].is_ascii_digit() {
            return Err(invalid("a schema has up to 40 lower-case letters, digits and `_`"));
        }
        self.read(&self.url)
    }

    /// The client's configuration for the connection that listens, if there is one.
    pub(super) fn listen_config(&self) -> Result<Option<(Config, Connector)>, StoreError> {
        match &self.listen {
            Listen::There => self.read(&self.url).map(Some),
            Listen::At(url) => self.read(url).map(Some),
            Listen::Nowhere => Ok(None),
        }
    }

    fn read(&self, url: &str) -> Result<(Config, Connector), StoreError> {
        let (mut config, tls) = self.parse(url)?;
        let connector = Connector::new(&mut config, &tls).map_err(|problem| invalid(&problem))?;
        Ok((config, connector))
    }

    fn parse(&self, url: &str) -> Result<(Config, TlsSettings), StoreError> {
        let (tls, url) = TlsSettings::take(url).map_err(|problem| invalid(&problem))?;
        // The parser's own message could repeat a part of the password.
        let mut config: Config = url.parse().map_err(|_| invalid(UNREADABLE))?;
        // If a password contains `@`, the rest of it would be shown as the name of the host.
        let is_torn = |host: &Host| matches!(host, Host::Tcp(name) if name.contains('@'));
        if config.get_hosts().iter().any(is_torn) {
            return Err(invalid(UNREADABLE));
        }
        config.connect_timeout(self.time_limit);
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(self.time_limit);
        if config.get_application_name().is_none() {
            config.application_name("workflow");
        }
        Ok((config, tls))
    }

    /// Describes the database, for messages.
    pub(super) fn place(&self) -> Result<String, StoreError> {
        Ok(place(&self.parse(&self.url)?.0, &self.schema))
    }
}

const UNREADABLE: &str = "the URL of the database cannot be read: write \
    postgres://user:password@host:port/database, with %XX for reserved characters";

fn invalid(message: &str) -> StoreError {
    let source = io::Error::new(io::ErrorKind::InvalidInput, message);
    StoreError::Io { place: "the options of the PostgreSQL store".to_owned(), source: Arc::new(source) }
}

/// Describes the database, for messages.
pub(super) fn place(config: &Config, schema: &str) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().map(|port| format!(":{port}")).unwrap_or_default();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("PostgreSQL {host}{port}/{database}, schema `{schema}`")
}

impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place().unwrap_or_default();
        f.debug_struct("PostgresOptions")
            .field("place", &place)
            .field("connections", &self.connections)
            .field("lease_time", &self.lease_time)
            .field("poll_every", &self.poll_every)
            .field("time_limit", &self.time_limit)
            .field("output_limit", &self.output_limit)
            .field("prepared_statements", &self.prepared_statements)
            .finish_non_exhaustive()
    }
}
