//! A host for tests that kill it: one run with a `foreach` over many items, kept in files.
//!
//! ```text
//! items HOME TRACE COUNT
//! ```
//!
//! Begins the run, or continues it. Each call writes a line to the file TRACE before its reply: the path and
//! the attempt. When the run has ended, prints the peak memory of the process, in bytes.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use futures::executor::block_on;
use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, Profile, Stage, Workflow};
use workflow_core::ids::{RunId, StageId};
use workflow_core::plan::Plan;
use workflow_core::provider::{CallRequest, ProviderError, Reply};
use workflow_core::status::RunStatus;
use workflow_exec::{Engine, StartRun};
use workflow_providers::FunctionProvider;
use workflow_store::FileStore;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [home, trace, count] = arguments.as_slice() else { return Err("items HOME TRACE COUNT".into()) };
    let trace = OpenOptions::new().create(true).append(true).open(trace)?;
    let provider = FunctionProvider::from_fn(move |request| answer(&trace, &request));
    let engine =
        Engine::builder().store(FileStore::open(Path::new(home))?).provider("tracing", provider).build()?;
    let items: Vec<_> = (0..count.parse()?).map(|n: u32| Value::from(n)).collect();
    let start = StartRun::plan(&plan()?).run_id(RunId::new("items")?).var("items", items);
    let view = block_on(engine.run(start))?;
    if view.status != RunStatus::Completed {
        return Err(format!("the run is {:?}: {:?}", view.status, view.error).into());
    }
    writeln!(std::io::stdout(), "{}", most_memory()?)?;
    Ok(())
}

fn answer(mut trace: &File, request: &CallRequest) -> std::result::Result<Reply, ProviderError> {
    let line = format!("{} {}\n", request.id.path, request.id.attempt);
    // With one write, so the line is complete or absent.
    trace.write_all(line.as_bytes()).map_err(|error| ProviderError::permanent(error.to_string()))?;
    Ok(Reply::json(&json!({ "item": request.options["item"] })))
}

fn plan() -> Result<Arc<Plan>> {
    let stage = Stage { profile: Some("graph".to_owned()), ..Stage::new("tracing") };
    let id: StageId = "stage".parse()?;
    let workflow = Workflow::new("items".parse()?, "Many items").stage(id.clone(), stage);
    let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default())?);
    let profile: Profile = serde_json::from_value(json!({ "graph": [{
        "id": "each",
        "type": "foreach",
        "items": "${vars.items}",
        "mode": "parallel",
        "concurrency": 64,
        "run": { "type": "run", "with": { "item": "${item}" } },
    }] }))?;
    bundle.profiles.insert(id, profile);
    Ok(Arc::new(Plan::load(bundle)?))
}

fn most_memory() -> Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
}
