//! A host in a few lines: closures do the work, and a draft is revised until the reviewer is satisfied.
#![allow(clippy::print_stdout, reason = "showing what happens is what this program is for")]

use std::error::Error;
use std::pin::pin;

use futures::TryStreamExt as _;
use workflow::serde_json::{self, json};
use workflow::{Engine, FunctionProvider, Reply, StartRun, Tokio};

const WORKFLOW: &str = r#"
workflow:
  name: Draft and review
  stages: [draft, review]
  loop: { max_iters: 5, stop_when: "$.done == true" }
draft:
  provider: writer
  prompt: "${vars.text}"
  set: { text: "${output}" }
review:
  provider: reviewer
  prompt: "${stages.draft.output}"
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let writer = FunctionProvider::from_fn(|request| Ok(Reply::text(request.prompt + "!")));
    let reviewer = FunctionProvider::from_fn(|request| {
        Ok(Reply::json(&json!({ "done": request.prompt.ends_with("!!!") })))
    });
    // Runs are kept in memory unless `store` is set.
    let engine = Engine::builder()
        .provider("writer", writer)
        .provider("reviewer", reviewer)
        .timer(Tokio)
        .spawner(Tokio)
        .build()?;
    let workflow = engine.parse(WORKFLOW, "draft-and-review")?;
    let run = engine.start(StartRun::plan(&workflow).var("text", "Hello")).await?;

    let mut events = pin!(run.events(0));
    while let Some(event) = events.try_next().await? {
        println!("{:>3} {}", event.seq, serde_json::to_string(&event.body)?);
    }
    let run = run.wait().await?;
    println!("{:?}: {}", run.status, run.context.vars["text"].json());
    Ok(())
}
