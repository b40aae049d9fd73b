//! `list`, `validate` and `schema`: workflows before they run.

use serde_json::json;
use workflow_core::catalog::{Catalog as _, CatalogEntry};
use workflow_core::definition::Diagnostic;

use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::host::Host;
use crate::print;
use crate::source::Source;
use crate::text::count;

/// Lists the workflows of the home.
pub(crate) async fn list(home: &Home, json: bool) -> Result<Exit, Error> {
    let workflows = Host::for_definitions(home)?.catalog.list().await?;
    if json {
        for CatalogEntry { id, name, description, stages, problem, .. } in &workflows {
            let workflow = json!({
                "id": id,
                "name": name,
                "description": description,
                "stages": stages,
                "problem": problem,
            });
            print::json(&workflow)?;
        }
    } else if workflows.is_empty() {
        print::to_stderr(&format!("no workflows in {}", home.path.join("workflows").display()));
    } else {
        let head = ["WORKFLOW", "NAME", "STAGES"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head).chain(workflows.iter().map(row)).collect();
        print::lines(print::table(&rows))?;
    }
    Ok(Exit::DONE)
}

fn row(workflow: &CatalogEntry) -> [String; 3] {
    let stages = match &workflow.problem {
        Some(problem) => format!("(cannot be used: {problem})"),
        None => workflow.stages.join(", "),
    };
    [workflow.id.to_string(), workflow.name.clone().unwrap_or_default(), stages]
}

/// Checks workflows, and prints all errors and warnings.
pub(crate) async fn validate(
    home: &Home,
    json: bool,
    workflows: &[String],
    strict: bool,
) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let mut worst = Exit::DONE;
    for workflow in workflows {
        let source = match Source::read(&host, workflow).await {
            Ok(source) => source,
            // The other workflows are checked all the same.
            Err(error) => {
                print::to_stderr(&format!("error: {error}"));
                worst = worst.max(error.exit());
                continue;
            }
        };
        let checked = source.check(&host, strict, None).await?;
        if checked.plan.is_none() {
            worst = worst.max(Exit::INVALID);
        }
        if json {
            print::json(&json!({
                "file": source.name,
                "valid": checked.plan.is_some(),
                "diagnostics": checked.diagnostics,
            }))?;
        } else {
            print::lines(checked.lines(&source.name))?;
            print::line(summary(&source.name, &checked.diagnostics))?;
        }
    }
    Ok(worst)
}

fn summary(name: &str, diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).count();
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
