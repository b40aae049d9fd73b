//! Facts about a run that only its log has: since when it waits, and its migrations.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::EventBody;
use workflow_core::ids::RunId;
use workflow_core::machine::State;
use workflow_core::status::Wait;
use workflow_core::store::{RunStore, StoreError};
use workflow_core::view::RunView;
use workflow_exec::EngineError;
use workflow_providers::Worktrees;

use crate::error::Error;

/// How many events are read at once.
const PAGE: usize = 1_000;

/// A run, with facts that its view does not have.
pub(crate) struct History {
    /// The run.
    pub view: RunView,
    /// The definition that it uses now.
    pub bundle: Arc<Bundle>,
    /// When it was moved to which definition.
    pub migrated: Vec<(Timestamp, BundleHash)>,
    /// The branch that it commits to, if it works in a worktree.
    pub branch: Option<String>,
    /// When something was asked, by the number of the event.
    asked: HashMap<u64, Timestamp>,
    /// When it last began to wait.
    waits_since: Option<Timestamp>,
}

impl History {
    /// Reads the log of a run.
    pub(crate) async fn read(store: &dyn RunStore, run: &RunId) -> Result<Self, Error> {
        let broken = |source| Error::from(EngineError::Broken { run: run.clone(), source });
        let (mut asked, mut migrated, mut waits_since) = (HashMap::new(), Vec::new(), None);
        let mut state: Option<State> = None;
        loop {
            let last = state.as_ref().map_or(0, State::last_event);
            let page = store.events(run, last, PAGE).await?;
            for event in &page {
                match &mut state {
                    Some(state) => state.apply(event).map_err(broken)?,
                    None => state = Some(State::first(event).map_err(broken)?),
                }
                match &event.body {
                    EventBody::StageAsked { .. } | EventBody::NodeAsked { .. } => {
                        asked.insert(event.seq, event.at);
                    }
                    EventBody::RunWaiting { .. } | EventBody::RunPaused => waits_since = Some(event.at),
                    EventBody::RunMigrated { hash, .. } => migrated.push((event.at, hash.clone())),
                    _ => {}
                }
            }
            if page.len() < PAGE {
                break;
            }
        }
        let Some(state) = state else { return Err(StoreError::NotFound(format!("run `{run}`")).into()) };
        let bundle = match state.migrated() {
            Some(bundle) => bundle.clone(),
            None => store.bundle(state.bundle()).await?,
        };
        let branch = state.created().isolated.then(|| Worktrees::branch(run));
        Ok(Self { view: state.into(), bundle, migrated, branch, asked, waits_since })
    }

    /// Since when the run waits for something.
    pub(crate) fn since(&self, wait: &Wait) -> Option<Timestamp> {
        wait.number.map_or(self.waits_since, |number| self.asked.get(&number).copied())
    }
}
