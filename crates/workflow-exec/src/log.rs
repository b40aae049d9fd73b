//! Reading the log of a run.

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::store::StoreError;

use crate::engine::{Engine, PAGE, Shared, first_state};
use crate::error::EngineError;

impl Engine {
    /// Whether this engine drives a run as far as its [key](crate::EngineBuilder::run_key) matters; without one it does.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotSigned`] with what is wrong; otherwise as [`Engine::drive`].
    pub async fn check_signed(&self, run: &RunId) -> Result<(), EngineError> {
        if self.shared.run_key.is_none() {
            return Ok(());
        }
        self.shared.fold_with(run, |events| self.shared.check_signatures(run, events)).await.map(drop)
    }
}

impl Shared {
    /// The state of a run from its log.
    pub(crate) async fn fold(&self, run: &RunId) -> Result<Box<State>, EngineError> {
        self.fold_with(run, |_| Ok(())).await
    }

    /// The same, unless `check` refuses some of its events.
    pub(crate) async fn fold_with(
        &self,
        run: &RunId,
        check: impl Fn(&[Event]) -> Result<(), EngineError> + Send + Sync,
    ) -> Result<Box<State>, EngineError> {
        let mut page = self.store.events(run, 0, PAGE).await?;
        let Some(first) = page.first() else {
            return Err(StoreError::NotFound(format!("run `{run}`")).into());
        };
        let mut state = first_state(run, first)?;
        let mut from = 1;
        loop {
            check(&page)?;
            for event in &page[from..] {
                state.apply(event).map_err(|source| EngineError::Broken { run: run.clone(), source })?;
            }
            if page.len() < PAGE {
                return Ok(state);
            }
            page = self.store.events(run, state.last_event(), PAGE).await?;
            from = 0;
        }
    }
}
