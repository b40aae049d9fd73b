//! The state of the store's thread, and the order in which it executes requests.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::{Mutex, RwLock, mpsc};
use tokio::task::{JoinHandle, spawn_local};
use uuid::Uuid;
use workflow_core::bundle::BundleHash;
use workflow_core::ids::RunId;
use workflow_core::store::{StoreError, Watchers};

use super::append::AppendQueue;
use super::database::Database;
use super::hints::Hints;
use super::lease::Leases;
use super::options::PostgresOptions;
use super::output::OutputQueue;
use super::schema;
use super::thread::{Request, Underway, Work};

/// The maximum number of append statements in progress.
const APPENDERS: usize = 2;

pub(super) struct Service {
    pub(super) database: Database,
    pub(super) name: Option<String>,
    pub(super) lease_time: Duration,
    pub(super) output_limit: i64,
    /// The id of this store as a worker.
    pub(super) worker: Cell<Uuid>,
    pub(super) registering: Mutex<()>,
    /// Whether leases have expired and no renewal has reported it yet.
    pub(super) lapsed: Cell<bool>,
    pub(super) leases: RefCell<Leases>,
    /// Held shared by requests that change the lease of one run, and exclusively by a claim of any runs, so
    /// that such a claim sees the effects of all earlier requests.
    pub(super) any_run: RwLock<()>,
    pub(super) appends: AppendQueue,
    pub(super) outputs: OutputQueue,
    pub(super) hints: Hints,
    pub(super) bundles: RefCell<HashSet<BundleHash>>,
    /// The labels for which there is an index, or could not be made.
    pub(super) limited: RefCell<HashSet<String>>,
    /// Where leases are sent that were dropped on their way to a caller.
    pub(super) back: mpsc::WeakUnboundedSender<Request>,
    /// The runs with a request in progress, and the requests that wait for their turn.
    turns: RefCell<HashMap<RunId, VecDeque<(Work, Underway)>>>,
}

/// The turn of a request. Dropping it starts the next request of the run.
pub(super) struct Turn {
    service: Rc<Service>,
    run: Option<RunId>,
    _underway: Underway,
}

impl Service {
    pub(super) async fn open(
        options: &PostgresOptions,
        watchers: Watchers,
        back: mpsc::WeakUnboundedSender<Request>,
    ) -> Result<Rc<Self>, StoreError> {
        let database = Database::new(options)?;
        // Reports an invalid URL for the connection that listens at once.
        options.listen_opener()?;
        schema::prepare(&database).await?;
        let service = Self {
            hints: Hints::new(watchers),
            name: options.name.clone(),
            lease_time: options.lease_time,
            output_limit: i64::try_from(options.output_limit).unwrap_or(i64::MAX),
            worker: Cell::new(Uuid::nil()),
            registering: Mutex::default(),
            lapsed: Cell::new(false),
            leases: RefCell::default(),
            any_run: RwLock::default(),
            appends: AppendQueue::default(),
            outputs: OutputQueue::default(),
            bundles: RefCell::default(),
            limited: RefCell::default(),
            turns: RefCell::default(),
            back,
            database,
        };
        service.register().await?;
        Ok(Rc::new(service))
    }

    /// Starts the tasks that run as long as the store is open.
    pub(super) fn background(self: &Rc<Self>, options: &PostgresOptions) -> Vec<JoinHandle<()>> {
        let mut tasks: Vec<_> =
            (0..APPENDERS).map(|_| spawn_local(Rc::clone(self).store_appends())).collect();
        tasks.push(spawn_local(Rc::clone(self).store_output()));
        tasks.push(spawn_local(Rc::clone(self).send_hints()));
        tasks.push(spawn_local(Rc::clone(self).poll(options.poll_every)));
        // The options were validated when the store was opened.
        if let Ok(Some(opener)) = options.listen_opener() {
            tasks.push(spawn_local(Rc::clone(self).listen(opener, options.time_limit)));
        }
        tasks
    }

    /// Executes a request when it is its turn.
    pub(super) fn take(self: &Rc<Self>, request: Request, underway: Underway) {
        if let Some(run) = &request.turn {
            let mut turns = self.turns.borrow_mut();
            if let Some(waiting) = turns.get_mut(run) {
                waiting.push_back((request.work, underway));
                return;
            }
            turns.insert(run.clone(), VecDeque::new());
        }
        self.begin(request.turn, request.work, underway);
    }

    fn begin(self: &Rc<Self>, run: Option<RunId>, work: Work, underway: Underway) {
        let turn = Turn { service: Rc::clone(self), run, _underway: underway };
        match work {
            Work::Append(append) => self.queue_append(append, turn),
            Work::Output(output) => self.outputs.push(output, turn),
            Work::Job(job) => {
                let job = job(Rc::clone(self));
                spawn_local(async move {
                    job.await;
                    drop(turn);
                });
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        let next = {
            let mut turns = self.service.turns.borrow_mut();
            let next = turns.get_mut(&run).and_then(VecDeque::pop_front);
            if next.is_none() {
                turns.remove(&run);
            }
            next
        };
        if let Some((work, underway)) = next {
            self.service.begin(Some(run), work, underway);
        }
    }
}
