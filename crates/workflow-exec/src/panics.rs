//! Panics in code that the host plugs in end here, with their text. Nothing is caught in a program that is built
//! with `panic = "abort"`.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Once;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use jiff::Timestamp;
use tracing::error;
use workflow_core::catalog::CatalogError;
use workflow_core::ids::RunId;

use crate::runtime::{Clock, Spawn, SystemClock, ThreadTimer, Timer};
use workflow_core::runs::EngineError;

/// Runs `code`; a panic is returned as its text.
pub(crate) fn caught<T>(code: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(text)
}

/// Awaits `future`; a panic is returned as its text.
pub(crate) fn caught_async<F: Future>(future: F) -> impl Future<Output = Result<F::Output, String>> {
    AssertUnwindSafe(future).catch_unwind().map(|outcome| outcome.map_err(text))
}

/// Awaits what drives `run`, in which host code of every kind is called.
pub(crate) fn while_driving<T>(
    run: RunId,
    mut driving: Pin<&mut impl Future<Output = Result<T, EngineError>>>,
) -> impl Future<Output = Result<T, EngineError>> {
    poll_fn(move |cx| match caught(|| driving.as_mut().poll(cx)) {
        Ok(polled) => polled,
        Err(message) => {
            Poll::Ready(Err(EngineError::Panicked { what: format!("driving run `{run}`"), message }))
        }
    })
}

/// Awaits a future of the host's catalog.
pub(crate) async fn ask_catalog<T>(
    asked: impl Future<Output = Result<T, CatalogError>>,
) -> Result<T, EngineError> {
    match caught_async(asked).await {
        Ok(answer) => Ok(answer?),
        Err(message) => Err(EngineError::Panicked { what: "the catalog".to_owned(), message }),
    }
}

/// Hands `future` to the host's spawner.
pub(crate) fn spawn(spawner: &dyn Spawn, future: BoxFuture<'static, ()>) -> Result<(), EngineError> {
    caught(|| spawner.spawn(future))
        .map_err(|message| EngineError::Panicked { what: "the spawner".to_owned(), message })
}

/// The text of a panic.
fn text(payload: Box<dyn Any + Send>) -> String {
    let payload = match payload.downcast::<String>() {
        Ok(text) => return *text,
        Err(payload) => payload,
    };
    match payload.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(_) => "a panic without a text".to_owned(),
    }
}

/// A clock of the host. When it panics, the system's clock is read.
pub(crate) struct GuardedClock<C> {
    clock: C,
    reported: Once,
}

impl<C> GuardedClock<C> {
    pub(crate) fn new(clock: C) -> Self {
        Self { clock, reported: Once::new() }
    }
}

impl<C: Clock> Clock for GuardedClock<C> {
    fn now(&self) -> Timestamp {
        caught(|| self.clock.now()).unwrap_or_else(|panic| {
            self.reported
                .call_once(|| error!(panic, "the clock panicked: the system's clock is read instead"));
            Timestamp::now()
        })
    }

    fn monotonic(&self) -> Option<Duration> {
        caught(|| self.clock.monotonic()).unwrap_or_else(|_| SystemClock.monotonic())
    }
}

/// A timer of the host. When it panics, [`ThreadTimer`] waits instead.
pub(crate) struct GuardedTimer<T>(pub T);

impl<T: Timer> Timer for GuardedTimer<T> {
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match caught(|| self.0.sleep(duration)) {
            Ok(sleep) => Box::pin(GuardedSleep { sleep, duration }),
            Err(panic) => instead(duration, &panic),
        }
    }
}

struct GuardedSleep {
    sleep: BoxFuture<'static, ()>,
    duration: Duration,
}

impl Future for GuardedSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match caught(|| self.sleep.poll_unpin(cx)) {
            Ok(polled) => polled,
            Err(panic) => {
                self.sleep = instead(self.duration, &panic);
                self.sleep.poll_unpin(cx)
            }
        }
    }
}

fn instead(duration: Duration, panic: &str) -> BoxFuture<'static, ()> {
    error!(panic, "the timer panicked: a thread of the engine waits instead");
    ThreadTimer.sleep(duration)
}
