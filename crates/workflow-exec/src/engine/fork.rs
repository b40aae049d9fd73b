//! Forks: new runs that continue from a point of an old one. A rerun is one.

use std::sync::Arc;

use workflow_core::bundle::Bundle;
use workflow_core::event::{Event, EventBody};
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::runs::{EngineError, Fork, Forking, NewIdentity};
use workflow_core::store::{NewRun, StoreError};

use crate::engine::Engine;
use crate::engine::handle::RunHandle;
use crate::engine::identity::identity;
use crate::engine::slot::replaces;
use crate::log::PAGE;

impl Engine {
    /// Creates a new run that continues from a point of an old one, which is not changed and may still be
    /// under way. The new run is not driven yet.
    ///
    /// Attempts that were under way at that point count as not begun, and agents begin new sessions. The
    /// usage of the old run until then is shown, but not charged to the new one.
    ///
    /// Dropping the future leaves either no run or one that is complete.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoSuchPoint`] when the old run has no such stage, node or event;
    /// [`EngineError::CannotMigrate`] when the run cannot continue with the other definition from there;
    /// [`EngineError::OtherInputs`] when a run with the chosen id exists; [`StoreError::NotFound`] and others
    /// of the store; [`EngineError::ShutDown`] after a shutdown.
    pub async fn fork(&self, fork: Fork) -> Result<RunHandle, EngineError> {
        self.check_not_shut_down()?;
        let events = self.log(&fork.from).await?;
        let Some(EventBody::RunCreated(created)) = events.first().map(|event| &event.body) else {
            return Err(StoreError::NotFound(format!("run `{}`", fork.from)).into());
        };
        self.shared.check_signatures(&fork.from, &events)?;
        let bundle = self.shared.store.bundle(&created.bundle).await?;
        self.shared.check_bundle(&fork.from, &created.bundle, &bundle)?;
        let (new, state) = self.forked(fork, &events, bundle).await?;
        let id = new.id.clone();
        let shown = (!self.shared.sinks.is_empty()).then(|| new.events.clone());
        self.shared.settle().await?;
        match self.shared.create(new).await {
            Ok(hold) => {
                if let Some(shown) = shown {
                    self.shared.sinks.events(&id, &shown);
                }
                if let Some(hold) = hold {
                    let behind = hold.behind().filter(|_| replaces(&state)).cloned();
                    hold.release().await?;
                    if let Some(behind) = behind {
                        self.cancel_others(&behind, &state).await;
                    }
                }
            }
            Err(StoreError::Exists(_)) => return Err(EngineError::OtherInputs(id)),
            Err(error) => return Err(error.into()),
        }
        Ok(self.handle(&id))
    }

    /// The new run that [`fork`](Self::fork) would create, of an old run that the engine's store need not have: for a backend
    /// that executes runs by other means. `log` is all of the old run, and `started` the bundle that it was created with.
    /// Nothing is stored, and signatures are not checked.
    ///
    /// # Errors
    ///
    /// As for [`fork`](Self::fork).
    pub async fn begin_fork(
        &self,
        fork: Fork,
        log: &[Event],
        started: Arc<Bundle>,
    ) -> Result<NewRun, EngineError> {
        Ok(self.forked(fork, log, started).await?.0)
    }

    async fn forked(
        &self,
        fork: Fork,
        log: &[Event],
        mut bundle: Arc<Bundle>,
    ) -> Result<(NewRun, Box<State>), EngineError> {
        let now = self.shared.clock.now();
        let (id, seed) = identity(fork.run_id.clone(), now)?;
        let mut forking = Forking::new(fork, log, NewIdentity::new(id.clone(), seed, now))?;
        if !forking.fork().providers.is_empty() {
            bundle = self.replace_providers(&mut forking, &bundle).await?;
        }
        if let Some(plan) = &forking.fork().definition {
            // Providers that replace others continue to do so.
            let replaced = forking.moved_to().unwrap_or(&bundle).replaced();
            if plan.bundle().replaced() != replaced {
                let plan = self.plan_with(plan.bundle(), &replaced, &self.provider_settings().await?)?;
                forking.set_definition(plan);
            }
        }
        let load = |bundle: &Arc<Bundle>| Ok(self.shared.load(bundle.clone())?);
        let (mut new, state) = forking.finish(bundle, load, |plan, fork| {
            let vars = fork.vars.iter().map(|(name, value)| (format!("the variable `{name}`"), value));
            let outputs =
                fork.outputs.iter().map(|(stage, value)| (format!("the output of `{stage}`"), value));
            self.shared.secret_in(plan, vars.chain(outputs))
        })?;
        self.shared.sign(&id, &mut new.events);
        Ok((new, state))
    }

    /// Replaces providers in the bundles of a run, and returns the one that it was started with.
    async fn replace_providers(
        &self,
        forking: &mut Forking,
        bundle: &Bundle,
    ) -> Result<Arc<Bundle>, EngineError> {
        let settings = &self.provider_settings().await?;
        let map = forking.fork().providers.clone();
        let newer = forking.later_bundles().map(|bundle| &**bundle);
        let bundles: Vec<_> = std::iter::once(bundle).chain(newer).flat_map(Bundle::all).collect();
        self.check_replaced_names(&bundles, &map, settings)?;
        forking.replace_bundles(bundle, |bundle| self.plan_with(bundle, &map, settings))
    }

    async fn log(&self, run: &RunId) -> Result<Vec<Event>, EngineError> {
        let mut events: Vec<Event> = Vec::new();
        loop {
            let after = events.last().map_or(0, |event| event.seq);
            let page = self.shared.store.events(run, after, PAGE).await?;
            let is_last = page.len() < PAGE;
            events.extend(page);
            if is_last {
                break;
            }
        }
        if events.is_empty() {
            return Err(StoreError::NotFound(format!("run `{run}`")).into());
        }
        Ok(events)
    }
}
