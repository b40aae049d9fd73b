//! `templates` and `new`: lists templates, and creates workflows from them.

use workflow_core::ids::WorkflowId;
use workflow_service::parts::{ListTemplates, TemplateInfo};
use workflow_service::workflows::CreateWorkflow;

use crate::error::Error;
use crate::exit::Exit;
use crate::home::{self, Home};
use crate::host::Host;
use crate::print;

/// Lists the templates.
pub(crate) async fn templates(home: &Home, json: bool) -> Result<Exit, Error> {
    let templates = Host::for_definitions(home)?.ask(ListTemplates {}).await?.templates;
    if json {
        print::objects(&templates)?;
    } else {
        let mut rows = vec![["TEMPLATE", "STAGES", "DESCRIPTION"].map(str::to_owned)];
        rows.extend(templates.into_iter().map(|TemplateInfo { id, stages, description, name, .. }| {
            let stages: Vec<_> = stages.iter().map(AsRef::as_ref).collect();
            [id.to_string(), stages.join(", "), description.unwrap_or(name)]
        }));
        print::lines(print::table(&rows))?;
    }
    Ok(Exit::DONE)
}

/// Creates a workflow from a template.
pub(crate) async fn new(
    home: &Home,
    json: bool,
    id: &WorkflowId,
    template: &WorkflowId,
) -> Result<Exit, Error> {
    let host = Host::for_definitions(home)?;
    let templates = host.ask(ListTemplates {}).await?.templates;
    let found = templates.into_iter().find(|known| known.id == *template);
    if found.is_some() {
        home::make(&home.path)?;
    }
    let request = CreateWorkflow { id: id.clone(), text: None, template: Some(template.clone()) };
    let created = host.ask(request).await?;
    if json {
        print::json(&created)?;
    } else {
        print::line(format!("created {}", created.origin))?;
        let parts = found.map(|template| template.parts).unwrap_or_default();
        if !parts.is_empty() {
            print::line(format!("it uses {}", parts.join(", ")))?;
        }
        print::line(format!("try it with: workflow run {id}"))?;
    }
    Ok(Exit::DONE)
}
