//! The runs of an engine, above the store that keeps them: start, control, read, follow, delete.
//!
//! [`Runs`] is what hosts, services and user interfaces need of an engine, whichever engine executes the runs.
//! `Engine` of `workflow-exec` implements it.
//!
//! How a run begins, and moves to another definition, needs no store: [`StartRun::check`], [`Forking`] and
//! [`Migration::of`] make its first events for an engine, or for a backend that keeps logs of its own.

mod begin;
mod control;
mod error;
mod fork;
mod forking;
mod migration;
mod start;

pub use begin::{CheckedStart, NewIdentity};
pub use control::{ControlOutcome, ControlRefusal, ControlRefused};
pub use error::{BuildError, EngineError};
pub use fork::{Fork, ForkPoint};
pub use forking::Forking;
pub use migration::Migration;
pub use start::{RunWhat, StartRun};

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::actor::Actor;
use crate::bundle::{Bundle, BundleHash};
use crate::event::Event;
use crate::ids::RunId;
use crate::output::OutputEntry;
use crate::store::{ControlRequest, OutputFilter, OutputWindow, RunFilter, RunRecord};
use crate::view::RunView;

/// The runs of an engine.
///
/// ```
/// use workflow_core::runs::{EngineError, Runs};
/// use workflow_core::store::RunFilter;
///
/// /// How many runs have not ended, on any engine.
/// async fn unfinished(runs: &dyn Runs) -> Result<usize, EngineError> {
///     Ok(runs.list(&RunFilter::unfinished()).await?.len())
/// }
/// ```
#[async_trait]
pub trait Runs: Send + Sync {
    /// Creates a run, and drives it in the background where the engine can; otherwise a worker claims it. Starting
    /// twice with the same id and inputs returns the same run.
    ///
    /// Dropping the future leaves either no run or one that is complete.
    ///
    /// # Errors
    ///
    /// [`EngineError::Invalid`], [`EngineError::Variables`], [`EngineError::Labels`] for what was asked for;
    /// [`EngineError::OtherInputs`] when there is a run of that id with other inputs; [`EngineError::Store`];
    /// [`EngineError::ShutDown`].
    async fn start(&self, start: StartRun) -> Result<RunId, EngineError>;

    /// Sends a control request to a run, with who sends it, and returns its outcome.
    ///
    /// Dropping the future can leave the request recorded and not carried out; the next driver of the run does that.
    ///
    /// # Errors
    ///
    /// Those of the store: [`StoreError::NotFound`](crate::store::StoreError::NotFound) when the run does not exist.
    async fn control(&self, run: &RunId, request: ControlRequest) -> Result<ControlOutcome, EngineError>;

    /// The run as it is stored now.
    ///
    /// # Errors
    ///
    /// Those of the store; [`EngineError::Broken`].
    async fn view(&self, run: &RunId) -> Result<RunView, EngineError>;

    /// The head of a run, and the process that drives it.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn get(&self, run: &RunId) -> Result<RunRecord, EngineError>;

    /// The runs that `filter` selects, the newest first.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, EngineError>;

    /// How many runs `filter` selects; its `after` and `limit` do not matter.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn count(&self, filter: &RunFilter) -> Result<u64, EngineError>;

    /// A definition that runs were created with, by its hash. Definitions that runs were moved to are in their logs.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, EngineError>;

    /// Up to `limit` events with numbers above `after`, in order.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, EngineError>;

    /// Up to `limit` output entries with numbers above `after`, in order.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn output(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<OutputEntry>, EngineError>;

    /// A window of the output: the entries that `filter` selects, from the end that it names, and how many there are of
    /// them if that is asked for.
    ///
    /// # Errors
    ///
    /// Those of the store.
    async fn output_window(&self, run: &RunId, filter: &OutputFilter) -> Result<OutputWindow, EngineError>;

    /// Deletes a run that no process drives, with everything that belongs to it alone.
    ///
    /// # Errors
    ///
    /// [`StoreError::Held`](crate::store::StoreError::Held) when a process drives it; others of the store.
    async fn delete(&self, run: &RunId) -> Result<(), EngineError>;

    /// Creates a new run that continues from a point of an old one, and drives it as [`start`](Runs::start) does.
    ///
    /// Dropping the future leaves either no run or one that is complete.
    ///
    /// # Errors
    ///
    /// [`EngineError::NoSuchPoint`], [`EngineError::CannotMigrate`], [`EngineError::OtherInputs`]; those of the store;
    /// [`EngineError::ShutDown`].
    async fn fork(&self, fork: Fork) -> Result<RunId, EngineError>;

    /// What the catalog's current definition of the workflow would change for a run; with `apply` a run that no process
    /// drives is moved to it, by `by` if that is known.
    ///
    /// Dropping the future leaves the run moved or not moved.
    ///
    /// # Errors
    ///
    /// [`EngineError::CannotMigrate`] with the reasons, if it was to be moved; [`EngineError::Invalid`] when the newer
    /// definition cannot be run; those of the catalog and the store.
    async fn migrate(
        &self,
        run: &RunId,
        apply: bool,
        by: Option<Arc<Actor>>,
    ) -> Result<Migration, EngineError>;

    /// Completes when something of the run may have changed since the call: an event, output, its holder. Without a
    /// run, when any of the runs may have changed. It is a hint that can come without a change: the caller reads again,
    /// and calls this before it reads, so that no change is missed.
    fn changed(&self, run: Option<&RunId>) -> BoxFuture<'static, ()>;
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        #[async_trait]
        impl<T: Runs + ?Sized> Runs for $pointer {
            async fn start(&self, start: StartRun) -> Result<RunId, EngineError> {
                (**self).start(start).await
            }

            async fn control(&self, run: &RunId, request: ControlRequest) -> Result<ControlOutcome, EngineError> {
                (**self).control(run, request).await
            }

            async fn view(&self, run: &RunId) -> Result<RunView, EngineError> {
                (**self).view(run).await
            }

            async fn get(&self, run: &RunId) -> Result<RunRecord, EngineError> {
                (**self).get(run).await
            }

            async fn list(&self, filter: &RunFilter) -> Result<Vec<RunRecord>, EngineError> {
                (**self).list(filter).await
            }

            async fn count(&self, filter: &RunFilter) -> Result<u64, EngineError> {
                (**self).count(filter).await
            }

            async fn bundle(&self, hash: &BundleHash) -> Result<Arc<Bundle>, EngineError> {
                (**self).bundle(hash).await
            }

            async fn events(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Event>, EngineError> {
                (**self).events(run, after, limit).await
            }

            async fn output(
                &self,
                run: &RunId,
                after: u64,
                limit: usize,
            ) -> Result<Vec<OutputEntry>, EngineError> {
                (**self).output(run, after, limit).await
            }

            async fn output_window(
                &self,
                run: &RunId,
                filter: &OutputFilter,
            ) -> Result<OutputWindow, EngineError> {
                (**self).output_window(run, filter).await
            }

            async fn delete(&self, run: &RunId) -> Result<(), EngineError> {
                (**self).delete(run).await
            }

            async fn fork(&self, fork: Fork) -> Result<RunId, EngineError> {
                (**self).fork(fork).await
            }

            async fn migrate(
                &self,
                run: &RunId,
                apply: bool,
                by: Option<Arc<Actor>>,
            ) -> Result<Migration, EngineError> {
                (**self).migrate(run, apply, by).await
            }

            fn changed(&self, run: Option<&RunId>) -> BoxFuture<'static, ()> {
                (**self).changed(run)
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
