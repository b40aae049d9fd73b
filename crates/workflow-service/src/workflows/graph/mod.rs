//! A workflow as a graph: its stages, the nodes inside them, and the ways between them.

mod draw;
mod model;
mod svg;

pub use model::{BoxKind, GraphBox, GraphLine, LineKind, WorkflowGraph};

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use workflow_core::bundle::{Bundle, ProviderMap};
use workflow_core::ids::{RunId, WorkflowId};

use super::check::CheckedText;
use crate::caller::{Caller, Scope, Target};
use crate::error::ServiceError;
use crate::followed::Followed;
use crate::host::Host;
use crate::operation::Operation;
use crate::planned::Replaced;

/// Draws a workflow of the catalog, the text of a workflow, or the definition that a run follows.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GraphWorkflow {
    /// The workflow; with `text` the id that the file's name would give.
    #[serde(default)]
    pub id: Option<WorkflowId>,
    /// The YAML text of a workflow, in place of the one in the catalog.
    #[serde(default)]
    pub text: Option<String>,
    /// The run whose definition is drawn, in place of a workflow.
    #[serde(default)]
    pub run_id: Option<RunId>,
    /// Whether the nodes inside stages are drawn too.
    #[serde(default)]
    pub nodes: bool,
    /// The language of `drawing`; without it, only `boxes` and `lines` are returned.
    #[serde(default)]
    pub format: Option<GraphFormat>,
}

/// The language of a drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum GraphFormat {
    /// A flowchart that Markdown viewers such as those of GitHub and GitLab show.
    Mermaid,
    /// The language of Graphviz.
    Dot,
    /// A picture.
    Svg,
}

impl Operation for GraphWorkflow {
    const NAME: &'static str = "workflow:graph";
    const SCOPE: Scope = Scope::Read;
    const ABOUT: &'static str =
        "Draws the stages of a workflow, with loops and failures, as boxes and lines, Mermaid, DOT or SVG.";
    type Response = WorkflowGraph;

    fn target(&self) -> Target<'_> {
        match (&self.run_id, &self.id) {
            (Some(run), _) => Target::Run(run),
            (None, Some(id)) if self.text.is_none() => Target::Workflow(id),
            _ => Target::None,
        }
    }

    async fn run(self, host: &Host, _: &Caller) -> Result<WorkflowGraph, ServiceError> {
        let mut replaced = Replaced::default();
        let bundle = match (self.id, self.text, self.run_id) {
            (None, None, Some(run)) => {
                let followed = Followed::of(host, &run).await?;
                replaced = Replaced::from(&*followed.created);
                followed.bundle(host).await?
            }
            (id, Some(text), None) => resolved(host, id.as_ref(), &text).await?,
            (Some(id), None, None) => {
                let text = host.workflow(&id).await?.text;
                resolved(host, Some(&id), &text).await?
            }
            _ => return Err(ServiceError::invalid_request("give one of `id`, `text` and `runId`")),
        };
        let mut graph = WorkflowGraph::of(&bundle, replaced, self.nodes);
        graph.drawing = self.format.map(|format| match format {
            GraphFormat::Mermaid => draw::mermaid(&graph),
            GraphFormat::Dot => draw::dot(&graph),
            GraphFormat::Svg => svg::svg(&graph),
        });
        Ok(graph)
    }
}

/// The definition in a text, with all that it refers to.
async fn resolved(host: &Host, id: Option<&WorkflowId>, text: &str) -> Result<Arc<Bundle>, ServiceError> {
    Ok(CheckedText::of(host, text, id, &ProviderMap::default()).await?.plan()?.bundle().clone())
}
