//! The engine as [`Runs`].

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _, select};
use workflow_core::actor::Actor;
use workflow_core::bundle::{Bundle, BundleHash};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::provider::async_trait;
use workflow_core::runs::{ControlOutcome, EngineError, Fork, Migration, Runs, StartRun};
use workflow_core::store::{ControlRequest, OutputFilter, OutputWindow, RunFilter, RunRecord};
use workflow_core::view::RunView;

use crate::engine::Engine;

/// How long after a change in another process at the latest [`Runs::changed`] of any run completes.
const ELSEWHERE: Duration = Duration::from_millis(250);

#[async_trait]
impl Runs for Engine {
    async fn start(&self, start: StartRun) -> Result<RunId, EngineError> {
        let handle =
            if self.shared.spawn.is_some() { self.start(start).await? } else { self.create(start).await? };
        Ok(handle.run)
    }

    async fn control(&self, run: &RunId, request: ControlRequest) -> Result<ControlOutcome, EngineError> {
        self.handle(run).control(request).await
    }

    async fn view(&self, run: &RunId) -> Result<RunView, EngineError> {
        self.handle(run).view().await
    }

    async fn get(&self, run: &RunId) -> Result<RunRecord, EngineError> {
        Ok(self.shared.store.get(run).await?)
    }

    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, EngineError> {
        Ok(self.shared.store.list(filter).await?)
    }

    async fn count(&self, filter: &RunFilter) -> Result<u64, EngineError> {
        Ok(self.shared.store.count(filter).await?)
    }

    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, EngineError> {
        Ok(self.shared.store.bundle(hash).await?)
    }

    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, EngineError> {
        Ok(self.shared.store.events(run, after, limit).await?)
    }

    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, EngineError> {
        Ok(self.shared.store.output(run, after, limit).await?)
    }

    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, EngineError> {
        Ok(self.shared.store.output_window(run, filter).await?)
    }

    async fn delete(&self, run: &RunId) -> Result<(), EngineError> {
        self.check_links(run).await?;
        Ok(self.shared.store.delete(run).await?)
    }

    async fn fork(&self, fork: Fork) -> Result<RunId, EngineError> {
        let run = self.fork(fork).await?.run;
        if self.shared.spawn.is_some() {
            match self.shared.claim(&run).await {
                Ok(hold) => self.drive_in_background(hold),
                // A worker was faster.
                Err(error) if error.is_held() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(run)
    }

    async fn migrate(
        &self,
        run: &RunId,
        apply: bool,
        by: Option<Arc<Actor>>,
    ) -> Result<Migration, EngineError> {
        if apply { self.migrate(run, by).await } else { self.plan_migration(run).await }
    }

    fn changed(&self, run: Option<&RunId>) -> BoxFuture<'static, ()> {
        if let Some(run) = run {
            return self.handle(run).changed();
        }
        let shared = self.shared.clone();
        let changed = shared.active.changed.listen();
        async move { drop(select(changed, shared.timer.sleep(ELSEWHERE)).await) }.boxed()
    }
}
