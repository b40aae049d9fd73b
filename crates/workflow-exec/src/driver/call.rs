//! One call of a provider, with its time-outs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{AbortHandle, Abortable, BoxFuture, Either, select};
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::stop::{Stop, StopSource};

use super::output::CallIo;
use crate::limits::Place;
use crate::runtime::{Clock, Timer};

/// How long a call may take.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    /// How long a call may take to end after it was told to stop; then it is dropped.
    pub stop_grace: Duration,
}

/// What the driver keeps of a call that is under way.
pub(super) struct Running {
    pub attempt: u32,
    pub stop: StopSource,
    pub abort: AbortHandle,
}

/// A call that has ended.
pub(super) struct Ended {
    pub path: NodePath,
    pub attempt: u32,
    pub result: Result<Reply, ProviderError>,
}

/// What a call needs of the engine.
pub(super) struct Surroundings {
    pub provider: Arc<dyn Provider>,
    pub io: Arc<CallIo>,
    pub timer: Arc<dyn Timer>,
    pub clock: Arc<dyn Clock>,
    pub patience: Patience,
    pub place: Place,
}

/// Begins a call: the future is ready when the call and its processes have ended.
pub(super) fn begin(request: CallRequest, around: Surroundings) -> (Running, BoxFuture<'static, Ended>) {
    let stop = StopSource::new();
    let (abort, registration) = AbortHandle::new_pair();
    let running = Running { attempt: request.id.attempt, stop: stop.clone(), abort };
    let path = request.id.path.clone();
    let attempt = request.id.attempt;
    let future = async move {
        let (io, provider, id) = (around.io.clone(), around.provider.clone(), request.id.clone());
        let ended = Abortable::new(carry_out(request, stop, around), registration).await;
        let mut result = match ended {
            Ok(Some(result)) => result,
            Ok(None) | Err(_) => Err(dropped(&*provider, &id).await),
        };
        match &mut result {
            Ok(reply) => io.redactor().data(&mut reply.output),
            Err(error) => io.redactor().failure(&mut error.failure),
        }
        Ended { path, attempt, result }
    };
    (running, future.boxed())
}

/// Calls the provider, and stops the call when it takes too long. `None`: it did not stop in time.
async fn carry_out(
    request: CallRequest,
    stop: StopSource,
    around: Surroundings,
) -> Option<Result<Reply, ProviderError>> {
    // The place is held until the call has ended.
    let _place = around.place;
    let context = CallContext::new(request.id.clone(), stop.signal(), around.io.clone());
    let patience = around.patience;
    if patience.timeout.is_none() && patience.idle_timeout.is_none() {
        return Some(around.provider.call(request, context).await);
    }
    around.io.hear();
    let call = around.provider.call(request, context);
    let too_long = too_long(&*around.timer, &*around.clock, &around.io, patience);
    match select(call, pin!(too_long)).await {
        Either::Left((result, _)) => Some(result),
        Either::Right((error, call)) => {
            stop.stop(Stop::Gracefully);
            let usage = match select(call, around.timer.sleep(patience.stop_grace)).await {
                Either::Left((Ok(reply), _)) => reply.usage,
                Either::Left((Err(ended), _)) => ended.usage,
                Either::Right(_) => return None,
            };
            Some(Err(ProviderError { usage, ..error }))
        }
    }
}

/// Sees to it that nothing is left of a call that did not stop in time and was dropped.
async fn dropped(provider: &dyn Provider, call: &CallId) -> ProviderError {
    match provider.reclaim(call).await {
        Ok(()) => ProviderError::new(FailureClass::Timeout, "the call did not stop in time and was dropped"),
        Err(error) => {
            let message = format!("the call was dropped, and what it started may still be running: {error}");
            ProviderError::permanent(message)
        }
    }
}

/// Ready with the error when the call has taken too long, or was silent for too long.
async fn too_long(timer: &dyn Timer, clock: &dyn Clock, io: &CallIo, patience: Patience) -> ProviderError {
    let total = async {
        match patience.timeout {
            Some(timeout) => timer.sleep(timeout).await,
            None => futures::future::pending().await,
        }
        let after = patience.timeout.unwrap_or_default();
        ProviderError::new(FailureClass::Timeout, format!("no result after {after:?} (timeout)"))
    };
    let silence = async {
        let Some(limit) = patience.idle_timeout else { return futures::future::pending().await };
        loop {
            let quiet = clock.now().as_millisecond().saturating_sub(io.heard());
            let quiet = Duration::from_millis(quiet.try_into().unwrap_or(0));
            match limit.checked_sub(quiet).filter(|left| !left.is_zero()) {
                Some(left) => timer.sleep(left).await,
                None => break,
            }
        }
        ProviderError::new(FailureClass::IdleTimeout, format!("nothing heard for {limit:?} (idle_timeout)"))
    };
    match select(pin!(total), pin!(silence)).await {
        Either::Left((error, _)) | Either::Right((error, _)) => error,
    }
}
