//! One call of a provider, with its time-outs.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select};
use tracing::{Instrument as _, Span};
use workflow_core::failure::FailureClass;
use workflow_core::ids::NodePath;
use workflow_core::provider::{CallContext, CallId, CallRequest, Provider, ProviderError, Reply};
use workflow_core::stop::Stop;

use super::output::CallIo;
use crate::limits::Place;
use crate::runtime::{Clock, Timer};

/// What a call needs to begin: a provider, and a place there.
pub(super) struct Admission<'e> {
    pub provider: &'e dyn Provider,
    pub place: Place,
}

/// A call that has ended.
pub(super) struct Ended {
    pub path: NodePath,
    pub attempt: u32,
    pub result: Result<Reply, ProviderError>,
}

/// A call that is under way: ready when it and its processes have ended.
pub(super) struct Call<'e> {
    id: CallId,
    /// The provider, until the call was dropped.
    provider: Option<&'e dyn Provider>,
    io: Arc<CallIo>,
    future: BoxFuture<'e, Result<Reply, ProviderError>>,
    /// Held until the call has ended.
    _place: Place,
}

impl<'e> Call<'e> {
    /// Begins a call. Inlined: a request is large, and is copied once less.
    #[inline]
    pub(super) fn begin(
        request: CallRequest,
        admission: Admission<'e>,
        io: Arc<CallIo>,
        patience: Patience<'e>,
        span: Span,
    ) -> Self {
        let Admission { provider, place } = admission;
        let id = request.id.clone();
        let context = CallContext::new(id.clone(), io.stop.signal(), io.clone());
        let mut future = provider.call(request, context);
        if patience.timeout.is_some() || patience.idle_timeout.is_some() {
            future = in_time(future, patience, io.clone(), (provider, id.clone())).boxed();
        }
        if !span.is_disabled() {
            future = future.instrument(span).boxed();
        }
        Self { id, provider: Some(provider), io, future, _place: place }
    }
}

impl Future for Call<'_> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut result = loop {
            if let Poll::Ready(result) = self.future.poll_unpin(cx) {
                break result;
            }
            match self.provider {
                Some(provider) if self.io.poll_abandoned(cx).is_ready() => {
                    self.provider = None;
                    // What was begun is dropped by this, before what follows is polled.
                    let late = ProviderError::new(FailureClass::Timeout, "the call was told to stop");
                    self.future = dropped(provider, self.id.clone(), late).boxed();
                }
                _ => return Poll::Pending,
            }
        };
        match &mut result {
            Ok(reply) => {
                self.io.redactor().data(&mut reply.output);
                reply.details.iter_mut().for_each(|details| self.io.redactor().value(details));
            }
            Err(error) => self.io.redactor().failure(&mut error.failure),
        }
        Poll::Ready(Ended { path: self.id.path.clone(), attempt: self.id.attempt, result })
    }
}

/// How long a call may take.
pub(super) struct Patience<'e> {
    pub timeout: Option<Duration>,
    pub idle_timeout: Option<Duration>,
    /// How long a call may take to end after it was told to stop; then it is dropped.
    pub stop_grace: Duration,
    pub timer: &'e dyn Timer,
    pub clock: &'e dyn Clock,
}

/// The call, told to stop when it takes too long, and dropped when it does not.
async fn in_time(
    call: BoxFuture<'_, Result<Reply, ProviderError>>,
    patience: Patience<'_>,
    io: Arc<CallIo>,
    (provider, id): (&dyn Provider, CallId),
) -> Result<Reply, ProviderError> {
    io.hear();
    match select(call, pin!(too_long(&patience, &io))).await {
        Either::Left((result, _)) => result,
        Either::Right((error, call)) => {
            io.stop.stop(Stop::Gracefully);
            let usage = match select(call, patience.timer.sleep(patience.stop_grace)).await {
                Either::Left((Ok(reply), _)) => reply.usage,
                Either::Left((Err(ended), _)) => ended.usage,
                Either::Right(((), call)) => {
                    drop(call);
                    return dropped(provider, id, error).await;
                }
            };
            Err(ProviderError { usage, ..error })
        }
    }
}

/// Sees to it that nothing is left of a call that was told to stop because of `late`, did not in
/// time, and was dropped.
async fn dropped(provider: &dyn Provider, call: CallId, late: ProviderError) -> Result<Reply, ProviderError> {
    let message = format!("{late}; it did not stop in time and was dropped");
    Err(match provider.reclaim(&call).await {
        Ok(()) => ProviderError::new(late.failure.class, message),
        Err(error) => {
            let message = format!("{message}, and what it started may still be running: {error}");
            ProviderError::permanent(message)
        }
    })
}

/// Ready with the error when the call has taken too long, or was silent for too long.
async fn too_long(patience: &Patience<'_>, io: &CallIo) -> ProviderError {
    let timer = patience.timer;
    let total = async {
        match patience.timeout {
            Some(timeout) => timer.sleep(timeout).await,
            None => futures::future::pending().await,
        }
        let after = patience.timeout.unwrap_or_default();
        ProviderError::new(FailureClass::Timeout, format!("no result after {after:?}"))
    };
    let silence = async {
        let Some(limit) = patience.idle_timeout else { return futures::future::pending().await };
        loop {
            let quiet = patience.clock.now().as_millisecond().saturating_sub(io.heard());
            let quiet = Duration::from_millis(quiet.try_into().unwrap_or(0));
            match limit.checked_sub(quiet).filter(|left| !left.is_zero()) {
                Some(left) => timer.sleep(left).await,
                None => break,
            }
        }
        ProviderError::new(FailureClass::IdleTimeout, format!("nothing heard for {limit:?}"))
    };
    match select(pin!(total), pin!(silence)).await {
        Either::Left((error, _)) | Either::Right((error, _)) => error,
    }
}
