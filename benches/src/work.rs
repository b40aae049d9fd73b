//! The driven work, as little as possible, and the bare calls of it: the floor.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt as _};
use futures::task::AtomicWaker;
use indexmap::IndexMap;
use serde_json::Value;
use tempfile::TempDir;
use workflow_core::definition::{Lane, Mode, Stage, Workflow};
use workflow_core::ids::{NodePath, RunId};
use workflow_core::output::OutputKind;
use workflow_core::provider::{
    CallContext, CallHost, CallId, CallRequest, Provider, ProviderError, Reply, SessionLost, Workspace,
};
use workflow_core::stop::{Stop, StopSource};
use workflow_core::store::RunStore;
use workflow_exec::Engine;

use crate::measure::Result;

/// Answers at once.
pub(crate) struct NoOp;

/// Answers when it is polled a second time, so that concurrent runs take turns.
pub(crate) struct Yielding;

/// Never answers.
pub(crate) struct Never;

#[async_trait]
impl Provider for NoOp {
    async fn call(&self, _: CallRequest, _: CallContext) -> std::result::Result<Reply, ProviderError> {
        Ok(Reply::default())
    }
}

#[async_trait]
impl Provider for Yielding {
    async fn call(&self, _: CallRequest, _: CallContext) -> std::result::Result<Reply, ProviderError> {
        let mut polled = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        Ok(Reply::default())
    }
}

#[async_trait]
impl Provider for Never {
    async fn call(&self, _: CallRequest, _: CallContext) -> std::result::Result<Reply, ProviderError> {
        futures::future::pending().await
    }
}

/// Answers when it is told to stop.
pub(crate) struct UntilStopped;

#[async_trait]
impl Provider for UntilStopped {
    async fn call(&self, _: CallRequest, context: CallContext) -> std::result::Result<Reply, ProviderError> {
        context.stop().wait(Stop::Gracefully).await;
        Err(ProviderError::cancelled())
    }
}

/// Never answers its first calls, and answers all others at once; reports when that many calls were made.
#[derive(Clone)]
pub(crate) struct Holding(Arc<Held>);

struct Held {
    first: usize,
    until: usize,
    calls: AtomicUsize,
    waker: AtomicWaker,
}

impl Holding {
    pub(crate) fn new(first: usize, until: usize) -> Self {
        let (calls, waker) = (AtomicUsize::new(0), AtomicWaker::new());
        Self(Arc::new(Held { first, until, calls, waker }))
    }

    /// Ready when that many calls were made; never if none is held.
    pub(crate) async fn reached(&self) {
        poll_fn(|cx| {
            self.0.waker.register(cx.waker());
            let reached = self.0.first > 0 && self.0.calls.load(Ordering::SeqCst) >= self.0.until;
            if reached { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[async_trait]
impl Provider for Holding {
    async fn call(&self, _: CallRequest, _: CallContext) -> std::result::Result<Reply, ProviderError> {
        let number = self.0.calls.fetch_add(1, Ordering::SeqCst);
        self.0.waker.wake();
        if number < self.0.first {
            return futures::future::pending().await;
        }
        Ok(Reply::default())
    }
}

/// The name of the provider in the workflows here.
pub(crate) const PROVIDER: &str = "noop";

/// An engine that calls `provider`, with its own in-memory store.
pub(crate) fn engine(provider: impl Provider + 'static) -> Result<Engine> {
    Ok(Engine::builder().provider(PROVIDER, provider).build()?)
}

pub(crate) fn engine_on(store: impl RunStore + 'static, provider: impl Provider + 'static) -> Result<Engine> {
    Ok(Engine::builder().store(store).provider(PROVIDER, provider).build()?)
}

/// A directory on the disk that contains the program: the system's directory for temporary files may be in
/// memory.
pub(crate) fn directory() -> Result<TempDir> {
    let program = std::env::current_exe()?;
    Ok(tempfile::tempdir_in(program.parent().ok_or("the program is in no directory")?)?)
}

/// Consecutive stages.
pub(crate) fn chain(stages: usize) -> Result<Workflow> {
    let mut workflow = Workflow::new("chain".parse()?, "Stages in a row");
    for number in 0..stages {
        workflow = workflow.stage(format!("stage-{number}").parse()?, Stage::new(PROVIDER));
    }
    Ok(workflow)
}

/// One stage with this many lanes.
pub(crate) fn fan_out(lanes: usize) -> Result<Workflow> {
    let stage = Stage::with_lanes((0..lanes).map(|_| Lane::new(PROVIDER)));
    let stage = Stage { mode: Some(Mode::Parallel), ..stage };
    Ok(Workflow::new("fan-out".parse()?, "Lanes side by side").stage("stage".parse()?, stage))
}

/// What a program without an engine would do: call the provider.
pub(crate) struct Bare {
    provider: Arc<dyn Provider>,
    request: CallRequest,
    context: CallContext,
}

struct Deaf;

impl CallHost for Deaf {
    fn output(&self, _: &CallId, _: OutputKind, _: String) {}

    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        Box::pin(futures_timer::Delay::new(duration))
    }

    fn record_session<'a>(
        &'a self,
        _: &'a CallId,
        _: &'a str,
    ) -> BoxFuture<'a, std::result::Result<(), SessionLost>> {
        Box::pin(async { Ok(()) })
    }
}

impl Bare {
    pub(crate) fn new(provider: impl Provider + 'static) -> Result<Self> {
        let path: NodePath = "1/stage[0]/run".parse()?;
        let id = CallId { run: RunId::new("bare")?, seed: 0, path, attempt: 1 };
        let context = CallContext::new(id.clone(), StopSource::new().signal(), Arc::new(Deaf));
        let request = CallRequest {
            id,
            prompt: String::new(),
            options: Value::Null,
            env: IndexMap::new(),
            cwd: None,
            session: None,
            session_usage: None,
            output_schema: None,
            skills: Vec::new(),
            workspace: Workspace::Shared,
        };
        Ok(Self { provider: Arc::new(provider), request, context })
    }

    /// One boxed call.
    pub(crate) fn call(&self) -> BoxFuture<'_, std::result::Result<Reply, ProviderError>> {
        self.provider.call(self.request.clone(), self.context.clone())
    }

    /// Sequential calls.
    pub(crate) async fn in_a_row(&self, calls: usize) -> Result<()> {
        for _ in 0..calls {
            self.call().await?;
        }
        Ok(())
    }

    /// Parallel calls.
    pub(crate) async fn side_by_side(&self, calls: usize) -> Result<()> {
        all((0..calls).map(|_| async { Ok(self.call().await.map(drop)?) })).await
    }
}

/// Drives `futures` concurrently, on this thread.
pub(crate) async fn all<F: Future<Output = Result<()>>>(futures: impl IntoIterator<Item = F>) -> Result<()> {
    let mut under_way: FuturesUnordered<F> = futures.into_iter().collect();
    while let Some(result) = under_way.next().await {
        result?;
    }
    Ok(())
}
