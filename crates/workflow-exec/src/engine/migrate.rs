//! Moving a run to a newer definition.

use std::sync::Arc;

use workflow_core::actor::Actor;
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::plan::Plan;
use workflow_core::runs::{EngineError, Migration};

use crate::engine::Engine;

impl Engine {
    /// Returns what the catalog's current definition of the workflow would change for a run, and whether the
    /// run can be moved to it.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`] when the newer definition cannot be run; [`EngineError::NoCatalog`],
    /// [`EngineError::Catalog`], and those of the store.
    pub async fn plan_migration(&self, run: &RunId) -> Result<Migration, EngineError> {
        let state = self.shared.fold(run).await?;
        Ok(self.compare(&state).await?.0)
    }

    /// Moves a run that no process drives to the catalog's current definition of the workflow. The run
    /// follows that definition from here on; completed work is kept. `by` is who moves it, if that is known.
    ///
    /// Dropping the future leaves the run moved or not moved.
    ///
    /// # Errors
    ///
    /// [`EngineError::CannotMigrate`] with the reasons; [`workflow_core::store::StoreError::Held`] when
    /// another driver has the run; [`EngineError::ShutDown`] after a shutdown; as for
    /// [`plan_migration`](Engine::plan_migration).
    pub async fn migrate(&self, run: &RunId, by: Option<Arc<Actor>>) -> Result<Migration, EngineError> {
        self.check_not_shut_down()?;
        let hold = self.shared.claim(run).await?;
        let mut state = self.shared.fold(run).await?;
        let (migration, plan) = self.compare(&state).await?;
        let event = migration.event(&state, &plan, self.shared.clock.now(), by)?;
        if let Some(event) = event {
            let expected = state.last_event();
            let mut events = [event];
            self.shared.sign(run, &mut events);
            state.apply(&events[0]).map_err(|source| EngineError::Broken { run: run.clone(), source })?;
            let events = Arc::from(events);
            self.shared.store.append(&hold.lease(), expected, &events, Some(&state.head())).await?;
            self.shared.sinks.events(run, &events);
        }
        hold.release().await?;
        Ok(migration)
    }

    async fn compare(&self, state: &State) -> Result<(Migration, Arc<Plan>), EngineError> {
        let old = self.shared.plan_of(state).await?.bundle().clone();
        let plan = self.load_as(&state.created().workflow, &old).await?;
        Ok((Migration::of(state, &old, &plan), plan))
    }
}
