//! `list`, `validate` and `schema`: workflows before they run.

use serde::Serialize;
use workflow_core::bundle::ProviderMap;
use workflow_service::workflows::{
    Effective, ListWorkflows, Problem, ValidateWorkflow, Validated, WorkflowList, WorkflowSummary,
};

use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::host::Host;
use crate::print;
use crate::source::Source;
use crate::store_url::Place;
use crate::text::{count, date, word};

/// Lists the workflows of the home.
pub(crate) async fn list(home: &Home, place: Result<Place, Error>, json: bool) -> Result<Exit, Error> {
    let WorkflowList { workflows, .. } = listed(home, place).await?;
    if json {
        print::objects(&workflows)?;
    } else if workflows.is_empty() {
        print::to_stderr(&format!("no workflows in {}", home.path.join("workflows").display()));
    } else {
        let head = ["WORKFLOW", "NAME", "LAST RUN", "STAGES"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(workflows.iter().map(row)).collect();
        print::lines(print::table(&rows))?;
    }
    Ok(Exit::DONE)
}

/// The workflows with their last runs; without these when the store cannot be read.
async fn listed(home: &Home, place: Result<Place, Error>) -> Result<WorkflowList, Error> {
    let unread = match place.and_then(|place| Host::existing(&place)) {
        Ok(Some(host)) => match host.ask(ListWorkflows::default()).await {
            Ok(listed) => return Ok(listed),
            Err(error) => Some(error),
        },
        Ok(None) => None,
        Err(error) => Some(error),
    };
    // An error of the catalog is the same without the store, and is not reported twice.
    let listed = Host::for_definitions(home)?.ask(ListWorkflows::default()).await?;
    if let Some(error) = unread {
        print::to_stderr(&format!("warning: the last runs are not shown: {error}"));
    }
    Ok(listed)
}

fn row(workflow: &WorkflowSummary) -> [String; 4] {
    let stages = match &workflow.problem {
        Some(problem) => format!("(cannot be used: {problem})"),
        None => workflow.stages.join(", "),
    };
    let last = workflow.last_run.as_ref();
    let last = last.map(|run| format!("{}, {}", word(run.status), date(run.created_at))).unwrap_or_default();
    [workflow.id.to_string(), workflow.name.clone().unwrap_or_default(), last, stages]
}

/// A workflow that was checked, as JSON.
#[derive(Serialize)]
struct Checked<'a> {
    file: &'a str,
    #[serde(flatten)]
    result: &'a Validated,
}

/// Checks workflows, and prints all errors and warnings.
pub(crate) async fn validate(
    home: &Home,
    json: bool,
    workflows: &[String],
    (strict, explain): (bool, bool),
) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let mut worst = Exit::DONE;
    for workflow in workflows {
        let source = match Source::read(&host, workflow).await.and_then(Source::into_text) {
            Ok(source) => source,
            // The other workflows are checked all the same.
            Err(error) => {
                print::to_stderr(&format!("error: {error}"));
                worst = worst.max(error.exit());
                continue;
            }
        };
        let result = host
            .ask(ValidateWorkflow {
                id: source.id,
                text: source.text,
                strict,
                providers: ProviderMap::default(),
                values: false,
                explain,
            })
            .await?;
        if !result.valid {
            worst = worst.max(Exit::INVALID);
        }
        if json {
            print::json(&Checked { file: &source.name, result: &result })?;
        } else {
            print::lines(result.diagnostics.iter().map(|problem| problem.in_line(&source.name)))?;
            print::line(summary(&source.name, &result.diagnostics))?;
            print::lines(result.effective.iter().flatten().map(explained))?;
        }
    }
    Ok(worst)
}

/// A value of a stage, and where it comes from.
fn explained(found: &Effective) -> String {
    let Effective { stage, field, value, from, range, .. } = found;
    let at = range.as_ref().map(|range| format!(", {}:{}", range.line, range.column)).unwrap_or_default();
    format!("  {stage}.{field} = {}  ({}{at})", value.json(), from.in_words())
}

fn summary(name: &str, diagnostics: &[Problem]) -> String {
    let errors = diagnostics.iter().filter(|problem| problem.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let mut parts = Vec::new();
    for (number, what) in [(errors, "error"), (warnings, "warning")] {
        if number > 0 {
            parts.push(count(number as u64, what));
        }
    }
    let verdict = if errors == 0 { "valid" } else { "invalid" };
    if parts.is_empty() {
        format!("{name}: {verdict}")
    } else {
        format!("{name}: {verdict}, {}", parts.join(", "))
    }
}

/// Prints a JSON Schema.
pub(crate) fn schema(json: bool, name: &str) -> Result<Exit, Error> {
    let schemas = workflow_core::schema::schemas();
    let Some((_, schema)) = schemas.into_iter().find(|(known, _)| *known == name) else {
        return Ok(Exit::INVALID);
    };
    if json {
        print::json(&schema)?;
    } else {
        print::lines(format!("{schema:#}").lines())?;
    }
    Ok(Exit::DONE)
}
