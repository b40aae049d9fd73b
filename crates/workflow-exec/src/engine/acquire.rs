//! The runs that a worker acquires: those that no process drives, because they are new, because their time is reached,
//! or because the process that drove them crashed.

use std::collections::HashMap;

use foldhash::HashMap as FastMap;
use workflow_core::bundle::BundleHash;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::machine::State;
use workflow_core::plan::Plan;
use workflow_core::store::{Room, RunFilter, RunRecord, StoreError};

use crate::engine::Engine;
use crate::engine::slot::is_behind;
use crate::selection::WorkOptions;
use crate::shared::Hold;
use workflow_core::runs::EngineError;

/// The runs that a worker claimed and does not take, and what it knows about others.
#[derive(Default)]
pub(crate) struct Refused {
    /// With the definition that the run had then, once that is known: with another definition the worker may
    /// take it.
    runs: HashMap<RunId, Option<BundleHash>>,
}

impl Refused {
    /// Notes that a run was refused after it was read.
    pub(crate) fn add(&mut self, run: RunId) {
        self.runs.insert(run, None);
    }

    /// Whether a run as it is listed was refused before.
    fn contains(&mut self, record: &RunRecord) -> bool {
        let Some(known) = self.runs.get_mut(&record.run_id) else { return false };
        *known.get_or_insert_with(|| record.head.bundle.clone()) == record.head.bundle
    }
}

impl Engine {
    /// Claims up to `most` runs. A worker whose options exclude runs chooses from what the store lists, so
    /// that excluded runs do not use its capacity.
    pub(crate) async fn acquire(
        &self,
        options: &WorkOptions,
        refused: &mut Refused,
        most: usize,
    ) -> Result<Vec<Hold>, StoreError> {
        if options.is_selective() || self.shared.run_key.is_some() {
            self.claim_selected(options, refused, most).await
        } else {
            self.shared.claim_next(most, options.per_label.as_ref()).await
        }
    }

    /// Claims up to `most` of the runs that can continue and that a worker with these options may take. What
    /// a store lists is a cache: a run is checked again when its log has been read.
    async fn claim_selected(
        &self,
        options: &WorkOptions,
        refused: &mut Refused,
        most: usize,
    ) -> Result<Vec<Hold>, StoreError> {
        let (shared, now) = (&self.shared, self.shared.clock.now());
        let listed = shared.store.list(&RunFilter::unfinished()).await?;
        refused.runs.retain(|run, _| listed.iter().any(|record| record.run_id == *run));
        let mut verdicts = FastMap::default();
        let mut holds = Vec::new();
        let mut room = options.per_label.as_ref().map(Room::new);
        if let Some(room) = &mut room {
            listed.iter().filter(|run| run.holder.is_some()).for_each(|run| room.held(&run.head));
        }
        let mut free: Vec<_> =
            listed.iter().filter(|run| run.holder.is_none() && run.head.goes_on(now)).collect();
        free.sort_by_cached_key(|run| run.head.turn());
        for record in free {
            if holds.len() >= most {
                break;
            }
            if refused.contains(record) || !self.may_take(options, record, &mut verdicts).await {
                continue;
            }
            if is_behind(record, &listed) || room.as_ref().is_some_and(|room| !room.is_for(&record.head)) {
                continue;
            }
            match shared.claim(&record.run_id).await {
                // It waits for its slot.
                Ok(hold) if hold.waits() => hold.release().await?,
                Ok(hold) => {
                    holds.push(hold);
                    if let Some(room) = &mut room {
                        room.held(&record.head);
                    }
                }
                // Another worker has claimed it.
                Err(StoreError::Held { .. } | StoreError::NotFound(_)) => {}
                Err(error) => {
                    for hold in holds {
                        // The first error is returned.
                        let _ = hold.release().await;
                    }
                    return Err(error);
                }
            }
        }
        Ok(holds)
    }

    /// Whether the worker may take a run, according to what the store lists of it.
    async fn may_take(
        &self,
        options: &WorkOptions,
        record: &RunRecord,
        verdicts: &mut FastMap<BundleHash, bool>,
    ) -> bool {
        let head = &record.head;
        if !options.is_selective() {
            return true;
        }
        if !options.workflows.is_empty() && !options.workflows.contains(&head.workflow_id) {
            return false;
        }
        if let Some(verdict) = verdicts.get(&head.bundle) {
            return *verdict;
        }
        // If the definition cannot be loaded here, it is in the run's log, or reading the log reports the
        // problem.
        let verdict = match self.shared.plan(&head.bundle).await {
            Ok(plan) => self.check_selected(options, &head.workflow_id, &plan).await.is_none(),
            Err(_) => true,
        };
        verdicts.insert(head.bundle.clone(), verdict);
        verdict
    }

    /// Why a worker does not take a run of that workflow and plan.
    async fn check_selected(
        &self,
        options: &WorkOptions,
        workflow: &WorkflowId,
        plan: &Plan,
    ) -> Option<String> {
        if let Some(refusal) = options.refusal(workflow, plan) {
            return Some(refusal);
        }
        if !options.only_catalog {
            return None;
        }
        match self.load_as(workflow, plan.bundle()).await {
            Ok(own) if own.hash() == plan.hash() => None,
            Ok(_) => Some(format!(
                "its definition of the workflow `{workflow}` is not the one of the catalog here"
            )),
            Err(error) => {
                Some(format!("the workflow `{workflow}` cannot be loaded from the catalog here: {error}"))
            }
        }
    }

    /// Refuses a run whose log was read and that the worker does not take.
    pub(crate) async fn check_is_selected(
        &self,
        options: &WorkOptions,
        plan: &Plan,
        state: &State,
    ) -> Result<(), EngineError> {
        let created = state.created();
        match self.check_selected(options, &created.workflow, plan).await {
            None => Ok(()),
            Some(reason) => Err(EngineError::NotSelected { run: created.run.clone(), reason }),
        }
    }
}
