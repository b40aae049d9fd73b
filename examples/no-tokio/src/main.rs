//! A host without an async runtime: commands are the providers, files keep the runs, and
//! `futures::executor::block_on` drives them.
//!
//! A second start shows the run of the first: the host chooses the run's id, and starting a run with an
//! existing id and the same inputs continues that run, or returns its result if it has ended.
#![allow(clippy::print_stdout, reason = "showing what happens is what this program is for")]

use std::error::Error;

use futures::executor::block_on;
use workflow_core::ids::RunId;
use workflow_exec::{Engine, StartRun};
use workflow_providers::CommandProvider;
use workflow_store::FileStore;

const WORKFLOW: &str = r#"
workflow:
  name: Ask and count
  stages: [ask, count]
ask:
  mode: parallel
  providers: [{ provider: command }, { provider: command }]
  with: { command: [uname, -sm] }
count:
  provider: command
  prompt: "${stages.ask.output}"
  with: { command: [wc, -c] }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let home = std::env::args_os().nth(1).unwrap_or_else(|| ".orch".into());
    let engine = Engine::builder()
        .store(FileStore::open(home)?)
        .provider("command", CommandProvider::new())
        .build()?;
    let workflow = engine.parse(WORKFLOW, "no-tokio")?;
    let run = block_on(engine.run(StartRun::plan(&workflow).run_id(RunId::new("no-tokio")?)))?;

    println!("{:?}", run.status);
    for (stage, result) in &run.context.stages {
        println!("{stage}: {:?}", result.output);
    }
    Ok(())
}
