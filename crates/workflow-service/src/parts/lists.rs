//! Templates to start from, the providers that there are, and the schemas of the files.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::data::Data;
use workflow_core::ids::{StageId, WorkflowId};
use workflow_core::schema::schemas;

use crate::caller::{Caller, Scope};
use crate::error::ServiceError;
use crate::host::Host;
use crate::operation::Operation;

/// Lists the templates that workflows can be made from, with `template` of `workflow:create`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListTemplates {}

/// The templates that workflows can be made from.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TemplateList {
    /// The templates, the simplest first.
    pub templates: Vec<TemplateInfo>,
}

/// A template.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct TemplateInfo {
    /// What it is called among templates.
    pub id: WorkflowId,
    /// The name for people.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The stages, in order.
    pub stages: Vec<StageId>,
    /// The text of the workflow.
    pub text: String,
    /// The roles, profiles and schemas that come with it, for people.
    pub parts: Vec<String>,
}

impl Operation for ListTemplates {
    const NAME: &'static str = "workflow:templates";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Lists the templates that workflows can be made from.";
    type Response = TemplateList;

    async fn run(self, host: &Host, _: &Caller) -> Result<TemplateList, ServiceError> {
        let templates = host.catalog()?.templates().await?.into_iter();
        let info = |template: workflow_core::catalog::WorkflowTemplate| TemplateInfo {
            id: template.id,
            name: template.name,
            description: template.description,
            stages: template.stages,
            text: template.workflow,
            parts: template.parts.iter().map(|(part, _)| part.to_string()).collect(),
        };
        Ok(TemplateList { templates: templates.map(info).collect() })
    }
}

/// Lists the providers that stages can name.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListProviders {}

/// The providers that stages can name.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProviderList {
    /// The provider of stages that name none.
    pub default: Option<String>,
    /// The providers, by name.
    pub providers: Vec<ProviderInfo>,
}

/// A provider.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ProviderInfo {
    /// The name.
    pub name: String,
    /// The JSON Schema of its options, under `with`; absent for one that takes any.
    pub options: Option<Data>,
}

impl Operation for ListProviders {
    const NAME: &'static str = "workflow:providers";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Lists the providers that stages can name, with the schemas of their options.";
    type Response = ProviderList;

    async fn run(self, host: &Host, _: &Caller) -> Result<ProviderList, ServiceError> {
        let engine = host.engine();
        let info = |(name, options): (&str, Option<serde_json::Value>)| ProviderInfo {
            name: name.to_owned(),
            options: options.as_ref().map(Data::new),
        };
        Ok(ProviderList {
            default: engine.default_provider().map(str::to_owned),
            providers: engine.providers().into_iter().map(info).collect(),
        })
    }
}

/// Reads the JSON Schemas of the files that the catalog keeps.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListSchemas {}

/// The JSON Schemas of files, with which an editor completes and checks them.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SchemaList {
    /// The schemas, by the kind of file: `workflow`, `profile`, `role` (its front matter), `assignments`; and `run-event`, that
    /// of the stored events.
    pub schemas: BTreeMap<String, Data>,
}

impl Operation for ListSchemas {
    const NAME: &'static str = "workflow:schemas";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str = "Reads the JSON Schemas of workflows, profiles, roles and assignments, for editors that complete and check them.";
    type Response = SchemaList;

    async fn run(self, _: &Host, _: &Caller) -> Result<SchemaList, ServiceError> {
        let named = schemas().into_iter().map(|(name, schema)| (name.to_owned(), Data::new(&schema)));
        Ok(SchemaList { schemas: named.collect() })
    }
}
