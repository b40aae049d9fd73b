//! Statements, the connections that execute them, and their errors.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error as _;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row};
use workflow_core::store::StoreError;

use super::connect::opener::Opener;
use super::connect::wire::Connector;
use super::options::PostgresOptions;

/// Estimates without statistics are so high that the server would compile a statement of milliseconds for seconds.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL jit = off";

/// How many connections are reserved for appends, output and the heartbeat.
const WRITERS: usize = 4;

/// How much longer than the server's time limit the client waits for a statement.
const SLACK: Duration = Duration::from_secs(1);

/// A statement, with `@.` in place of the schema, and the types of its parameters.
pub(super) struct Query {
    text: &'static str,
    types: &'static [Type],
}

pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Query {
    pub(super) const fn new(text: &'static str, types: &'static [Type]) -> Self {
        Self { text, types }
    }
}

/// Why a statement failed.
pub(super) struct Fault {
    pub(super) error: StoreError,
    /// Whether the server reported the error: then nothing was stored, and the connection is usable.
    pub(super) refused: bool,
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        fault.error
    }
}

/// The database, as this store uses it.
pub(super) struct Database {
    /// For reads, and for changes of leases.
    general: Pool,
    /// For appends, output and the heartbeat.
    writers: Pool,
    /// The quoted name of the schema.
    schema: String,
    place: String,
    prepared: bool,
    limit: Duration,
    connector: Connector,
    /// The statements with the name of the schema inserted, by the address of their text.
    texts: RefCell<HashMap<usize, Rc<str>>>,
}

impl Database {
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let (opener, place) = options.opener()?;
        let pool = |size| pool(&opener, size, options.time_limit, &place);
        Ok(Self {
            general: pool(options.connections)?,
            writers: pool(WRITERS)?,
            schema: format!("\"{}\"", options.schema_name()?),
            prepared: options.prepared_statements,
            limit: options.time_limit,
            texts: RefCell::default(),
            connector: opener.connector(),
            place,
        })
    }

    /// The quoted name of the schema.
    pub(super) fn schema(&self) -> &str {
        &self.schema
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Executes an idempotent statement, with one retry if the connection was lost.
    pub(super) async fn read(&self, query: &Query, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        match self.run(&self.general, query, params).await {
            Err(fault) if !fault.refused => Ok(self.run(&self.general, query, params).await?),
            rows => Ok(rows?),
        }
    }

    /// Executes a statement that changes something. After an error that the server did not report, the
    /// outcome is unknown.
    pub(super) async fn change(&self, query: &Query, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        self.run(&self.general, query, params).await
    }

    /// Executes `lock` and then `query`, which sees everything that was committed before the lock was granted. If `query`
    /// returns no row, nothing is changed.
    pub(super) async fn change_in_turn(
        &self,
        lock: (&Query, Params<'_>),
        query: (&Query, Params<'_>),
    ) -> Result<Vec<Row>, Fault> {
        self.in_turn(lock, async |connection| self.run_on(connection, query.0, query.1).await).await
    }

    async fn in_turn(
        &self,
        lock: (&Query, Params<'_>),
        query: impl AsyncFnOnce(&Object) -> Result<Vec<Row>, Fault>,
    ) -> Result<Vec<Row>, Fault> {
        let connection = self.general.get().await.map_err(|error| lost(self.pool_error(error)))?;
        let rows = async {
            self.in_time(&connection, connection.batch_execute(BEGIN)).await?;
            self.run_on(&connection, lock.0, lock.1).await?;
            query(&connection).await
        };
        let result = match rows.await {
            Ok(rows) => {
                let end = if rows.is_empty() { "ROLLBACK" } else { "COMMIT" };
                self.in_time(&connection, connection.batch_execute(end)).await.map(|()| rows)
            }
            Err(fault) => Err(fault),
        };
        if result.is_err() {
            // Closing the connection rolls the transaction back.
            drop(Object::take(connection));
        }
        result
    }

    /// The same with a statement that was built for this call.
    pub(super) async fn change_once_in_turn(
        &self,
        lock: (&Query, Params<'_>),
        text: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, Fault> {
        let text = text.replace("@.", &format!("{}.", self.schema));
        self.in_turn(lock, async |connection| {
            self.in_time(connection, connection.query_typed(&text, params)).await
        })
        .await
    }

    /// The same on a connection reserved for writes.
    pub(super) async fn write(&self, query: &Query, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        self.run(&self.writers, query, params).await
    }

    /// A connection on which several statements are pipelined.
    pub(super) async fn writer(&self) -> Result<Object, StoreError> {
        self.writers.get().await.map_err(|error| self.pool_error(error))
    }

    async fn run(&self, pool: &Pool, query: &Query, params: Params<'_>) -> Result<Vec<Row>, Fault> {
        let connection = pool.get().await.map_err(|error| lost(self.pool_error(error)))?;
        let rows = self.run_on(&connection, query, params).await;
        if rows.as_ref().is_err_and(|fault| !fault.refused) {
            // The connection still has responses in flight, so it must not return to the pool.
            drop(Object::take(connection));
        }
        rows
    }

    pub(super) async fn run_on(
        &self,
        connection: &Object,
        query: &Query,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Fault> {
        let text = self.text(query);
        let run = async {
            if self.prepared {
                let statement = connection.prepare_typed_cached(&text, query.types).await?;
                connection.query(&statement, params).await
            } else {
                let params: Vec<_> = params.iter().copied().zip(query.types.iter().cloned()).collect();
                connection.query_typed(&text, &params).await
            }
        };
        self.in_time(connection, run).await
    }

    fn text(&self, query: &Query) -> Rc<str> {
        let mut texts = self.texts.borrow_mut();
        let text = texts
            .entry(query.text.as_ptr() as usize)
            .or_insert_with(|| query.text.replace("@.", &format!("{}.", self.schema)).into());
        Rc::clone(text)
    }

    /// Reads with a statement that was built for this call.
    pub(super) async fn read_once(
        &self,
        text: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>, StoreError> {
        let text = text.replace("@.", &format!("{}.", self.schema));
        let mut tries = 0;
        loop {
            tries += 1;
            let connection = self.general.get().await.map_err(|error| self.pool_error(error))?;
            let error = match self.in_time(&connection, connection.query_typed(&text, params)).await {
                Err(fault) if fault.refused || tries > 1 => return Err(fault.error),
                Ok(rows) => return Ok(rows),
                Err(fault) => fault.error,
            };
            tracing::debug!(%error, "a read failed; trying again");
            drop(Object::take(connection));
        }
    }

    /// Waits for a statement; one that takes too long is cancelled, on the server too if possible.
    async fn in_time<T>(
        &self,
        connection: &Object,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Fault> {
        let Ok(result) = tokio::time::timeout(self.limit + SLACK, work).await else {
            let cancel = connection.cancel_token();
            let connector = self.connector.clone();
            let cancel = async move { cancel.cancel_query(connector).await };
            tokio::spawn(tokio::time::timeout(self.limit, cancel));
            return Err(lost(self.io(io::ErrorKind::TimedOut, "the database did not answer in time")));
        };
        result.map_err(|error| Fault {
            refused: error.as_db_error().is_some_and(|told| {
                // A server that became a standby is left: the next connection finds the primary.
                told.parsed_severity() == Some(Severity::Error) && *told.code() != READ_ONLY
            }),
            error: self.error(&error),
        })
    }

    /// Executes `work` in a transaction that begins with the statement `first`.
    pub(super) async fn transaction(
        &self,
        first: &str,
        work: impl AsyncFnOnce(&Client) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let connection = self.writer().await?;
        let done = async {
            connection.batch_execute("BEGIN").await.map_err(|error| self.error(&error))?;
            connection.batch_execute(first).await.map_err(|error| self.error(&error))?;
            work(&connection).await?;
            connection.batch_execute("COMMIT").await.map_err(|error| self.error(&error))
        };
        let result = tokio::time::timeout(self.limit + SLACK, done)
            .await
            .unwrap_or_else(|_| Err(self.io(io::ErrorKind::TimedOut, "the database did not answer in time")));
        if result.is_err() {
            // Closing the connection rolls the transaction back.
            drop(Object::take(connection));
        }
        result
    }

    /// The first row of a statement that always returns one.
    pub(super) fn one<'r>(&self, rows: &'r [Row]) -> Result<&'r Row, StoreError> {
        rows.first().ok_or_else(|| self.fault("a statement that always returns a row returned none"))
    }

    pub(super) fn fault(&self, message: &str) -> StoreError {
        self.io(io::ErrorKind::Other, message)
    }

    fn io(&self, kind: io::ErrorKind, message: &str) -> StoreError {
        StoreError::Io { place: self.place.clone(), source: Arc::new(io::Error::new(kind, message)) }
    }

    /// The message of the server or client. Details are omitted because they can contain stored data.
    pub(super) fn error(&self, error: &tokio_postgres::Error) -> StoreError {
        let message = match (error.as_db_error(), error.source()) {
            (Some(told), _) => format!("{} (SQLSTATE {})", told.message(), told.code().code()),
            (None, Some(source)) => format!("{error}: {source}"),
            (None, None) => error.to_string(),
        };
        self.io(kind(error), &message)
    }

    fn pool_error(&self, error: PoolError) -> StoreError {
        match error {
            PoolError::Backend(error) => self.error(&error),
            PoolError::Timeout(_) => {
                self.io(io::ErrorKind::TimedOut, "no connection to the database was available in time")
            }
            error => self.fault(&error.to_string()),
        }
    }
}

/// The kind of an error: it shows whether the server is unavailable.
fn kind(error: &tokio_postgres::Error) -> io::ErrorKind {
    let system = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match (error.code(), system.map(io::Error::kind)) {
        // While the server is down, its Unix socket does not exist.
        (_, Some(io::ErrorKind::NotFound)) => io::ErrorKind::NotConnected,
        (_, Some(kind)) => kind,
        (Some(code), _) if AWAY.contains(code) => io::ErrorKind::NotConnected,
        _ if error.is_closed() => io::ErrorKind::NotConnected,
        _ => io::ErrorKind::Other,
    }
}

/// The error of a write to a standby.
const READ_ONLY: SqlState = SqlState::READ_ONLY_SQL_TRANSACTION;

/// Errors of a server that is starting, stopping, out of connections, or a standby.
const AWAY: [SqlState; 5] = [
    READ_ONLY,
    SqlState::ADMIN_SHUTDOWN,
    SqlState::CRASH_SHUTDOWN,
    SqlState::CANNOT_CONNECT_NOW,
    SqlState::TOO_MANY_CONNECTIONS,
];

fn lost(error: StoreError) -> Fault {
    Fault { error, refused: false }
}

fn pool(opener: &Opener, size: usize, limit: Duration, place: &str) -> Result<Pool, StoreError> {
    let manager = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let pool = Pool::builder(Manager::from_connect(Config::new(), opener.clone(), manager))
        .max_size(size)
        .wait_timeout(Some(limit))
        // Opening has limits of its own, for each host.
        .create_timeout(Some(limit + SLACK))
        .recycle_timeout(Some(limit))
        .runtime(Runtime::Tokio1);
    pool.build().map_err(|error| StoreError::Io {
        place: place.to_owned(),
        source: Arc::new(io::Error::other(error.to_string())),
    })
}
