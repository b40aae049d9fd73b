//! Calls of a blocking closure, each on a thread.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;
use futures::future::{Either, pending, select};
use workflow_core::provider::{CallContext, CallId, CallRequest, ProviderError, Reply};
use workflow_core::stop::{Stop, StopSignal, StopSource};

use crate::threads::Threads;

/// The maximum number of threads of a closure.
const MOST_THREADS: usize = 64;

type Function = dyn Fn(CallRequest, CallContext) -> Result<Reply, ProviderError> + Send + Sync;

/// A blocking closure, and the threads that it runs on.
pub(crate) struct Blocking {
    function: Box<Function>,
    threads: Threads,
    /// The calls that are executing on a thread.
    running: Mutex<Vec<CallId>>,
}

/// A call that has not begun. It is taken either by a thread, or when the call is stopped or dropped.
#[derive(Clone)]
struct Waiting(Arc<Mutex<Option<(CallRequest, CallContext)>>>);

impl Waiting {
    fn take(&self) -> Option<(CallRequest, CallContext)> {
        lock(&self.0).take()
    }
}

/// Tells the closure to stop, and takes back a call that has not begun.
struct StopOnDrop {
    stop: StopSource,
    waiting: Waiting,
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.stop.stop(Stop::AtOnce);
        self.waiting.take();
    }
}

impl Blocking {
    pub(crate) fn new<F>(function: F) -> Self
    where
        F: Fn(CallRequest, CallContext) -> Result<Reply, ProviderError> + Send + Sync + 'static,
    {
        Self { function: Box::new(function), threads: Threads::new(MOST_THREADS), running: Mutex::default() }
    }

    /// Calls the closure on a thread, unless the call is told to stop before one is free. A panic of the
    /// closure is resumed here.
    ///
    /// Dropping the future tells the closure to stop; it returns on its own thread.
    pub(crate) async fn call(
        self: Arc<Self>,
        request: CallRequest,
        context: CallContext,
    ) -> Result<Reply, ProviderError> {
        let theirs = StopSource::new();
        let stop = context.stop().clone();
        if stop.now() > Stop::None {
            return Err(ProviderError::cancelled());
        }
        let context = context.with_stop(theirs.signal());
        let waiting = Waiting(Arc::new(Mutex::new(Some((request, context)))));
        let call = StopOnDrop { stop: theirs, waiting: waiting.clone() };
        let (result, returned) = oneshot::channel();
        let blocking = self.clone();
        let job = move || {
            // The receiver is gone if the future of the call was dropped.
            let _ = waiting.take().map(|(request, context)| result.send(blocking.run(request, context)));
        };
        self.threads.run(Box::new(job)).map_err(|error| {
            ProviderError::transient(format!("cannot start a thread for the call: {error}"))
        })?;
        let returned = match select(returned, pin!(pass_on(&stop, &call))).await {
            Either::Left((returned, _)) => returned,
            Either::Right((NotBegun, _)) => return Err(ProviderError::cancelled()),
        };
        match returned {
            Ok(Ok(result)) => result,
            Ok(Err(panic)) => resume_unwind(panic),
            Err(oneshot::Canceled) => {
                Err(ProviderError::permanent("the thread of the call stopped without a result"))
            }
        }
    }

    fn run(
        &self,
        request: CallRequest,
        context: CallContext,
    ) -> std::thread::Result<Result<Reply, ProviderError>> {
        let id = request.id.clone();
        lock(&self.running).push(id.clone());
        let returned = catch_unwind(AssertUnwindSafe(|| (self.function)(request, context)));
        lock(&self.running).retain(|running| *running != id);
        returned
    }

    /// Fails while a thread is still executing that call, or an earlier attempt of its node.
    pub(crate) fn reclaim(&self, call: &CallId) -> Result<(), ProviderError> {
        let is_of_it = |running: &CallId| {
            running.attempt <= call.attempt && CallId { attempt: call.attempt, ..running.clone() } == *call
        };
        if lock(&self.running).iter().any(is_of_it) {
            return Err(ProviderError::transient("the closure has not returned yet"));
        }
        Ok(())
    }
}

/// The call was stopped before a thread was free.
struct NotBegun;

/// Forwards the stop signal, until it turns out that the call has not begun.
async fn pass_on(stop: &StopSignal, call: &StopOnDrop) -> NotBegun {
    for how in [Stop::Gracefully, Stop::AtOnce] {
        stop.wait(how).await;
        if call.waiting.take().is_some() {
            return NotBegun;
        }
        call.stop.stop(stop.now());
    }
    pending().await
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code of the host runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
