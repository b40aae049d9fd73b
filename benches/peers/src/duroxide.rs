//! duroxide: an async function whose history is replayed, in SQLite.

use std::sync::Arc;
use std::time::Duration;

use duroxide::providers::sqlite::SqliteProvider;
use duroxide::runtime::registry::ActivityRegistry;
use duroxide::runtime::{Runtime, RuntimeOptions};
use duroxide::{ActivityContext, Client, OrchestrationContext, OrchestrationRegistry, OrchestrationStatus};
use futures::future::try_join_all;
use tempfile::TempDir;

use crate::measure::{FEW, Result, Work, folder, median};

async fn row(context: OrchestrationContext, steps: String) -> std::result::Result<String, String> {
    for _ in 0..steps.parse().map_err(|_| "no number")? {
        context.schedule_activity("step", "").await?;
    }
    Ok(steps)
}

async fn fan_out(context: OrchestrationContext, steps: String) -> std::result::Result<String, String> {
    let all = 0..steps.parse().map_err(|_| "no number")?;
    let all: Vec<_> = all.map(|_: usize| context.schedule_activity("step", "")).collect();
    for ended in context.join(all).await {
        ended?;
    }
    Ok(steps)
}

/// A runtime with its store.
struct Started {
    _home: TempDir,
    runtime: Arc<Runtime>,
    client: Client,
}

async fn start() -> Result<Started> {
    let home = folder()?;
    let path = home.path().join("runs.db");
    std::fs::File::create(&path)?;
    let store = Arc::new(SqliteProvider::new(&format!("sqlite:{}", path.display()), None).await?);
    let activities = ActivityRegistry::builder()
        .register("step", |_: ActivityContext, input: String| async move { Ok(input) })
        .build();
    let orchestrations =
        OrchestrationRegistry::builder().register("row", row).register("fan-out", fan_out).build();
    // With its default it looks for work ten times a second, and does little else.
    let options = RuntimeOptions {
        dispatcher_min_poll_interval: Duration::from_millis(1),
        ..RuntimeOptions::default()
    };
    let runtime = Runtime::start_with_options(store.clone(), activities, orchestrations, options).await;
    Ok(Started { _home: home, runtime, client: Client::new(store) })
}

pub(crate) fn measure(work: Work) -> Result<f64> {
    let (name, steps, runs) = match work {
        Work::Row(steps) => ("row", steps, 1),
        Work::FanOut(steps) => ("fan-out", steps, 1),
        Work::Runs(runs) => ("row", FEW, runs),
    };
    let run = async |started: &Started| {
        let client = &started.client;
        let all = (0..runs).map(|run| async move {
            let id = format!("run-{run}");
            client.start_orchestration(&id, name, steps.to_string()).await?;
            match client.wait_for_orchestration(&id, Duration::from_secs(600)).await? {
                OrchestrationStatus::Completed { .. } => {
                    Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
                }
                other => Err(format!("{other:?}").into()),
            }
        });
        try_join_all(all).await?;
        Ok(())
    };
    median(work.steps(), start, run, async |started| started.runtime.shutdown(None).await)
}
