//! Limits of what a call does.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use workflow_core::provider::CallContext;
use workflow_core::stop::Stop;

/// Why work has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfinished {
    Stopped,
    Late,
}

/// The outcome of `work`, unless the call is stopped before, or it takes too long by the engine's clock. The work is
/// dropped then.
pub(crate) async fn within<T>(
    context: &CallContext,
    time: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Unfinished> {
    if context.stop().now() > Stop::None {
        return Err(Unfinished::Stopped);
    }
    let (work, stopped) = (pin!(work), pin!(context.stop().wait(Stop::Gracefully)));
    match select(work, select(stopped, context.sleep(time))).await {
        Either::Left((outcome, _)) => Ok(outcome),
        Either::Right((Either::Left(_), _)) => Err(Unfinished::Stopped),
        Either::Right((Either::Right(_), _)) => Err(Unfinished::Late),
    }
}
