//! The engine, which hosts use.
//!
//! `builder` builds one; `definitions` and `providers` check and compile what is to run. `start` creates
//! runs, `drive` drives one that is held, and `waiting` resumes it when it is due. `work` claims runs of the
//! store, and `acquire` and `deaths` choose which. `fork` and `migrate` continue a run under other
//! conditions. `children` has the runs that nodes of others start. `handle` reads and controls one run, and `control_outcome` determines the outcome of a
//! request.

mod acquire;
mod builder;
mod children;
mod control_outcome;
mod deaths;
mod definitions;
mod drive;
mod fork;
mod handle;
mod identity;
mod migrate;
mod providers;
mod runs;
mod slot;
mod start;
mod waiting;
mod work;

pub use builder::EngineBuilder;
pub use definitions::Checked;
pub use handle::RunHandle;

use std::sync::Arc;

use workflow_core::catalog::Catalog;
use workflow_core::ids::{RunId, WorkflowId};
use workflow_core::status::RunStatus;
use workflow_core::stop::Stop;
use workflow_core::store::{RunFilter, RunRecord, RunStore};

use crate::call::CallRunner;
use crate::engine::identity::{new_uuid, run_id};
use crate::limits::Limits;
use crate::panics::ask_catalog;
use crate::shared::Shared;
use crate::sinks::SinkStatus;
use workflow_core::runs::EngineError;

/// Runs workflows. Cheap to clone; all clones are one engine. The example of the [crate](crate) shows how to
/// use one.
///
/// ```
/// use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
/// use workflow_exec::{Engine, StartRun};
///
/// struct Echo;
///
/// #[async_trait]
/// impl Provider for Echo {
///     async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
///         Ok(Reply::text(request.prompt))
///     }
/// }
///
/// let engine = Engine::builder().provider("echo", Echo).build()?;
/// let plan = engine.parse("workflow: { name: One, stages: [say] }\nsay: { provider: echo, prompt: Hi }", "one")?;
/// let run = futures::executor::block_on(engine.run(StartRun::plan(&plan)))?;
/// assert_eq!(run.output("say").and_then(|output| output.text()).as_deref(), Some("Hi"));
/// # Ok::<(), workflow_exec::EngineError>(())
/// ```
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

impl Engine {
    /// The runs that have not ended, do not wait for a person (those that wait for a time are included), and
    /// have no live driver: after a crash, those to resume with [`Engine::drive`].
    ///
    /// # Errors
    ///
    /// [`EngineError::Store`].
    pub async fn unfinished(&self) -> Result<Vec<RunRecord>, EngineError> {
        let mut filter = RunFilter::all();
        filter.statuses = vec![RunStatus::Pending, RunStatus::Running, RunStatus::Paused];
        let mut runs = self.shared.store.list(&filter).await?;
        let goes_on = |run: &RunRecord| {
            run.head.status != RunStatus::Paused
                || run.head.wait.as_ref().is_some_and(|wait| wait.until.is_some())
        };
        runs.retain(|run| run.holder.is_none() && goes_on(run));
        Ok(runs)
    }

    /// The runs of the store that `filter` selects, the newest first.
    ///
    /// ```
    /// # use workflow_core::provider::{CallContext, CallRequest, Provider, ProviderError, Reply, async_trait};
    /// use workflow_core::store::RunFilter;
    /// use workflow_exec::{Engine, StartRun};
    ///
    /// # struct Greeter;
    /// # #[async_trait]
    /// # impl Provider for Greeter {
    /// #     async fn call(&self, request: CallRequest, _: CallContext) -> Result<Reply, ProviderError> {
    /// #         Ok(Reply::text(request.prompt))
    /// #     }
    /// # }
    /// # let engine = Engine::builder().provider("greeter", Greeter).build()?;
    /// # let workflow = engine.parse(
    /// #     "workflow: { name: Hello, stages: [greet] }\ngreet: { provider: greeter, prompt: Hello }\n",
    /// #     "hello",
    /// # )?;
    /// # futures::executor::block_on(async {
    /// for owner in ["ann", "bob"] {
    ///     engine.run(StartRun::plan(&workflow).label("owner", owner)).await?;
    /// }
    /// let of_ann = engine.list(&RunFilter::all().label("owner", "ann").limit(20)).await?;
    /// assert_eq!(of_ann.len(), 1);
    /// assert_eq!(of_ann[0].head.labels["owner"], "ann");
    /// # Ok::<(), workflow_exec::EngineError>(())
    /// # })?;
    /// # Ok::<(), workflow_exec::EngineError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EngineError::Store`]: [`StoreError::NotFound`](workflow_core::store::StoreError::NotFound) when the run to
    /// list after does not exist.
    pub async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, EngineError> {
        Ok(self.shared.store.list(filter).await?)
    }

    /// An id for a new run, of which the later ones sort behind the earlier ones. A host that needs to know the id
    /// before the run exists hands it to [`StartRun::run_id`](crate::StartRun::run_id).
    ///
    /// # Errors
    ///
    /// [`EngineError::BadId`]; it does not happen.
    pub fn new_run_id(&self) -> Result<RunId, EngineError> {
        run_id(new_uuid(self.shared.clock.now()))
    }

    /// The limits per provider, to take slots for the host's own work.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.shared.limits
    }

    /// What makes single calls with the engine's providers: for the workers of a backend that executes runs by other
    /// means.
    pub fn call_runner(&self) -> CallRunner {
        CallRunner::new(&self.shared)
    }

    /// The store that keeps the engine's runs.
    pub fn store(&self) -> &Arc<dyn RunStore> {
        &self.shared.store
    }

    /// The catalog in which the engine looks workflows up, if it has one.
    pub fn catalog(&self) -> Option<&Arc<dyn Catalog>> {
        self.shared.catalog.as_ref()
    }

    /// The event sinks, in the order in which they were [registered](crate::EngineBuilder::sink). A sink that
    /// panics is switched off for good: it receives nothing more, and the runs continue. What it missed can
    /// be read from the store.
    pub fn sinks(&self) -> Vec<SinkStatus> {
        self.shared.sinks.statuses()
    }

    /// Deletes a workflow from the catalog, unless runs that have not ended use it.
    ///
    /// # Errors
    ///
    /// [`EngineError::InUse`] with the runs; [`EngineError::NoCatalog`]; [`EngineError::Catalog`].
    pub async fn delete_workflow(&self, workflow: &WorkflowId) -> Result<(), EngineError> {
        let catalog = self.shared.catalog.as_ref().ok_or_else(|| EngineError::NoCatalog(workflow.clone()))?;
        let mut filter = RunFilter::unfinished();
        filter.workflow = Some(workflow.clone());
        let runs = self.shared.store.list(&filter).await?;
        if !runs.is_empty() {
            let runs = runs.into_iter().map(|run| run.run_id).collect();
            return Err(EngineError::InUse { workflow: workflow.clone(), runs });
        }
        ask_catalog(catalog.delete(workflow)).await
    }

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

    /// Stops every call of every run that is driven here, and leaves the runs to be resumed later. Waits
    /// until no run is driven here any more; a second call with [`Stop::AtOnce`] hurries.
    ///
    /// The engine starts and drives no run afterwards: [`run`](Engine::run), [`start`](Engine::start),
    /// [`create`](Engine::create), [`drive`](Engine::drive), [`fork`](Engine::fork) and
    /// [`migrate`](Engine::migrate) return [`EngineError::ShutDown`], [`RunHandle::wait`] returns, and the
    /// streams of [`RunHandle::events`] and [`RunHandle::output`] end. Runs can still be read, and sent
    /// control requests.
    pub async fn shutdown(&self, how: Stop) {
        self.shared.active.shut_down(how.max(Stop::Gracefully));
        self.until_idle().await;
    }

    async fn until_idle(&self) {
        loop {
            let idle = self.shared.active.idle.listen();
            if self.shared.active.is_empty() {
                return;
            }
            idle.await;
        }
    }

    /// Shuts down like [`shutdown`](Self::shutdown), but lets the calls end that are under way: their results are stored, no
    /// further call is made, and the runs are left to be resumed by others. Waits until no run is driven here any more; a call
    /// of `shutdown` meanwhile stops the calls that are left.
    ///
    /// Dropping the future changes nothing: the engine continues to drain.
    pub async fn drain(&self) {
        self.shared.active.drain();
        self.until_idle().await;
    }

    /// Whether the engine was [shut down](Self::shutdown), or is shutting down.
    pub fn is_shut_down(&self) -> bool {
        self.shared.active.stopping() > Stop::None
    }

    pub(crate) fn check_not_shut_down(&self) -> Result<(), EngineError> {
        if self.is_shut_down() { Err(EngineError::ShutDown) } else { Ok(()) }
    }
}
