//! Options for opening a store.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use workflow_core::store::StoreError;

use super::connect::opener::Opener;
use super::connect::url::Settings;

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
    schema: Option<String>,
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
    /// libpq. Beside the parameters of `tokio-postgres`, these are read from both:
    ///
    /// | parameter | meaning |
    /// |---|---|
    /// | `sslmode` | as in libpq: `disable`, `prefer` (TLS if the server offers it, the default), `require`, `verify-ca`, `verify-full` |
    /// | `sslrootcert` | a file with the certificates of trusted authorities; the default are those of the system |
    /// | `sslcert`, `sslkey` | files with the client's certificate and its key; others must not be able to read the key |
    /// | `target_session_attrs` | `any`, `read-write` or `primary`; with several hosts the default is `read-write` |
    /// | `passfile` | a password file as in libpq; without a password in the URL, the default is `PGPASSFILE` or `~/.pgpass` |
    /// | `password_file`, `password_command` | a file that contains the password, or a command that prints it (for `/bin/sh -c`) |
    /// | `service`, `servicefile` | a section of a service file as in libpq (`PGSERVICEFILE`, `~/.pg_service.conf`): parameters that the URL does not have |
    /// | `schema` | the [schema](Self::schema) of the tables |
    ///
    /// `disable`, `prefer` and `require` do not verify the server; use `verify-full` for a server on another
    /// machine. A Unix socket has no TLS. In every mode, a password is never sent in clear text (`password` in
    /// `pg_hba.conf`) to a server that is neither local nor verified.
    ///
    /// Several hosts (`host1:5432,host2:5432`) are tried in turn, the last one that worked first, until one
    /// answers and is writable: after a fail-over, new connections lead to the new primary. Each host has its
    /// share of the [time limit](Self::time_limit), or `connect_timeout` seconds if that is shorter.
    ///
    /// Passwords from files and commands are read each time a connection is opened, so that they may rotate.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            listen: Listen::There,
            schema: None,
            name: None,
            connections: 4,
            lease_time: Duration::from_secs(30),
            poll_every: Duration::from_secs(1),
            time_limit: Duration::from_secs(30),
            output_limit: 16 << 20,
            prepared_statements: true,
        }
    }

    /// The schema of the tables: up to 40 lower-case letters, digits and `_`. The default is that of the URL
    /// (`schema=NAME`), or `workflow`.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
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

    /// Opens all connections but the one that listens; and where they lead, for messages.
    pub(super) fn opener(&self) -> Result<(Opener, String), StoreError> {
        let schema = self.schema_name()?;
        let mut settings = self.read(&self.url)?;
        let place = place(&settings.config, &schema);
        if self.prepared_statements && settings.config.get_options().is_none() {
            // Poolers do not support this option, and are used without prepared statements.
            settings.config.options(format!("-c statement_timeout={}", self.time_limit.as_millis()));
        }
        Ok((self.open_with(settings)?, place))
    }

    /// Opens the connection that listens, if there is one.
    pub(super) fn listen_opener(&self) -> Result<Option<Opener>, StoreError> {
        let url = match &self.listen {
            Listen::There => &self.url,
            Listen::At(url) => url,
            Listen::Nowhere => return Ok(None),
        };
        self.open_with(self.read(url)?).map(Some)
    }

    fn open_with(&self, settings: Settings) -> Result<Opener, StoreError> {
        Opener::new(settings, self.time_limit).map_err(|problem| invalid(&problem))
    }

    fn read(&self, url: &str) -> Result<Settings, StoreError> {
        let mut settings = Settings::read(url).map_err(|problem| invalid(&problem))?;
        let config = &mut settings.config;
        config.keepalives_idle(Duration::from_secs(30));
        config.tcp_user_timeout(self.time_limit);
        if config.get_application_name().is_none() {
            config.application_name("workflow");
        }
        Ok(settings)
    }

    /// The schema of the tables.
    pub(super) fn schema_name(&self) -> Result<String, StoreError> {
        let of_url = || Settings::read(&self.url).ok().and_then(|settings| settings.schema);
        let name = self.schema.clone().or_else(of_url).unwrap_or_else(|| "workflow".to_owned());
        let bytes = name.as_bytes();
        let is_plain = bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'_');
        if is_plain && (1..=40).contains(&bytes.len()) && !bytes[0].is_ascii_digit() {
            Ok(name)
        } else {
            Err(invalid("a schema has up to 40 lower-case letters, digits and `_`"))
        }
    }

    /// Describes the database, for messages.
    pub(super) fn place(&self) -> Result<String, StoreError> {
        Ok(place(&self.read(&self.url)?.config, &self.schema_name()?))
    }
}

fn invalid(message: &str) -> StoreError {
    let source = io::Error::new(io::ErrorKind::InvalidInput, message);
    StoreError::Io { place: "the options of the PostgreSQL store".to_owned(), source: Arc::new(source) }
}

/// Describes the database, for messages.
fn place(config: &Config, schema: &str) -> String {
    let ports = config.get_ports();
    let port = |number: usize| ports.get(number).or_else(|| ports.first()).map(|port| format!(":{port}"));
    let hosts = (0..).zip(config.get_hosts()).map(|(number, host)| match host {
        Host::Tcp(host) => host.clone() + &port(number).unwrap_or_default(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string() + &port(number).unwrap_or_default(),
    });
    let hosts: Vec<_> = hosts.collect();
    let hosts = if hosts.is_empty() { "localhost".to_owned() } else { hosts.join(",") };
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("PostgreSQL {hosts}/{database}, schema `{schema}`")
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
