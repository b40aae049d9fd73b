//! The store's thread: receives requests, has them executed in order, and ends with the store.

use std::convert::Infallible;
use std::future::Future;
use std::rc::Rc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures::future::LocalBoxFuture;
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use workflow_core::ids::RunId;
use workflow_core::store::{StoreError, Watchers};

use super::append::Append;
use super::options::PostgresOptions;
use super::output::AppendOutput;
use super::service::Service;

/// How many requests are received at once.
const AT_ONCE: usize = 256;

/// How much longer than the time limit of a statement a dropped store waits for requests in progress.
const GRACE: Duration = Duration::from_secs(2);

/// A request to the thread.
pub(super) struct Request {
    /// The run whose requests are executed one after the other.
    pub(super) turn: Option<RunId>,
    pub(super) work: Work,
}

pub(super) enum Work {
    Append(Append),
    Output(AppendOutput),
    Job(Job),
}

type Job = Box<dyn FnOnce(Rc<Service>) -> LocalBoxFuture<'static, ()> + Send>;

/// Keeps the thread alive until the request is done.
pub(super) type Underway = mpsc::Sender<Infallible>;

impl Request {
    pub(super) fn append(append: Append) -> Self {
        Self { turn: Some(append.run().clone()), work: Work::Append(append) }
    }

    pub(super) fn output(append: AppendOutput) -> Self {
        Self { turn: None, work: Work::Output(append) }
    }

    pub(super) fn job(turn: Option<RunId>, job: impl AsyncFnOnce(Rc<Service>) + Send + 'static) -> Self {
        let job: Job = Box::new(move |service| Box::pin(job(service)));
        Self { turn, work: Work::Job(job) }
    }
}

/// The thread. Dropping it waits until all requests are done.
pub(super) struct Thread {
    requests: Option<mpsc::UnboundedSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    /// Starts the thread, and waits until the store is open.
    pub(super) fn start(options: PostgresOptions, watchers: Watchers) -> Result<Self, StoreError> {
        let (requests, incoming) = mpsc::unbounded_channel();
        let (opened, open) = std::sync::mpsc::channel();
        let back = requests.downgrade();
        let work = move || {
            let limit = options.time_limit + GRACE;
            let result = within_runtime(async {
                let service = match Service::open(&options, watchers, back).await {
                    Ok(service) => service,
                    Err(error) => return drop(opened.send(Err(error))),
                };
                if opened.send(Ok(())).is_err() || serve(&service, &options, incoming, limit).await {
                    service.leave().await;
                }
            });
            if let Err(error) = result {
                tracing::error!(%error, "cannot start the runtime of the store's thread");
            }
        };
        let closed = |message: String| StoreError::Closed(message);
        let thread = thread::Builder::new()
            .name("workflow-postgres".to_owned())
            .spawn(work)
            .map_err(|error| closed(format!("its thread cannot be started: {error}")))?;
        let started = Self { requests: Some(requests), thread: Some(thread) };
        open.recv().unwrap_or_else(|_| Err(closed("the thread of the store could not start".to_owned())))?;
        Ok(started)
    }

    /// Sends a request, unless the thread has stopped: then the sender of the answer is dropped.
    pub(super) fn send(&self, request: Request) {
        if let Some(requests) = &self.requests {
            let _ = requests.send(request);
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // The thread's panic was reported already.
            let _ = thread.join();
        }
    }
}

pub(super) fn within_runtime(work: impl Future<Output = ()>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work);
    Ok(())
}

/// Receives requests until all senders are dropped, and then waits for those in progress, up to a limit.
/// Returns whether they are done.
async fn serve(
    service: &Rc<Service>,
    options: &PostgresOptions,
    mut incoming: mpsc::UnboundedReceiver<Request>,
    limit: Duration,
) -> bool {
    let (underway, mut ended) = mpsc::channel(1);
    let background = service.background(options);
    let mut requests = Vec::with_capacity(AT_ONCE);
    while incoming.recv_many(&mut requests, AT_ONCE).await > 0 {
        for request in requests.drain(..) {
            service.take(request, underway.clone());
        }
    }
    drop(underway);
    let done = tokio::time::timeout(limit, ended.recv()).await.is_ok();
    if !done {
        tracing::warn!(
            "dropped a store while the database did not answer: requests in progress were abandoned"
        );
    }
    for task in background {
        task.abort();
    }
    done
}
