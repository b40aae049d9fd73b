//! Retrying while a store is unavailable.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, select};
use tracing::{info, warn};
use workflow_core::stop::Stop;
use workflow_core::store::StoreError;

use crate::shared::Shared;
use workflow_core::runs::EngineError;

/// The pause before the second try; each later one is twice as long …
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long the store is still tried once the engine shuts down.
const LEAVING: Duration = Duration::from_secs(2);

/// A period in which a store fails. It begins with the first error.
pub(crate) struct Outage<'e> {
    engine: &'e Shared,
    /// What is tried, for the log.
    what: &'static str,
    pause: Duration,
    /// Ready when the engine stops retrying.
    patience: Option<BoxFuture<'static, ()>>,
    leaving: Option<BoxFuture<'static, ()>>,
}

impl<'e> Outage<'e> {
    pub(crate) fn new(engine: &'e Shared, what: &'static str) -> Self {
        Self { engine, what, pause: FIRST_PAUSE, patience: None, leaving: None }
    }

    /// Notes that a try has failed. Returns how long to wait before the next one; the error when there is to be
    /// none: because a later try would fail too, or because it has been tried for long enough.
    pub(crate) fn failed(&mut self, error: StoreError) -> Result<BoxFuture<'static, ()>, StoreError> {
        if !matches!(error, StoreError::Io { .. }) {
            return Err(error);
        }
        let timer = &self.engine.timer;
        if self.patience.is_none() {
            let what = self.what;
            warn!(%error, "the store is unavailable: trying again ({what})");
        }
        let patience = self.patience.get_or_insert_with(|| timer.sleep(self.engine.store_patience));
        let leaving = match self.engine.active.stopping() {
            Stop::None => None,
            _ => Some(self.leaving.get_or_insert_with(|| timer.sleep(LEAVING))),
        };
        let is_over = |limit: &mut BoxFuture<'static, ()>| limit.now_or_never().is_some();
        if is_over(patience) || leaving.is_some_and(is_over) {
            return Err(error);
        }
        let pause = timer.sleep(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(pause)
    }
}

impl Drop for Outage<'_> {
    fn drop(&mut self) {
        if self.patience.is_some() {
            let what = self.what;
            info!("no longer retrying the store ({what})");
        }
    }
}

impl Shared {
    /// Repeats `attempt` until it succeeds, for as long as the engine waits for its store. An attempt that
    /// changes the store must be safe to repeat.
    pub(crate) async fn patiently<'a, T, E: Into<EngineError>>(
        &self,
        what: &'static str,
        mut attempt: impl FnMut() -> BoxFuture<'a, Result<T, E>>,
    ) -> Result<T, EngineError> {
        let mut outage = Outage::new(self, what);
        loop {
            let error = match attempt().await.map_err(Into::into) {
                Err(EngineError::Store(error)) => error,
                outcome => return outcome,
            };
            let pause = outage.failed(error)?;
            select(pause, Box::pin(self.active.stopped_since(self.active.stopping()))).await;
        }
    }
}
