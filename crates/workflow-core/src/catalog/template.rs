//! Workflows to start from, with everything that they use.
//!
//! A catalog creates workflows from templates; see [`Catalog::create_from`]. Those that come with this crate
//! are in its folder `templates`, laid out like a home. They run unchanged with a provider that is registered
//! as `demo` and makes no calls; comments in them say which lines to change to work with an agent.
//!
//! [`Catalog::create_from`]: crate::catalog::Catalog::create_from

use super::part::Part;
use crate::definition::{Diagnostic, Diagnostics, Export, parse};
use crate::ids::{ProfileId, RoleId, StageId, WorkflowId};

/// A workflow to start from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkflowTemplate {
    /// What it is called among templates.
    pub id: WorkflowId,
    /// The name for people.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The stages, in order.
    pub stages: Vec<StageId>,
    /// The text of the workflow. It says no id, so that it can have any.
    pub workflow: String,
    /// The roles, profiles and schemas that it uses, with their texts.
    pub parts: Vec<(Part, String)>,
}

macro_rules! files {
    ($($template:literal: [$($path:literal),* $(,)?]),* $(,)?) => {
        &[$(($template, &[$(
            ($path, include_str!(concat!("../../templates/", $template, "/", $path))),
        )*])),*]
    };
}

/// The files of a template: their paths in a home, and their texts.
type Files = [(&'static str, &'static str)];

/// The simplest first.
const TEMPLATES: &[(&str, &Files)] = files! {
    "single-stage": [
        "workflows/single-stage.workflow.yml",
        "roles/assistant.md",
    ],
    "plan-code-test-check": [
        "workflows/plan-code-test-check.workflow.yml",
        "workflows/stages/code.reviewed.yml",
        "roles/planner.md",
        "roles/coder.md",
        "roles/reviewer.md",
        "roles/tester.md",
        "roles/checker.md",
        "schemas/plan.schema.json",
        "schemas/review.schema.json",
        "schemas/test-report.schema.json",
        "schemas/verdict.schema.json",
    ],
    "committee-plan": [
        "workflows/committee-plan.workflow.yml",
        "workflows/stages/plan.committee.yml",
        "roles/plan-author.md",
        "roles/plan-reviewer.md",
        "roles/plan-chair.md",
        "schemas/plan-review.schema.json",
        "schemas/committee-plan.schema.json",
    ],
    "deep-test": [
        "workflows/deep-test.workflow.yml",
        "workflows/stages/test.deep.yml",
        "roles/test-chooser.md",
        "roles/deep-tester.md",
        "roles/test-reporter.md",
        "schemas/test-kinds.schema.json",
        "schemas/kind-report.schema.json",
        "schemas/deep-report.schema.json",
        "schemas/finding.schema.json",
    ],
    "gate-check": [
        "workflows/gate-check.workflow.yml",
        "workflows/stages/gate.score.yml",
        "roles/gate-worker.md",
        "roles/gatekeeper.md",
        "roles/gate-adviser.md",
        "schemas/score.schema.json",
        "schemas/advice.schema.json",
        "schemas/gate-verdict.schema.json",
    ],
};

/// The templates that come with this crate, the simplest first.
///
/// ```
/// let templates = workflow_core::catalog::templates();
/// assert_eq!(templates[0].id.as_str(), "single-stage");
/// ```
pub fn templates() -> Vec<WorkflowTemplate> {
    // Cannot fail: a test reads all of them.
    let read = |(id, files): &(&str, &Files)| {
        WorkflowTemplate::from_files(WorkflowId::new(id).ok()?, files.iter().copied()).ok()
    };
    TEMPLATES.iter().filter_map(read).collect()
}

impl WorkflowTemplate {
    /// A template of files, by their paths in a home: one workflow, as `workflows/any.workflow.yml`, and what
    /// it uses. Name, description and stages are the workflow's.
    ///
    /// # Errors
    ///
    /// What is wrong with the workflow, which must not contain its id, and every path that is not valid in a
    /// home.
    pub fn from_files<P: AsRef<str>, T: Into<String>>(
        id: WorkflowId,
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Result<Self, Diagnostics> {
        let (mut problems, mut workflow, mut parts) = (Vec::new(), None, Vec::new());
        for (path, text) in files {
            let path = path.as_ref();
            if path.strip_prefix("workflows/").is_some_and(is_workflow) && workflow.is_none() {
                workflow = Some(text.into());
            } else if let Some(part) = part(path) {
                parts.push((part, text.into()));
            } else {
                let message =
                    "a template has one workflow, and roles, profiles and schemas as a home has them";
                problems.push(Diagnostic::error("bad-path", path, message));
            }
        }
        let workflow: String = workflow.unwrap_or_default();
        let parsed = parse(workflow.as_bytes(), Some(&id));
        problems.extend(parsed.diagnostics.into_iter().filter(Diagnostic::is_error));
        // Without a file name, the id can only come from the text.
        if parse(workflow.as_bytes(), None).workflow.is_some() {
            let message = "leave the id out: the workflow gets the id of the file that is made from the \
                           template";
            problems.push(Diagnostic::error("no-template", "workflow.id", message));
        }
        match parsed.workflow {
            Some(found) if problems.is_empty() => Ok(Self {
                id,
                name: found.name,
                description: found.description,
                stages: found.stages.keys().cloned().collect(),
                workflow,
                parts,
            }),
            _ => Err(Diagnostics::from(problems)),
        }
    }
}

impl From<Export> for WorkflowTemplate {
    /// What is created when an export is imported.
    fn from(export: Export) -> Self {
        let parsed = parse(export.workflow.as_bytes(), Some(&export.id)).workflow;
        let (name, description, stages) = match parsed {
            Some(found) => (found.name, found.description, found.stages.keys().cloned().collect()),
            None => (export.id.to_string(), None, Vec::new()),
        };
        Self { id: export.id, name, description, stages, workflow: export.workflow, parts: export.parts }
    }
}

fn is_workflow(name: &str) -> bool {
    !name.contains('/') && (name.ends_with(".workflow.yml") || name.ends_with(".workflow.yaml"))
}

/// The kind of definition that is at a path of a home.
fn part(path: &str) -> Option<Part> {
    let (folder, name) = path.rsplit_once('/')?;
    match folder {
        "roles" => RoleId::new(name.strip_suffix(".md")?).ok().map(Part::Role),
        "workflows/stages" => {
            let name = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml"))?;
            let (stage, profile) = name.split_once('.')?;
            Some(Part::Profile(StageId::new(stage).ok()?, ProfileId::new(profile).ok()?))
        }
        _ => {
            let schema = path.strip_prefix("schemas/").and_then(|name| name.strip_suffix(".json"));
            schema.map(|_| Part::Schema(path.to_owned()))
        }
    }
}
