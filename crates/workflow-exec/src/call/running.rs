//! One call of a provider, with its time-outs.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select};
use tracing::{Instrument as _, Span, error, warn};
use workflow_core::failure::{Failure, FailureClass};
use workflow_core::ids::NodePath;
use workflow_core::provider::{
    CallContext, CallId, CallRequest, GivenAnswer, Provider, ProviderError, Reply,
};
use workflow_core::stop::{Stop, StopSignal};

use crate::call::io::{CallIo, Outlet};
use crate::limits::Place;
use crate::panics::{caught, caught_async};
use crate::redact::Remembering;
use crate::runtime::Timer;

/// What a call needs to begin: a provider, and a slot of its limit.
pub(crate) struct Admission<'e> {
    pub provider: &'e dyn Provider,
    pub place: Place,
}

/// What a provider does for a call.
type Calling<'e> = BoxFuture<'e, Result<Reply, ProviderError>>;

/// A call that has ended.
pub(crate) struct Ended {
    pub path: NodePath,
    pub attempt: u32,
    /// In a box: it is large, and passed on several times.
    pub result: Box<Result<Reply, ProviderError>>,
    /// When it began, by the monotonic clock.
    pub began: Duration,
    pub span: Span,
}

/// A call that is under way: ready when it and its processes have ended.
pub(crate) struct Call<'e, O: Outlet> {
    path: NodePath,
    /// The provider, until the call was dropped.
    provider: Option<&'e dyn Provider>,
    io: Arc<CallIo<O>>,
    /// `None` once the call was dropped.
    future: Option<Calling<'e>>,
    began: Duration,
    span: Span,
    /// Held until the call has ended.
    _place: Place,
}

impl<'e, O: Outlet> Call<'e, O> {
    /// Begins a call that was decided on at `began`. Inlined: a request is large, and is copied once less.
    #[inline]
    pub(crate) fn begin(
        request: CallRequest,
        answers: &[GivenAnswer],
        admission: Admission<'e>,
        io: Arc<CallIo<O>>,
        patience: Patience<'e>,
        (began, span): (Duration, Span),
    ) -> Self {
        let Admission { provider, place } = admission;
        let path = request.id.path.clone();
        let context = CallContext::new(request.id.clone(), StopSignal::of(io.clone()), io.clone())
            .with_answers(answers);
        let mut future = caught(|| provider.call(request, context))
            .unwrap_or_else(|panic| after_panic(provider, io.id(&path), io.secrets().text(panic)));
        if patience.timeout.is_some() || patience.idle_timeout.is_some() {
            future = in_time(future, patience, io.clone(), (provider, io.id(&path)));
        }
        if !span.is_disabled() {
            future = in_span(future, &span);
        }
        Self { path, provider: Some(provider), io, future: Some(future), began, span, _place: place }
    }
}

impl<'e, O: Outlet> Call<'e, O> {
    pub(crate) fn path(&self) -> &NodePath {
        &self.path
    }

    pub(crate) fn io(&self) -> &Arc<CallIo<O>> {
        &self.io
    }

    /// Drops the provider's future before what follows is polled.
    fn go_on_with(&mut self, next: Calling<'e>) {
        self.provider = None;
        self.drop_future();
        self.future = Some(next);
    }

    fn drop_future(&mut self) {
        let Some(future) = self.future.take() else { return };
        if let Err(panic) = caught(|| drop(future)) {
            let (path, attempt, panic) = (&self.path, self.io.attempt, self.io.secrets().text(panic));
            error!(%path, attempt, panic, "the future of a call panicked when it was dropped");
        }
    }
}

impl<O: Outlet> Drop for Call<'_, O> {
    fn drop(&mut self) {
        self.drop_future();
        self.io.last_words(&self.path);
    }
}

impl<O: Outlet> Future for Call<'_, O> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut result = loop {
            let Some(future) = &mut self.future else { return Poll::Pending };
            match caught(|| future.poll_unpin(cx)) {
                Ok(Poll::Ready(result)) => break result,
                Ok(Poll::Pending) => match self.provider {
                    Some(provider) if self.io.poll_abandoned(cx).is_ready() => {
                        let late = match self.io.grace {
                            None => ProviderError::cancelled(),
                            Some(_) => too_late("the call was told to stop", FailureClass::Timeout),
                        };
                        let dropped = dropped(provider, self.io.id(&self.path), late);
                        self.go_on_with(dropped);
                    }
                    _ => return Poll::Pending,
                },
                Err(panic) => match self.provider {
                    Some(provider) => {
                        let panic = self.io.secrets().text(panic);
                        let after = after_panic(provider, self.io.id(&self.path), panic);
                        self.go_on_with(after);
                    }
                    None => break Err(panicked(&panic)),
                },
            }
        };
        self.io.secrets().result(&mut result);
        self.io.last_words(&self.path);
        let (path, attempt, result) = (self.path.clone(), self.io.attempt, Box::new(result));
        let span = std::mem::replace(&mut self.span, Span::none());
        Poll::Ready(Ended { path, attempt, result, began: self.began, span })
    }
}

/// How long a call may take.
pub(crate) struct Patience<'e> {
    pub timeout: Option<Duration>,
    /// The failure of the call after that time, if a budget and not its own time-out has expired.
    pub over_budget: Option<Box<Failure>>,
    pub idle_timeout: Option<Duration>,
    pub timer: &'e dyn Timer,
}

/// The call within its span. Not inlined, like what follows: each future is large, and uses stack where it is made.
#[inline(never)]
fn in_span<'e>(call: Calling<'e>, span: &Span) -> Calling<'e> {
    call.instrument(span.clone()).boxed()
}

/// The call with its time-outs: it is told to stop when it takes too long, and dropped when it does not stop.
#[inline(never)]
fn in_time<'e, O: Outlet>(
    call: Calling<'e>,
    patience: Patience<'e>,
    io: Arc<CallIo<O>>,
    (provider, id): (&'e dyn Provider, CallId),
) -> Calling<'e> {
    async move {
        io.hear();
        match select(call, pin!(too_long(&patience, &io))).await {
            Either::Left((result, _)) => result,
            Either::Right((error, call)) => {
                io.signal(Stop::Gracefully);
                let grace = async {
                    if let Some(grace) = io.grace {
                        wait(&patience, &io, grace).await;
                    }
                };
                let (usage, output) = match select(call, pin!(grace)).await {
                    Either::Left((Ok(reply), _)) => (reply.usage, Some(reply.output)),
                    Either::Left((Err(ended), _)) => (ended.usage, ended.output),
                    Either::Right(((), call)) => {
                        drop(call);
                        let failure = &error.failure;
                        let late = io.grace.map(|_| too_late(&failure.message, failure.class));
                        return dropped(provider, id, late.unwrap_or(error)).await;
                    }
                };
                Err(ProviderError { usage, output, ..error })
            }
        }
    }
    .boxed()
}

/// The call had its grace period after it was told to stop.
fn too_late(why: &str, class: FailureClass) -> ProviderError {
    ProviderError::new(class, format!("{why}; it did not stop in time and was dropped"))
}

/// Converts the options of a call to the form that its provider reads.
pub(crate) fn fit(request: &mut CallRequest, provider: &dyn Provider) -> Result<(), Failure> {
    let (class, message) = match caught(|| request.fit_options(provider)) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => (FailureClass::Expression, error.to_string()),
        Err(panic) => (FailureClass::Permanent, format!("the provider panicked: {panic}")),
    };
    Err(Failure::new(class, format!("{}.with: {message}", request.id.path.stage)))
}

/// The error of a call that could not be made.
#[cold]
pub(crate) fn not_made(mut failure: Failure, secrets: &Remembering<'_>) -> ProviderError {
    if let Some(problem) = secrets.problem.get() {
        failure = Failure::new(FailureClass::Permanent, problem);
    }
    if let Some(redactor) = secrets.known.redactor() {
        redactor.failure(&mut failure);
    }
    ProviderError { failure: Box::new(failure), ..ProviderError::permanent("") }
}

/// Whether calls of a provider need a grace period after they are told to stop.
pub(crate) fn needs_grace(provider: &dyn Provider) -> bool {
    caught(|| provider.needs_grace()).unwrap_or(false)
}

/// Cleans up what is left of a call that was told to stop because of `late`, and was dropped.
#[cold]
fn dropped(provider: &dyn Provider, call: CallId, late: ProviderError) -> Calling<'_> {
    async move {
        Err(match reclaim(provider, &call).await {
            Ok(()) => late,
            Err(error) => may_run(&late.failure.message, &error),
        })
    }
    .boxed()
}

fn may_run(message: &str, error: &ProviderError) -> ProviderError {
    ProviderError::permanent(format!("{message}, and what it started may still be running: {error}"))
}

/// Cleans up what is left of a call that panicked.
#[cold]
fn after_panic(provider: &dyn Provider, call: CallId, panic: String) -> Calling<'_> {
    async move {
        let error = panicked(&panic);
        warn!(path = %call.path, attempt = call.attempt, "{error}");
        Err(match reclaim(provider, &call).await {
            Ok(()) => error,
            Err(left) => may_run(&error.failure.message, &left),
        })
    }
    .boxed()
}

fn panicked(panic: &str) -> ProviderError {
    ProviderError::permanent(format!("the provider panicked: {panic}"))
}

/// Has a provider stop what is left of a call.
pub(crate) async fn reclaim(provider: &dyn Provider, call: &CallId) -> Result<(), ProviderError> {
    caught_async(provider.reclaim(call)).await.unwrap_or_else(|panic| Err(panicked(&panic)))
}

/// Waits, and waits again if the host's monotonic clock shows that less time has passed: for example because
/// it stopped while the process was suspended.
async fn wait(patience: &Patience<'_>, io: &CallIo<impl Outlet>, time: Duration) {
    let until = io.monotonic().map(|now| now.saturating_add(time));
    patience.timer.sleep(time).await;
    while let (Some(until), Some(now)) = (until, io.monotonic())
        && let left = until.saturating_sub(now)
        && !left.is_zero()
    {
        patience.timer.sleep(left).await;
    }
}

/// Ready with the error when the call has taken too long, or was silent for too long.
async fn too_long(patience: &Patience<'_>, io: &CallIo<impl Outlet>) -> ProviderError {
    let total = async {
        match patience.timeout {
            Some(timeout) => wait(patience, io, timeout).await,
            None => futures::future::pending().await,
        }
        if let Some(failure) = &patience.over_budget {
            return ProviderError { failure: failure.clone(), ..ProviderError::permanent("") };
        }
        let after = patience.timeout.unwrap_or_default();
        ProviderError::new(FailureClass::Timeout, format!("no result after {after:?}"))
    };
    let silence = async {
        let Some(limit) = patience.idle_timeout else { return futures::future::pending().await };
        while let Some(left) = limit.checked_sub(io.quiet()).filter(|left| !left.is_zero()) {
            patience.timer.sleep(left).await;
        }
        ProviderError::new(FailureClass::IdleTimeout, format!("no activity for {limit:?}"))
    };
    match select(pin!(total), pin!(silence)).await {
        Either::Left((error, _)) | Either::Right((error, _)) => error,
    }
}
