//! Creating, changing and deleting workflows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use workflow_core::catalog::{CatalogError, Version};
use workflow_core::data::Data;
use workflow_core::definition::did_you_mean;
use workflow_core::definition::edit::{self, EditError};
use workflow_core::ids::WorkflowId;

use super::check::refuse_errors;
use super::get::WorkflowText;
use crate::caller::{Caller, Scope, Target};
use crate::code::Code;
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Adds a workflow: with a text, or from a template. Never overwrites.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateWorkflow {
    /// The id of the new workflow.
    pub id: WorkflowId,
    /// Its YAML text, if it is not made from a template.
    #[serde(default)]
    pub text: Option<String>,
    /// The id of the template that it is made from, with the roles, profiles and schemas that it uses.
    #[serde(default)]
    pub template: Option<WorkflowId>,
}

impl Operation for CreateWorkflow {
    const NAME: &'static str = "workflow:create";
    const SCOPE: Scope = Scope::Edit;
    const ABOUT: &'static str = "Adds a workflow, with a text or from a template; never overwrites one.";
    type Response = WorkflowText;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowText, ServiceError> {
        let catalog = host.catalog()?;
        match (self.text, self.template) {
            (Some(text), None) => {
                refuse_errors(&text, &self.id)?;
                Ok(catalog.create(&self.id, &text).await?.into())
            }
            (None, Some(name)) => {
                let templates = catalog.templates().await?;
                let Some(template) = templates.iter().find(|template| template.id == name) else {
                    let known: Vec<_> = templates.iter().map(|template| template.id.as_str()).collect();
                    let near = did_you_mean(name.as_str(), known.iter().copied());
                    let known = known.join(", ");
                    let message = format!("there is no template `{name}`{near} (there are: {known})");
                    return Err(ServiceError::not_found(message));
                };
                Ok(catalog.create_from(&self.id, template).await?.into())
            }
            _ => Err(ServiceError::invalid_request("give the new workflow either a `text` or a `template`")),
        }
    }
}

/// Changes a workflow: gives it another text, or edits fields of the one that it has. Runs that have started keep the
/// text that they were started with.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateWorkflow {
    /// The workflow.
    pub id: WorkflowId,
    /// The version that the caller read.
    pub version: String,
    /// The new YAML text, if no fields are edited.
    #[serde(default)]
    pub text: Option<String>,
    /// Fields to change, one after the other; every other byte of the text stays as it is. All are changed, or none.
    #[serde(default)]
    pub edits: Vec<FieldEdit>,
}

/// A change of one field.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FieldEdit {
    /// The field, as diagnostics name it: `test.providers[1].role`. A field that is missing is added.
    pub path: String,
    /// Its new value.
    #[serde(default)]
    pub value: Option<Data>,
    /// Whether it is removed, instead of getting a value.
    #[serde(default)]
    pub remove: bool,
}

impl Operation for UpdateWorkflow {
    const NAME: &'static str = "workflow:update";
    const SCOPE: Scope = Scope::Edit;
    const ABOUT: &'static str =
        "Changes the text, or fields, of a workflow that still has the version that the caller read.";
    type Response = WorkflowText;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowText, ServiceError> {
        let (catalog, version) = (host.catalog()?, Version(self.version));
        let text = match (self.text, self.edits.as_slice()) {
            (Some(text), []) => text,
            (None, edits @ [_, ..]) => {
                let document = host.workflow(&self.id).await?;
                if document.version != version {
                    return Err(CatalogError::Stale(format!("workflow `{}`", self.id)).into());
                }
                edited(document.text, edits)?
            }
            _ => return Err(ServiceError::invalid_request("give either a new `text` or `edits`")),
        };
        refuse_errors(&text, &self.id)?;
        Ok(catalog.update(&self.id, &text, &version).await?.into())
    }
}

/// Changes fields of the text of a workflow, and stores nothing: for editors whose text is not saved yet.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EditText {
    /// The YAML text.
    pub text: String,
    /// Fields to change, one after the other. All are changed, or none.
    pub edits: Vec<FieldEdit>,
}

/// A text whose fields were changed.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct EditedText {
    /// The YAML text; every byte outside of the fields is as it was.
    pub text: String,
}

impl Operation for EditText {
    const NAME: &'static str = "workflow:edit";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Changes fields of the text of a workflow, and stores nothing.";
    type Response = EditedText;

    async fn run(self, _: &Host, _: &Caller) -> Result<EditedText, ServiceError> {
        Ok(EditedText { text: edited(self.text, &self.edits)? })
    }
}

fn edited(mut text: String, edits: &[FieldEdit]) -> Result<String, ServiceError> {
    for (n, FieldEdit { path, value, remove }) in edits.iter().enumerate() {
        let invalid =
            |problem: &str| ServiceError::invalid_request(format!("the edit {n} of `{path}`: {problem}"));
        let new = match (value, remove) {
            (Some(value), false) => {
                let value = value.try_value().map_err(|error| invalid(&error.to_string()))?;
                edit::set_field(&text, path, &value)
            }
            (None, true) => edit::remove_field(&text, path),
            _ => return Err(invalid("give it either a `value` or `remove: true`")),
        };
        text = new.map_err(|error| refused(&error).with_details(json!({ "edit": n, "path": path })))?;
    }
    Ok(text)
}

/// Why a field cannot be changed.
fn refused(error: &EditError) -> ServiceError {
    let code = match error {
        EditError::BadPath(_) => Code::InvalidRequest,
        _ => Code::InvalidDefinition,
    };
    ServiceError::new(code, error.to_string())
}

/// Copies a workflow. The copy is neither protected nor the default.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DuplicateWorkflow {
    /// The workflow.
    pub id: WorkflowId,
    /// The id of the copy.
    pub new_id: WorkflowId,
    /// The name of the copy; that of the workflow unless given.
    #[serde(default)]
    pub name: Option<String>,
}

impl Operation for DuplicateWorkflow {
    const NAME: &'static str = "workflow:duplicate";
    const SCOPE: Scope = Scope::Edit;
    const ABOUT: &'static str = "Copies a workflow under another id; never overwrites one.";
    type Response = WorkflowText;

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowText, ServiceError> {
        let catalog = host.catalog()?;
        let text = host.workflow(&self.id).await?.text;
        let text = copy(&text, &self.new_id, self.name.as_deref()).map_err(|error| refused(&error))?;
        refuse_errors(&text, &self.new_id)?;
        Ok(catalog.create(&self.new_id, &text).await?.into())
    }
}

fn copy(text: &str, id: &WorkflowId, name: Option<&str>) -> Result<String, EditError> {
    let mut text = edit::with_id(text, id)?;
    for flag in ["workflow.protected", "workflow.isDefault"] {
        text = match edit::remove_field(&text, flag) {
            Err(EditError::NotFound(_)) => text,
            removed => removed?,
        };
    }
    match name {
        Some(name) => edit::set_field(&text, "workflow.name", &name.into()),
        None => Ok(text),
    }
}

/// Deletes a workflow that no unfinished run uses.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeleteWorkflow {
    /// The workflow.
    pub id: WorkflowId,
}

impl Operation for DeleteWorkflow {
    const NAME: &'static str = "workflow:delete";
    const SCOPE: Scope = Scope::Edit;
    const ABOUT: &'static str =
        "Deletes a workflow, unless it is protected or runs that have not ended use it.";
    type Response = ();

    fn target(&self) -> Target<'_> {
        Target::Workflow(&self.id)
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<(), ServiceError> {
        Ok(host.engine().delete_workflow(&self.id).await?)
    }
}
