//! Reading the log of a run.

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::store::StoreError;

use crate::shared::Shared;
use workflow_core::runs::EngineError;

/// How many events of a log are read at a time.
pub(crate) const PAGE: usize = 1_000;

impl Shared {
    /// The state of a run from its log.
    pub(crate) async fn fold(&self, run: &RunId) -> Result<Box<State>, EngineError> {
        self.fold_with(run, |_| Ok(())).await
    }

    /// The state of a run from its log; an error if `check` refuses some of its events.
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

pub(crate) fn first_state(run: &RunId, event: &Event) -> Result<Box<State>, EngineError> {
    State::first(event).map(Box::new).map_err(|source| EngineError::Broken { run: run.clone(), source })
}
