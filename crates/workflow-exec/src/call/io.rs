//! A call's connection to what it belongs to: the run that a driver has, or the backend that had it made.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use futures::task::AtomicWaker;
use jiff::Timestamp;
use tracing::warn;
use workflow_core::ids::{NodePath, RunId};
use workflow_core::output::OutputKind;
use workflow_core::provider::{CallHost, CallId, SessionLost};
use workflow_core::redact::{Piece, Redactor, Stream};
use workflow_core::stop::{Stop, StopState};
use workflow_core::usage::Usage;

use crate::redact::Known;
use crate::runtime::Timer;
use crate::shared::Shared;
use crate::steady::Steady;

/// Providers split longer lines, between two characters: the next entry may continue the same line.
const LONG_LINE: usize = 64 * 1024 - 3;

/// What every call of a run needs.
pub(crate) struct OfRun {
    run: RunId,
    seed: u64,
    pub clock: Arc<Steady>,
    timer: Arc<dyn Timer>,
    pub secrets: Known,
}

impl OfRun {
    pub(crate) fn new(engine: &Shared, run: RunId, seed: u64) -> Self {
        let (clock, timer) = (engine.clock.clone(), engine.timer.clone());
        Self { run, seed, clock, timer, secrets: Known::default() }
    }
}

/// Where what a call reports goes, without the secrets.
pub(crate) trait Outlet: Send + Sync + 'static {
    fn of_run(&self) -> &OfRun;
    fn output(&self, path: &NodePath, attempt: u32, kind: OutputKind, text: String);
    fn alive(&self) {}
    fn usage(&self, call: &CallId, usage: Usage);
    fn record_session<'a>(
        &'a self,
        call: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>>;
}

/// One call's connection.
pub(crate) struct CallIo<O> {
    outlet: Arc<O>,
    pub attempt: u32,
    stop: StopState,
    /// How long the call may take to end after it was told to stop. `None`: its future is dropped at once.
    pub grace: Option<Duration>,
    /// When the call last showed activity, in milliseconds of the monotonic clock.
    heard: AtomicU64,
    abandoned: AtomicBool,
    waker: AtomicWaker,
    /// A redactor for each kind of output, if there are secrets: one can begin in one entry and end in the
    /// next.
    said: Mutex<Vec<(OutputKind, Stream)>>,
}

impl<O> AsRef<StopState> for CallIo<O> {
    fn as_ref(&self) -> &StopState {
        &self.stop
    }
}

impl<O: Outlet> CallIo<O> {
    pub(crate) fn new(outlet: Arc<O>, attempt: u32, grace: Option<Duration>) -> Self {
        Self {
            outlet,
            attempt,
            stop: StopState::default(),
            grace,
            heard: AtomicU64::new(0),
            abandoned: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            said: Mutex::default(),
        }
    }

    /// Which call it is; its node is at `path`.
    pub(crate) fn id(&self, path: &NodePath) -> CallId {
        let OfRun { run, seed, .. } = self.outlet.of_run();
        CallId { run: run.clone(), seed: *seed, path: path.clone(), attempt: self.attempt }
    }

    /// How the call was told to stop.
    pub(crate) fn stopping(&self) -> Stop {
        self.stop.now()
    }

    /// Tells the call to stop, and leaves it to it when it ends.
    pub(crate) fn signal(&self, how: Stop) {
        self.stop.stop(how);
    }

    /// Tells the call to stop. Returns after what time it is to be [dropped](Self::overdue) unless it has ended; `None` where
    /// that was done at once.
    pub(crate) fn tell_to_stop(&self, how: Stop) -> Option<Duration> {
        self.signal(how);
        if self.grace.is_none() {
            self.abandon();
        }
        self.grace
    }

    /// Drops the call, whose grace period is over.
    pub(crate) fn overdue(&self, path: &NodePath) {
        warn!(%path, attempt = self.attempt, "the call did not stop in time and is dropped");
        self.abandon();
    }

    /// Ends the call without its provider.
    fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Ready when the call is to end without its provider.
    pub(crate) fn poll_abandoned(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.abandoned.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    pub(crate) fn hear(&self) {
        self.heard.store(milliseconds(self.outlet.of_run().clock.elapsed()), Ordering::Release);
    }

    /// How long the call has shown no activity.
    pub(crate) fn quiet(&self) -> Duration {
        let now = milliseconds(self.outlet.of_run().clock.elapsed());
        Duration::from_millis(now.saturating_sub(self.heard.load(Ordering::Acquire)))
    }

    /// The host's monotonic clock, if it has one.
    pub(crate) fn monotonic(&self) -> Option<Duration> {
        self.outlet.of_run().clock.monotonic()
    }

    pub(crate) fn secrets(&self) -> &Known {
        &self.outlet.of_run().secrets
    }

    /// Passes on text that was held back because it could have been the beginning of a secret.
    #[inline]
    pub(crate) fn last_words(&self, path: &NodePath) {
        if self.secrets().are_any() {
            self.finish_streams(path);
        }
    }

    fn finish_streams(&self, path: &NodePath) {
        for (kind, mut stream) in std::mem::take(&mut *lock(&self.said)) {
            stream.finish(|text| self.push(path, kind, text));
        }
    }

    fn push(&self, path: &NodePath, kind: OutputKind, text: String) {
        self.outlet.output(path, self.attempt, kind, text);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl<O: Outlet> CallHost for CallIo<O> {
    fn output(&self, call: &CallId, kind: OutputKind, text: String) {
        self.hear();
        let Some(redactor) = self.secrets().redactor() else {
            return self.push(&call.path, kind, text);
        };
        let piece = match kind {
            OutputKind::TextDelta => Piece::Delta,
            _ if text.len() >= LONG_LINE => Piece::Part,
            _ => Piece::Line,
        };
        let mut said = lock(&self.said);
        let known = said.iter().position(|(said, _)| *said == kind);
        let number = known.unwrap_or_else(|| {
            said.push((kind, redactor.stream()));
            said.len() - 1
        });
        if let Some((_, stream)) = said.get_mut(number) {
            stream.push(text, piece, |text| self.push(&call.path, kind, text));
        }
    }

    fn now(&self) -> Timestamp {
        self.outlet.of_run().clock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.outlet.of_run().timer.sleep(duration)
    }

    fn alive(&self) {
        self.hear();
        self.outlet.alive();
    }

    fn usage(&self, call: &CallId, usage: Usage) {
        self.hear();
        self.outlet.usage(call, usage);
    }

    fn redactor(&self) -> Redactor {
        self.secrets().redactor().unwrap_or_default()
    }

    fn record_session<'a>(
        &'a self,
        call: &'a CallId,
        session: &'a str,
    ) -> BoxFuture<'a, Result<(), SessionLost>> {
        self.hear();
        if self.secrets().is_in_session(session) {
            return Box::pin(ready(Ok(())));
        }
        self.outlet.record_session(call, session)
    }
}
