//! The plans of runs: each bundle that is in use is compiled once.

use std::sync::{Arc, PoisonError, Weak};

use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::definition::Diagnostics;
use workflow_core::machine::State;
use workflow_core::plan::Plan;

use crate::shared::Shared;
use workflow_core::runs::EngineError;

impl Shared {
    /// The plan that a run continues with.
    pub(crate) async fn plan_of(&self, state: &State) -> Result<Arc<Plan>, EngineError> {
        match state.migrated() {
            Some(bundle) => Ok(self.remember(Arc::new(Plan::load(bundle.clone())?))),
            None => self.plan(state.bundle()).await,
        }
    }

    /// The plan of a bundle: the one in use, or a newly compiled one.
    pub(crate) async fn plan(&self, hash: &BundleHash) -> Result<Arc<Plan>, EngineError> {
        if let Some(plan) = self.known_plan(hash) {
            return Ok(plan);
        }
        let bundle = self.store.bundle(hash).await?;
        Ok(self.remember(Arc::new(Plan::load(bundle)?)))
    }

    /// The same, of a bundle that is at hand.
    pub(crate) fn load(&self, bundle: Arc<Bundle>) -> Result<Arc<Plan>, Diagnostics> {
        let known = bundle.hash().ok().and_then(|hash| self.known_plan(&hash));
        known.map_or_else(|| Ok(self.remember(Arc::new(Plan::load(bundle)?))), Ok)
    }

    fn known_plan(&self, hash: &BundleHash) -> Option<Arc<Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(hash).and_then(Weak::upgrade)
    }

    pub(crate) fn remember(&self, plan: Arc<Plan>) -> Arc<Plan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = plans.get(plan.hash()).and_then(Weak::upgrade) {
            return known;
        }
        plans.retain(|_, plan| plan.strong_count() > 0);
        plans.insert(plan.hash().clone(), Arc::downgrade(&plan));
        plan
    }
}
