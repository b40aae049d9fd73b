//! The store's thread: takes requests, has them carried out in order, and ends with the store.

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

/// How many requests are taken at once.
const AT_ONCE: usize = 256;

/// How much longer than a statement may take a store that is dropped waits for what is under way.
const GRACE: Duration = Duration::from_secs(2);

/// What the thread is to do.
pub(super) struct Request {
    /// The run whose requests are carried out one after the other.
    pub(super) turn: Option<RunId>,
    pub(super) work: Work,
}

pub(super) enum Work {
    Append(Append),
    Output(AppendOutput),
    Job(Job),
}

type Job = Box<dyn FnOnce(Rc<Service>) -> LocalBoxFuture<'static, ()> + Send>;

/// Something that the thread waits for before it ends.
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

/// The thread. Dropping it waits until what was asked is done.
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
                tracing::error!(%error, "the store's thread cannot work");
            }
        };
        let closed = |message: String| StoreError::Closed(message);
        let thread = thread::Builder::new()
            .name("workflow-postgres".to_owned())
            .spawn(work)
            .map_err(|error| closed(format!("its thread cannot be started: {error}")))?;
        let started = Self { requests: Some(requests), thread: Some(thread) };
        open.recv().unwrap_or_else(|_| Err(closed("its thread cannot work".to_owned())))?;
        Ok(started)
    }

    /// Has something done, unless the thread has ended: then what the answer would come from is dropped.
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
            // One that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn within_runtime(work: impl Future<Output = ()>) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, work);
    Ok(())
}

/// Takes requests until there can be no more, and waits for those under way: not for ever. Returns whether
/// they are done.
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
        tracing::warn!("a store was dropped while the database did not answer");
    }
    for task in background {
        task.abort();
    }
    done
}
