//! Counts what an engine does.

use std::fmt;
use std::sync::Arc;

use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore, StoreError};
use workflow_exec::Engine;

use super::figures::Figures;
use super::store::MeteredStore;

/// All statuses, in the order in which they are shown.
const STATUSES: [RunStatus; 6] = [
    RunStatus::Pending,
    RunStatus::Running,
    RunStatus::Paused,
    RunStatus::Completed,
    RunStatus::Failed,
    RunStatus::Cancelled,
];

/// Counts what an engine does. Clones are the same.
///
/// ```
/// use workflow_core::provider::Reply;
/// use workflow_core::store::MemoryStore;
/// use workflow_exec::{Engine, StartRun};
/// use workflow_providers::FunctionProvider;
/// use workflow_service::metrics::Metrics;
///
/// # futures::executor::block_on(async {
/// let metrics = Metrics::new();
/// let engine = Engine::builder()
///     .store(metrics.store(MemoryStore::new()))
///     .sink(metrics.clone())
///     .provider("greeter", FunctionProvider::from_fn(|_| Ok(Reply::text("hello"))))
///     .build()?;
/// let plan = engine.parse("workflow: { name: Hello, stages: [greet] }\ngreet: { provider: greeter }", "hello")?;
/// engine.run(StartRun::plan(&plan)).await?;
/// let text = metrics.read(&engine).await?;
/// assert!(text.contains(r#"workflow_attempts_total{provider="greeter",outcome="succeeded"} 1"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Metrics(Arc<Figures>);

impl Metrics {
    /// Nothing is counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A store that counts what goes through it. Use it as the engine's store.
    pub fn store(&self, inner: impl RunStore + 'static) -> Arc<dyn RunStore> {
        Arc::new(MeteredStore { inner: Arc::new(inner), figures: Arc::clone(&self.0) })
    }

    /// The figures as text. Asks the engine's store how many runs it has of each status.
    ///
    /// # Errors
    ///
    /// Those of [`RunStore::count`].
    pub async fn read(&self, engine: &Engine) -> Result<String, StoreError> {
        let mut runs = Vec::new();
        for status in STATUSES {
            let filter = RunFilter::all().status(status);
            runs.push((status, engine.store().count(&filter).await?));
        }
        Ok(self.0.text(&runs, &engine.limits().usage()))
    }
}

impl EventSink for Metrics {
    fn events(&self, run: &RunId, events: &[Event]) {
        self.0.events(run, events);
    }

    fn output(&self, _: &RunId, entries: &[OutputEntry]) {
        self.0.output(entries);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
