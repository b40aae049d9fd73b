//! `compare`: two runs side by side.

use std::time::Duration;

use workflow_core::ids::RunId;
use workflow_service::compare::{
    CompareRuns, ComparedRun, ComparedStage, Comparison, Difference, StageTotal,
};
use workflow_service::report::Excerpt;

use crate::error::Error;
use crate::exit::Exit;
use crate::host::Host;
use crate::print;
use crate::reference::RunRef;
use crate::store_url::Place;
use crate::text::{date, duration, shorten, word};
use crate::words;

/// How many characters of a value are shown.
const VALUE: usize = 60;
/// How many differences of the definitions are shown; `--json` has more of them.
const LISTED: usize = 20;

/// Compares two runs.
pub(crate) async fn compare(place: &Place, json: bool, one: &RunRef, other: &RunRef) -> Result<Exit, Error> {
    let (host, run_id) = Host::of_run(place, one).await?;
    let other_run_id: RunId = other.find(&**host.engine.store()).await?;
    let comparison = host.ask(CompareRuns { run_id, other_run_id }).await?;
    if json {
        print::json(&comparison)?;
    } else {
        print::lines(page(&comparison))?;
    }
    Ok(Exit::DONE)
}

fn page(comparison: &Comparison) -> Vec<String> {
    let (one, other) = (&comparison.first, &comparison.second);
    let mut lines = print::table(&facts(one, other));
    if !comparison.stages.is_empty() {
        lines.push(String::new());
        let mut rows = vec![["STAGE", "FIRST RUN", "SECOND RUN", "SECOND TOOK"].map(str::to_owned)];
        rows.extend(comparison.stages.iter().map(stage));
        lines.extend(print::table(&rows));
    }
    lines.extend(differences("variables that differ:", &comparison.vars));
    if !comparison.same_bundle {
        lines.extend(differences("their definitions differ:", &comparison.definition));
    }
    lines.push(String::new());
    match &comparison.divergence {
        None => lines.push("they did the same".to_owned()),
        Some(found) => {
            let stage = found.stage.as_ref().map(|stage| format!("{}/{stage}", found.iteration));
            let place = found.path.as_ref().map(ToString::to_string).or(stage);
            let place = place.map(|place| format!(" is {place}")).unwrap_or_default();
            lines.push(format!("the first point where they differ{place}, in the {}:", word(found.what)));
            lines.push(format!("  first:  {}", shorten(&found.first, VALUE)));
            lines.push(format!("  second: {}", shorten(&found.second, VALUE)));
        }
    }
    lines
}

fn facts(one: &ComparedRun, other: &ComparedRun) -> Vec<[String; 3]> {
    let row = |name: &str, of: &dyn Fn(&ComparedRun) -> String| [name.to_owned(), of(one), of(other)];
    vec![
        row("run", &|run| run.run_id.to_string()),
        row("workflow", &|run| run.workflow_id.to_string()),
        row("status", &|run| word(run.status)),
        row("created", &|run| date(run.created_at)),
        row("took", &|run| {
            let Some(took) = run.duration_ms else { return "not ended".to_owned() };
            let waited = if run.waited_ms > 0 {
                format!(", {} of it waiting", millis(run.waited_ms))
            } else {
                String::new()
            };
            format!("{}{waited}", millis(took))
        }),
        row("used", &|run| words::used(&run.spent)),
    ]
}

fn stage(stage: &ComparedStage) -> [String; 4] {
    let total = |total: &Option<StageTotal>| match total {
        None => "not begun".to_owned(),
        Some(total) => {
            let took = total.duration_ms.map(|took| format!(" in {}", millis(took))).unwrap_or_default();
            let passes = if total.passes > 1 { format!(", {} passes", total.passes) } else { String::new() };
            format!("{}{took}{passes}", word(total.status))
        }
    };
    let longer = stage.longer_ms.map(|longer| {
        let more = if longer < 0 { "less" } else { "more" };
        format!("{} {more}", millis(longer.unsigned_abs()))
    });
    [stage.stage.to_string(), total(&stage.first), total(&stage.second), longer.unwrap_or_default()]
}

fn differences(head: &str, found: &[Difference]) -> Vec<String> {
    if found.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![String::new(), head.to_owned()];
    let value = |value: &Option<Excerpt>| match value {
        Some(value) => shorten(&value.text, VALUE),
        None => "(none)".to_owned(),
    };
    lines.extend(
        found
            .iter()
            .take(LISTED)
            .map(|found| format!("  {}: {} → {}", found.path, value(&found.first), value(&found.second))),
    );
    if found.len() > LISTED {
        lines.push(format!("  … {} more (`--json` has them)", found.len() - LISTED));
    }
    lines
}

fn millis(millis: u64) -> String {
    duration(Duration::from_millis(millis))
}
