//! Counts what an engine does.

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use workflow_core::event::Event;
use workflow_core::ids::RunId;
use workflow_core::output::OutputEntry;
use workflow_core::sink::EventSink;
use workflow_core::status::RunStatus;
use workflow_core::store::{RunFilter, RunStore, StoreError};
use workflow_exec::Engine;

use super::figures::{Figures, Stored};
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

/// The ages, in seconds, for which pending runs are counted.
const AGES: [u32; 4] = [10, 60, 600, 3600];

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
/// let text = metrics.read(&engine).await;
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

    /// The figures as text. Asks the engine's store how many runs it has of each status, and how many have been pending for
    /// long. If it does not answer, these are left out, and [`STORE_UP`](super::names::STORE_UP) is 0.
    pub async fn read(&self, engine: &Engine) -> String {
        match stored(engine.store()).await {
            Ok(stored) => self.0.text(Some(&stored), &engine.limits().usage()),
            Err(error) => {
                tracing::debug!(%error, "the figures of the store could not be read");
                self.without_store(engine)
            }
        }
    }

    /// The figures of this process as text, for a store that does not answer.
    pub(super) fn without_store(&self, engine: &Engine) -> String {
        self.0.text(None, &engine.limits().usage())
    }
}

async fn stored(store: &Arc<dyn RunStore>) -> Result<Stored, StoreError> {
    let mut stored = Stored::default();
    for status in STATUSES {
        stored.runs.push((status, store.count(&RunFilter::all().status(status)).await?));
    }
    let now = Timestamp::now();
    let mut left = stored.runs.first().map_or(0, |(_, pending)| *pending);
    for age in AGES {
        // Where none is older than this, none is older than what follows.
        if left > 0 {
            let filter = RunFilter::all().status(RunStatus::Pending);
            let filter = filter.created_before(now - SignedDuration::from_secs(age.into()));
            left = store.count(&filter).await?;
        }
        stored.pending.push((age, left));
    }
    Ok(stored)
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

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use workflow_core::provider::Reply;
    use workflow_core::store::MemoryStore;
    use workflow_exec::{Clock, StartRun};
    use workflow_providers::FunctionProvider;

    use super::*;

    /// Two minutes ago.
    struct Past;

    impl Clock for Past {
        fn now(&self) -> Timestamp {
            Timestamp::now() - SignedDuration::from_mins(2)
        }
    }

    #[test]
    fn runs_that_are_pending_are_counted_by_their_age() {
        let metrics = Metrics::new();
        let engine = Engine::builder()
            .store(metrics.store(MemoryStore::new()))
            .clock(Past)
            .provider("p", FunctionProvider::from_fn(|_| Ok(Reply::text(""))))
            .build()
            .expect("an engine");
        let yaml = "workflow: { name: Queue, stages: [a] }\na: { provider: p }";
        let plan = engine.parse(yaml, "queue").expect("a plan");
        block_on(engine.create(StartRun::plan(&plan))).expect("a run");
        let text = block_on(metrics.read(&engine));
        for (age, count) in [(10, 1), (60, 1), (600, 0), (3600, 0)] {
            let line = format!("workflow_pending_runs{{longer_than=\"{age}\"}} {count}\n");
            assert!(text.contains(&line), "{text}");
        }
    }
}
