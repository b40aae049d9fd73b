//! `init`: a home with a workflow to try.

use serde_json::json;
use workflow_core::catalog::{Catalog as _, CatalogError};
use workflow_core::ids::WorkflowId;

use crate::error::Error;
use crate::exit::Exit;
use crate::home::{self, Home};
use crate::host::Host;
use crate::print;

const ID: &str = "hello";
const TEXT: &str = include_str!("hello.workflow.yml");

/// Creates `<home>/workflows/hello.workflow.yml`, unless there is such a workflow.
pub(crate) async fn init(home: &Home, json: bool) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let id = WorkflowId::new(ID).map_err(workflow_exec::EngineError::from)?;
    home::make(&home.path)?;
    let (created, path) = match host.catalog.create(&id, TEXT).await {
        Ok(document) => (true, document.origin),
        Err(CatalogError::Exists(_)) => (false, host.catalog.get(&id).await?.origin),
        Err(error) => return Err(error.into()),
    };
    if json {
        print::json(&json!({ "workflow": ID, "file": path, "created": created }))?;
    } else {
        print::line(if created { format!("created {path}") } else { format!("{path} exists already") })?;
        print::line(format!("try it with: workflow run {ID} --var name=you"))?;
    }
    Ok(Exit::DONE)
}
