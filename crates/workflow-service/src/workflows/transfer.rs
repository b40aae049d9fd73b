//! Exporting and importing workflows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use workflow_core::bundle::{ProviderMap, Skill};
use workflow_core::catalog::{
    Catalog, CatalogEntry, CatalogError, Document, Part, PartKind, Text, Version, WorkflowTemplate,
};
use workflow_core::definition::{self, Draft, Export};
use workflow_core::ids::WorkflowId;
use workflow_core::provider::async_trait;
use workflow_exec::Checked;

use super::check::{problems, refuse_errors};
use crate::caller::{Caller, Scope, Target};
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;
use crate::problem::Problem;

/// Writes a workflow and everything that it refers to into one YAML document.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExportWorkflow {
    /// The workflow, which must have no errors.
    pub id: WorkflowId,
}

/// A workflow that was exported.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Exported {
    /// The workflow.
    pub id: WorkflowId,
    /// The YAML document, which `workflow:import` reads.
    pub text: String,
    /// What it contains beside the workflow: `workflow build`, `role planner`, `schema schemas/plan.json`.
    pub parts: Vec<String>,
    /// What it does not contain, for people.
    pub notes: Vec<String>,
}

impl Operation for ExportWorkflow {
    const NAME: &'static str = "workflow:export";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Writes a workflow with the workflows that its nodes run, profiles, roles, schemas and skills into one YAML document.";
    type Response = Exported;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<Exported, ServiceError> {
        let catalog = host.catalog()?;
        let text = host.workflow(&self.id).await?.text;
        let mut draft = definition::read(text.as_bytes(), Some(&self.id));
        host.engine().look_up(&mut draft).await?;
        let checked = host.engine().finish(draft.clone(), &ProviderMap::default());
        let Some(plan) = checked.plan else {
            return Err(ServiceError::invalid_text(&problems(checked.diagnostics, &draft)));
        };
        let bundle = plan.bundle();
        let refused = |error: String| ServiceError::new(Code::InvalidDefinition, error);
        let mut export = Export::new(&text, &draft, bundle).map_err(|error| refused(error.to_string()))?;
        let mut notes = Vec::new();
        for (name, skill) in bundle.all().into_iter().flat_map(|bundle| &bundle.skills) {
            let part = Part::Skill(name.clone());
            if export.parts.iter().any(|(known, _)| *known == part) {
                continue;
            }
            let found = catalog.part(&part).await?.map_or_else(|| skill.text.clone(), |found| found.text);
            export.parts.push((part, found));
            if skill.folder.is_some() {
                notes.push(format!("the skill `{name}` is exported without the other files of its folder"));
            }
        }
        let text = export.to_yaml().map_err(|error| refused(error.to_string()))?;
        let workflows = export.workflows.keys().map(|id| format!("workflow {id}"));
        let parts = workflows.chain(export.parts.iter().map(|(part, _)| label(part))).collect();
        Ok(Exported { id: self.id, text, parts, notes })
    }
}

/// Adds a workflow and everything that it refers to from an export. Never overwrites.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImportWorkflow {
    /// The YAML document of `workflow:export`.
    pub text: String,
    /// Another id for the workflow.
    #[serde(default)]
    pub new_id: Option<WorkflowId>,
    /// Whether only to tell what would be added.
    #[serde(default)]
    pub preview: bool,
}

/// What an import adds, or would add.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Imported {
    /// The id of the workflow here.
    pub id: WorkflowId,
    /// The workflow, those that its nodes run, and each part of them.
    pub items: Vec<ImportItem>,
    /// Whether something is in the way, so that nothing can be added.
    pub conflicts: bool,
    /// Whether the workflow can be run here: there are no errors.
    pub valid: bool,
    /// Whether it runs the same as where it was exported: it resolves to the same bundle. With another id it does not.
    pub same_bundle: bool,
    /// The errors and warnings that the workflow has here.
    pub diagnostics: Vec<Problem>,
}

/// A file of an import.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ImportItem {
    /// What it is: `workflow release`, `role planner`, `profile test.deep`.
    pub item: String,
    /// What happens to it.
    pub state: ImportState,
    /// Where the text is that is here already.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
}

/// What happens to a file of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ImportState {
    /// It is added.
    Create,
    /// It is here already, with the same text; or it is a workflow that resolves to the same bundle.
    Same,
    /// It is here with another text, which is never overwritten.
    Conflict,
}

impl Operation for ImportWorkflow {
    const NAME: &'static str = "workflow:import";
    const SCOPE: Scope = Scope::Edit;
    const ABOUT: &'static str = "Adds a workflow with all that it refers to from an export, or tells what would be added; never overwrites.";
    type Response = Imported;

    fn target(&self) -> Target<'_> {
        self.new_id.as_ref().map_or(Target::None, Target::Workflow)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<Imported, ServiceError> {
        let catalog = host.catalog()?;
        let mut export = Export::from_yaml(self.text.as_bytes())?;
        if let Some(id) = self.new_id {
            let renamed = export.with_id(id);
            export =
                renamed.map_err(|error| ServiceError::new(Code::InvalidDefinition, error.to_string()))?;
        }
        refuse_errors(&export.workflow, &export.id)?;
        for (id, text) in &export.workflows {
            refuse_errors(text, id)?;
        }
        let items = items(host, &export).await?;
        let conflicts = items.iter().any(|item| item.state == ImportState::Conflict);

        let (draft, checked) =
            With { catalog, export: &export }.check(host, &export.id, &export.workflow).await?;
        let imported = Imported {
            id: export.id.clone(),
            conflicts,
            valid: checked.plan.is_some(),
            same_bundle: checked.plan.as_ref().is_some_and(|plan| export.is_same(plan.bundle())),
            diagnostics: problems(checked.diagnostics, &draft),
            items,
        };
        if self.preview {
            return Ok(imported);
        }
        if conflicts {
            let in_the_way = imported.items.iter().filter(|item| item.state == ImportState::Conflict);
            let names: Vec<_> = in_the_way.clone().map(|item| item.item.as_str()).collect();
            let message = format!(
                "nothing was imported, because these are here with other texts: {}; remove them, or give the \
                 workflow another id with `newId`",
                names.join(", ")
            );
            return Err(ServiceError::new(Code::Exists, message).with_details(json!({ "conflicts": names })));
        }
        let items = imported.items.iter().skip(1);
        // Those that its nodes run first: none is here then that lacks another one.
        for ((id, text), item) in export.workflows.iter().zip(items.clone()) {
            if item.state == ImportState::Create {
                catalog.create(id, text).await?;
            }
        }
        let parts = items.skip(export.workflows.len());
        let template = WorkflowTemplate::from(export);
        if imported.items.first().is_some_and(|item| item.state == ImportState::Create) {
            catalog.create_from(&imported.id, &template).await?;
        } else {
            for ((part, text), item) in template.parts.iter().zip(parts) {
                if item.state == ImportState::Create {
                    catalog.put_part(part, text, None).await?;
                }
            }
        }
        Ok(imported)
    }
}

/// The workflow first, then those that its nodes run, then each part in order.
async fn items(host: &Host, export: &Export) -> Result<Vec<ImportItem>, ServiceError> {
    let catalog = host.catalog()?;
    let mut items = Vec::new();
    let own = (&export.id, &export.workflow);
    for (id, imported) in std::iter::once(own).chain(&export.workflows) {
        let here = match catalog.get(id).await {
            Ok(Document { text, origin, .. }) => {
                Some((text == *imported || is_same(host, export, id, imported).await?, origin))
            }
            Err(CatalogError::NotFound(_)) => None,
            Err(CatalogError::Invalid(problem)) => Some((false, problem)),
            Err(error) => return Err(error.into()),
        };
        items.push(item(format!("workflow {id}"), here));
    }
    for (part, text) in &export.parts {
        let here = match catalog.part(part).await {
            Ok(found) => found.map(|found| (found.text == *text, found.origin)),
            Err(CatalogError::Invalid(problem)) => Some((false, problem)),
            Err(error) => return Err(error.into()),
        };
        items.push(item(label(part), here));
    }
    Ok(items)
}

/// Whether a workflow of the export resolves to what the one of that id here does, although their texts differ: an export says
/// in its text what was filled in for the workflow that it was made of.
async fn is_same(host: &Host, export: &Export, id: &WorkflowId, text: &str) -> Result<bool, ServiceError> {
    let Ok(here) = host.engine().load(id).await else { return Ok(false) };
    if *id == export.id {
        return Ok(export.is_same(here.bundle()));
    }
    let (_, imported) = With { catalog: host.catalog()?, export }.check(host, id, text).await?;
    Ok(imported.plan.is_some_and(|imported| Export::are_same(imported.bundle(), here.bundle())))
}

fn item(item: String, here: Option<(bool, String)>) -> ImportItem {
    let state = match here {
        None => ImportState::Create,
        Some((true, _)) => ImportState::Same,
        Some((false, _)) => ImportState::Conflict,
    };
    ImportItem { item, state, origin: here.map(|(_, origin)| origin) }
}

fn label(part: &Part) -> String {
    match part {
        Part::Role(id) => format!("role {id}"),
        Part::Profile(stage, id) => format!("profile {stage}.{id}"),
        Part::Schema(name) => format!("schema {name}"),
        Part::Skill(name) => format!("skill {name}"),
        Part::Assignments => "assignments".to_owned(),
        Part::Providers => "providers".to_owned(),
        Part::Notifications => "notifications".to_owned(),
    }
}

/// A catalog with what an export adds to it.
struct With<'a> {
    catalog: &'a dyn Catalog,
    export: &'a Export,
}

impl With<'_> {
    fn added(&self, part: &Part) -> Option<&String> {
        self.export.parts.iter().find(|(added, _)| added == part).map(|(_, text)| text)
    }

    /// Looks up what a text refers to, and checks it.
    async fn check(
        &self,
        host: &Host,
        id: &WorkflowId,
        text: &str,
    ) -> Result<(Draft, Checked), ServiceError> {
        let mut draft = definition::read(text.as_bytes(), Some(id));
        host.engine().look_up_in(self, &mut draft).await?;
        let checked = host.engine().finish(draft.clone(), &ProviderMap::default());
        Ok((draft, checked))
    }
}

#[async_trait]
impl Catalog for With<'_> {
    async fn list(&self) -> Result<Vec<CatalogEntry>, CatalogError> {
        self.catalog.list().await
    }

    async fn get(&self, id: &WorkflowId) -> Result<Document, CatalogError> {
        let Some(text) = self.export.workflows.get(id) else { return self.catalog.get(id).await };
        let version = Version(String::new());
        Ok(Document { id: id.clone(), origin: format!("workflow {id}"), text: text.clone(), version })
    }

    async fn create(&self, id: &WorkflowId, _: &str) -> Result<Document, CatalogError> {
        Err(CatalogError::ReadOnly(format!("workflow `{id}`")))
    }

    async fn update(&self, id: &WorkflowId, _: &str, _: &Version) -> Result<Document, CatalogError> {
        Err(CatalogError::ReadOnly(format!("workflow `{id}`")))
    }

    async fn delete(&self, id: &WorkflowId) -> Result<(), CatalogError> {
        Err(CatalogError::ReadOnly(format!("workflow `{id}`")))
    }

    async fn parts(&self, kind: PartKind) -> Result<Vec<Part>, CatalogError> {
        let mut parts = self.catalog.parts(kind).await?;
        if kind == PartKind::Roles {
            let added =
                self.export.parts.iter().map(|(part, _)| part).filter(|part| matches!(part, Part::Role(_)));
            parts.extend(added.cloned());
            parts.sort();
            parts.dedup();
        }
        Ok(parts)
    }

    async fn part(&self, part: &Part) -> Result<Option<Text>, CatalogError> {
        let Some(text) = self.added(part) else { return self.catalog.part(part).await };
        let version = Version(String::new());
        Ok(Some(Text { origin: label(part), text: text.clone(), version }))
    }

    async fn skill(&self, name: &str) -> Result<Option<Skill>, CatalogError> {
        let Some(text) = self.added(&Part::Skill(name.to_owned())) else {
            return self.catalog.skill(name).await;
        };
        let file = serde_json::from_str::<serde_json::Value>(text).ok();
        let instructions = file.as_ref().and_then(|file| file["instructions"].as_str());
        Ok(Some(Skill { text: instructions.unwrap_or(text).to_owned(), folder: None }))
    }
}

impl ServiceError {
    /// A text has errors.
    pub(crate) fn invalid_text(problems: &[Problem]) -> Self {
        let message: Vec<_> = problems
            .iter()
            .map(|Problem { line, column, code, message, .. }| format!("{line}:{column}: [{code}] {message}"))
            .collect();
        let details = crate::camel::to_value(problems).map(|problems| json!({ "diagnostics": problems }));
        Self { details: details.ok(), ..Self::new(Code::InvalidDefinition, message.join("\n")) }
    }
}
