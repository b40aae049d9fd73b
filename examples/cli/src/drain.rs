//! Stops an engine step by step: a signal for each step.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select};
use futures_timer::Delay;
use workflow_core::definition::Period;
use workflow_core::stop::Stop;
use workflow_exec::Engine;

/// How an engine is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Calls may end for that long; then they are stopped.
    Drain(Duration),
    /// Calls are stopped.
    Stop,
    /// Calls are killed.
    Kill,
}

impl Step {
    /// The step of the first signal.
    pub(crate) fn first(drain: Option<Period>) -> Self {
        let drain = drain.map(|drain| drain.0).filter(|drain| !drain.is_zero());
        drain.map_or(Self::Stop, Self::Drain)
    }

    /// The step of the signal after.
    pub(crate) fn next(self) -> Self {
        match self {
            Self::Drain(_) => Self::Stop,
            Self::Stop | Self::Kill => Self::Kill,
        }
    }

    /// What it does, for people.
    pub(crate) fn what(self) -> String {
        match self {
            Self::Drain(bound) => {
                let bound = crate::text::duration(bound);
                format!("starting no calls, and letting those under way end for at most {bound}")
            }
            Self::Stop => "stopping the calls, and leaving the runs to other processes".to_owned(),
            Self::Kill => "killing the calls".to_owned(),
        }
    }

    /// Waits until the engine drives no run any more.
    pub(crate) fn take(self, engine: &Engine) -> BoxFuture<'static, ()> {
        let engine = engine.clone();
        async move {
            match self {
                Self::Drain(bound) => {
                    let drained = select(Box::pin(engine.drain()), Delay::new(bound)).await;
                    if let Either::Right(_) = drained {
                        engine.shutdown(Stop::Gracefully).await;
                    }
                }
                Self::Stop => engine.shutdown(Stop::Gracefully).await,
                Self::Kill => engine.shutdown(Stop::AtOnce).await,
            }
        }
        .boxed()
    }
}
