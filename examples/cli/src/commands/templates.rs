//! `templates` and `new`: lists templates, and creates workflows from them.

use serde_json::json;
use workflow_core::catalog::{Catalog as _, CatalogError};
use workflow_core::definition::did_you_mean;
use workflow_core::ids::WorkflowId;

use crate::error::Error;
use crate::exit::Exit;
use crate::home::{self, Home};
use crate::host::Host;
use crate::print;

/// Lists the templates.
pub(crate) async fn templates(home: &Home, json: bool) -> Result<Exit, Error> {
    let templates = Host::for_definitions(home)?.catalog.templates().await?;
    if json {
        print::objects(templates.iter().map(|template| {
            json!({
                "id": template.id,
                "name": template.name,
                "description": template.description,
                "stages": template.stages,
            })
        }))?;
    } else {
        let mut rows = vec![["TEMPLATE", "STAGES", "DESCRIPTION"].map(str::to_owned)];
        rows.extend(templates.into_iter().map(|template| {
            let stages: Vec<_> = template.stages.iter().map(AsRef::as_ref).collect();
            [template.id.to_string(), stages.join(", "), template.description.unwrap_or(template.name)]
        }));
        print::lines(print::table(&rows))?;
    }
    Ok(Exit::DONE)
}

/// Creates a workflow from a template.
pub(crate) async fn new(home: &Home, json: bool, id: &WorkflowId, name: &str) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let templates = host.catalog.templates().await?;
    let Some(template) = templates.iter().find(|template| template.id.as_str() == name) else {
        let known = templates.iter().map(|template| template.id.as_str());
        let near = did_you_mean(name, known.clone());
        let known: Vec<_> = known.collect();
        let what = format!("template `{name}`{near} (there are: {})", known.join(", "));
        return Err(CatalogError::NotFound(what).into());
    };
    home::make(&home.path)?;
    let document = host.catalog.create_from(id, template).await?;
    if json {
        print::json(&json!({ "workflow": id, "template": template.id, "file": document.origin }))?;
    } else {
        print::line(format!("created {}", document.origin))?;
        if !template.parts.is_empty() {
            let parts: Vec<_> = template.parts.iter().map(|(part, _)| part.to_string()).collect();
            print::line(format!("it uses {}", parts.join(", ")))?;
        }
        print::line(format!("try it with: workflow run {id}"))?;
    }
    Ok(Exit::DONE)
}
