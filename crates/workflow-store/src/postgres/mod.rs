//! A store that keeps runs in a PostgreSQL database.
//!
//! All of it is one actor: [`thread`] passes requests to the [`service`](Service), and [`append`],
//! [`output`], [`lease`] and [`hints`] each contribute a queue that the service owns and methods of the
//! service. So these files import each other. `row`, `database`, `schema`, `options` and `connect` are below them and do
//! not depend on the service.

mod append;
mod claim;
mod connect;
mod database;
mod hints;
mod lease;
mod limits;
mod list;
mod listen;
mod notices;
mod options;
mod output;
mod read;
mod retain;
mod row;
mod schema;
mod service;
mod slots;
mod status;
mod thread;
mod window;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::channel::oneshot;
use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::store::{
    ControlRecord, ControlRequest, LabelLimit, Lease, NewRun, NoticeClaim, NoticeId, OutputFilter,
    OutputWindow, RunFilter, RunHead, RunRecord, RunStore, StoreError, Watcher, Watchers, Watching,
};

use self::append::Append;
use self::claim::Create;
use self::lease::Lent;
pub use self::options::PostgresOptions;
use self::output::AppendOutput;
use self::schema::migration;
use self::service::Service;
use self::thread::{Request, Thread};

/// Keeps runs in a PostgreSQL database (tested with version 15), for any number of processes on any number of
/// machines.
///
/// The tables are in a schema of their own, `workflow` unless the [options](PostgresOptions) name another.
/// Opening the store creates and migrates them; several processes may do that at once. A schema that a later
/// release has migrated is refused.
///
/// # Leases
///
/// One store drives a run at a time. Its lease is valid for the [lease time](PostgresOptions::lease_time), or
/// up to a thirtieth less, unless the store is [renewed](RunStore::renew) before; once it has expired, other
/// stores may claim the run. Only the database's clock counts. Every append is conditional on the lease, in
/// the statement that stores the events: a store that was presumed dead and then resumes cannot write.
///
/// # Guarantees of an append
///
/// One statement stores the events of an append, together with those of other runs that were waiting: an
/// append is stored completely or not at all, and each has an outcome of its own. It is acknowledged when the
/// database has committed it: durably, unless `fsync` or `synchronous_commit` are off. If the connection is
/// lost or the time limit expires, the outcome is unknown. Lost connections are opened again when they are
/// needed. Output entries may be lost when the server crashes; the newest of each run are kept, and an entry
/// of the kind [`Dropped`](workflow_core::output::OutputKind::Dropped) says how many came before them.
///
/// # Watching
///
/// Control requests and claimable runs are announced by notifications on a dedicated connection. If
/// notifications do not work, the database is polled [every second](PostgresOptions::poll_every); runs whose
/// holder died are always found by polling.
///
/// With a pooler that assigns a session per transaction (PgBouncer's transaction mode), turn [prepared
/// statements](PostgresOptions::prepared_statements) off, and set a [URL to listen
/// at](PostgresOptions::listen_url) that connects to the server directly.
///
/// # Growth
///
/// [`prune`](RunStore::prune) deletes completed runs. Bundles are kept when the runs that used them are
/// deleted. The tables are not partitioned, and events are found by their primary key. If there are so many
/// that deleting them is a burden, `event` and `chunk` can be partitioned by ranges of `key`, which grows
/// with time: the statements of the store work with both.
///
/// # Threads
///
/// A thread of the store does the work: no method blocks, and any executor can be used. Once a method was
/// polled, it completes even if its future is dropped; a lease whose future was dropped is released. Dropping
/// the store waits for operations in progress, and releases its runs.
pub struct PostgresStore {
    thread: Thread,
    watchers: Watchers,
    place: String,
    lease_time: Duration,
}

impl PostgresOptions {
    /// Opens the store: connects, and migrates the schema. Blocks until that is done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] if an option is invalid, or the database cannot be reached or used;
    /// [`StoreError::Corrupt`] if a later release has migrated the schema.
    pub fn open(self) -> Result<PostgresStore, StoreError> {
        PostgresStore::with(self)
    }

    /// The statements that create the schema in an empty database, for running them manually.
    pub fn migration_sql(&self) -> String {
        let schema = self.schema_name().unwrap_or_else(|_| "workflow".to_owned());
        migration(&format!("\"{schema}\""), 0)
    }
}

impl PostgresStore {
    /// Opens the store in the database at `url`; see [`PostgresOptions`]. Blocks until that is done.
    ///
    /// # Errors
    ///
    /// As [`PostgresOptions::open`].
    pub fn open(url: impl Into<String>) -> Result<Self, StoreError> {
        PostgresOptions::new(url).open()
    }

    fn with(options: PostgresOptions) -> Result<Self, StoreError> {
        let place = options.place()?;
        let (watchers, lease_time) = (Watchers::default(), options.lease_time);
        let thread = Thread::start(options, watchers.clone())?;
        Ok(Self { thread, watchers, place, lease_time })
    }

    /// Executes `job` on the store's thread, after all earlier requests for the run `turn`.
    async fn ask<T: Send + 'static>(
        &self,
        turn: Option<&RunId>,
        job: impl AsyncFnOnce(Rc<Service>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        self.thread.send(Request::job(turn.cloned(), async move |service| {
            // The caller may have dropped its future.
            let _ = answer.send(job(service).await);
        }));
        result.await.unwrap_or_else(|_| closed())
    }

    /// The same for a job that gives out a lease: if the caller's future was dropped, the lease is released
    /// before the next request for the run.
    async fn ask_for_leases<T: Lent>(
        &self,
        turn: Option<&RunId>,
        job: impl AsyncFnOnce(Rc<Service>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, result) = oneshot::channel();
        let any = turn.is_none();
        let job = async move |service: Rc<Service>| service.lend(any, job, answer).await;
        self.thread.send(Request::job(turn.cloned(), job));
        result.await.unwrap_or_else(|_| closed())?.take()
    }
}

fn closed<T>() -> Result<T, StoreError> {
    Err(StoreError::Closed("the thread of the store has stopped".to_owned()))
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("place", &self.place).finish_non_exhaustive()
    }
}

#[async_trait]
impl RunStore for PostgresStore {
    async fn create(&self, run: NewRun) -> Result<Lease, StoreError> {
        let id = run.id.clone();
        let create = Create::new(run, &self.place)?;
        self.ask_for_leases(Some(&id), async move |service| service.create(create).await).await
    }

    async fn append(
        &self,
        lease: &Lease,
        expected: u64,
        events: &Arc<[Event]>,
        head: Option<&RunHead>,
    ) -> Result<Vec<ControlRecord>, StoreError> {
        let (answer, result) = oneshot::channel();
        let append = Append::new(lease, expected, events, head, answer, &self.place)?;
        self.thread.send(Request::append(append));
        result.await.unwrap_or_else(|_| closed())
    }

    async fn append_output(&self, lease: &Lease, entries: &[OutputEntry]) -> Result<(), StoreError> {
        let (answer, result) = oneshot::channel();
        if let Some(append) = AppendOutput::new(lease, entries, answer, &self.place)? {
            self.thread.send(Request::output(append));
            return result.await.unwrap_or_else(|_| closed());
        }
        Ok(())
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let run = run.clone();
        self.ask(None, async move |service| service.events(&run, after, limit).await).await
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, StoreError> {
        let run = run.clone();
        self.ask(None, async move |service| service.output(&run, after, limit).await).await
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, StoreError> {
        let (run, filter) = (run.clone(), filter.clone());
        self.ask(None, async move |service| service.output_window(&run, &filter).await).await
    }

    async fn last_output(&self, run: &RunId) -> Result<u64, StoreError> {
        let run = run.clone();
        self.ask(None, async move |service| service.last_output(&run).await).await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, StoreError> {
        let run = run.clone();
        self.ask(None, async move |service| service.get(&run).await).await
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, StoreError> {
        let filter = filter.clone();
        self.ask(None, async move |service| service.list(&filter).await).await
    }

    async fn count(&self, filter: &RunFilter) -> Result<u64, StoreError> {
        let filter = filter.clone();
        self.ask(None, async move |service| service.count(&filter).await).await
    }

    async fn claim(&self, run: &RunId) -> Result<Lease, StoreError> {
        let id = run.clone();
        self.ask_for_leases(Some(run), async move |service| service.claim(&id).await).await
    }

    async fn claim_next(&self, most: usize, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.ask_for_leases(None, async move |service| service.claim_next(most, now).await).await
    }

    async fn claim_within(
        &self,
        most: usize,
        now: Timestamp,
        limit: &LabelLimit,
    ) -> Result<Vec<Lease>, StoreError> {
        let limit = limit.clone();
        self.ask_for_leases(None, async move |service| service.claim_within(most, now, &limit).await).await
    }

    fn lease_time(&self) -> Option<Duration> {
        Some(self.lease_time)
    }

    async fn renew(&self) -> Result<(), StoreError> {
        self.ask(None, async move |service| service.renew().await).await
    }

    async fn release(&self, lease: Lease) -> Result<(), StoreError> {
        let run = lease.run.clone();
        self.ask(Some(&run), async move |service| service.release(&lease).await).await
    }

    async fn request(&self, run: &RunId, request: ControlRequest) -> Result<u64, StoreError> {
        let run = run.clone();
        self.ask(None, async move |service| service.request(&run, &request).await).await
    }

    async fn controls(&self, run: &RunId, after: u64) -> Result<Vec<ControlRecord>, StoreError> {
        let run = run.clone();
        self.ask(None, async move |service| service.controls(&run, after).await).await
    }

    async fn delete(&self, run: &RunId) -> Result<(), StoreError> {
        let id = run.clone();
        self.ask(Some(run), async move |service| service.delete(&id).await).await
    }

    async fn prune(&self, ended_before: Timestamp, most: usize) -> Result<usize, StoreError> {
        self.ask(None, async move |service| service.prune(ended_before, most).await).await
    }

    async fn claim_notice(
        &self,
        notice: &NoticeId,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<NoticeClaim, StoreError> {
        let notice = notice.clone();
        self.ask(None, async move |service| service.claim_notice(&notice, now, until).await).await
    }

    async fn settle_notice(
        &self,
        notice: &NoticeId,
        attempt: u32,
        retry_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let notice = notice.clone();
        self.ask(None, async move |service| service.settle_notice(&notice, attempt, retry_at).await).await
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, StoreError> {
        let hash = hash.clone();
        self.ask(None, async move |service| service.bundle(&hash).await).await
    }

    fn watch(&self, watcher: Watcher) -> Watching {
        self.watchers.add(watcher)
    }
}
