//! `migrate`: compares the definition of a run with a newer one, and moves the run to it.

use workflow_exec::Migration;
use workflow_service::runs::{GetRun, MigrateRun};
use workflow_service::workflows::GetWorkflow;

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;

/// Compares the definition of a run with the current workflow in the home, or moves the run to it.
pub(crate) async fn migrate(place: &Place, json: bool, run: &RunRef, apply: bool) -> Result<Exit, Error> {
    let (host, run) = Host::of_run(place, run).await?;
    let migration = match host.ask(MigrateRun { run_id: run.clone(), apply }).await {
        Err(Error::Service(error)) if !error.problems().is_empty() => {
            let id = host.ask(GetRun { run_id: run }).await?.run.workflow_id;
            let origin = host.ask(GetWorkflow { id }).await?.origin;
            for problem in error.problems() {
                print::to_stderr(&problem.in_line(&origin));
            }
            return Err(Error::Invalid(origin));
        }
        migration => migration?,
    };
    if json {
        print::json(&migration)?;
    } else {
        print::lines(lines(&migration, apply))?;
    }
    Ok(Exit::DONE)
}

fn lines(
    Migration { run_id: run, from, to, diverges, obstacles, .. }: &Migration,
    moved: bool,
) -> Vec<String> {
    if from == to {
        return vec![format!("run {run} uses the current workflow in the home: nothing to migrate")];
    }
    let head = if moved {
        format!("run {run} was moved to the current workflow in the home. Changes:")
    } else {
        format!("run {run} uses an earlier definition. Changes in the home since then:")
    };
    let mut lines = vec![head];
    lines.extend(diverges.iter().map(|what| format!("  {what}")));
    if moved {
        return lines;
    }
    if obstacles.is_empty() {
        lines.push(format!("`workflow migrate {run} --apply` moves it"));
    } else {
        lines.push("it cannot be moved, because:".to_owned());
        lines.extend(obstacles.iter().map(|what| format!("  {what}")));
    }
    lines
}
