//! One call of a provider, with its time-outs.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{AbortHandle, Abortable, BoxFuture, Either, select};
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;
use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply};
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
        let io = around.io.clone();
        let call = async move {
            // The place is held until the call has ended.
            let _place = around.place;
            let context = CallContext::new(request.id.clone(), stop.signal(), around.io.clone());
            let patience = around.patience;
            if patience.timeout.is_none() && patience.idle_timeout.is_none() {
                return around.provider.call(request, context).await;
            }
            around.io.hear();
            let call = around.provider.call(request, context);
            let too_long = too_long(&*around.timer, &*around.clock, &around.io, patience);
            match select(call, pin!(too_long)).await {
                Either::Left((result, _)) => result,
                Either::Right((error, call)) => {
                    stop.stop(Stop::Gracefully);
                    let usage = match select(call, around.timer.sleep(patience.stop_grace)).await {
                        Either::Left((Ok(reply), _)) => reply.usage,
                        Either::Left((Err(ended), _)) => ended.usage,
                        Either::Right(_) => None,
                    };
                    Err(ProviderError { usage, ..error })
                }
            }
        };
        let result = Abortable::new(call, registration).await;
        let mut result = result.unwrap_or_else(|_| Err(ProviderError::cancelled()));
        match &mut result {
            Ok(reply) => io.redactor().data(&mut reply.output),
            Err(error) => io.redactor().failure(&mut error.failure),
        }
        Ended { path, attempt, result }
    };
    (running, future.boxed())
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
