//! `graph`: the stages of a workflow, drawn.

use workflow_service::workflows::GraphWorkflow;

use crate::args::GraphArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::home::Home;
use crate::host::Host;
use crate::print;
use crate::source::Source;
use crate::store_url::Place;

/// Draws a workflow, or the definition that a run follows.
pub(crate) async fn graph(
    home: &Home,
    place: impl FnOnce() -> Result<Place, Error>,
    json: bool,
    args: &GraphArgs,
) -> Result<Exit, Error> {
    let mut request = GraphWorkflow { nodes: args.nodes, ..GraphWorkflow::default() };
    request.format = Some(args.format.into());
    let (host, name) = match (&args.run, &args.workflow) {
        (Some(run), _) => {
            let (host, run) = Host::of_run(&place()?, run).await?;
            request.run_id = Some(run);
            (host, String::new())
        }
        (None, workflow) => {
            let host = Host::for_definitions(home)?;
            let source = Source::read(&host, workflow.as_deref().unwrap_or_default()).await?.into_text()?;
            (request.id, request.text) = (source.id, Some(source.text));
            (host, source.name)
        }
    };
    let graph = match host.ask(request).await {
        Err(Error::Service(error)) if !error.problems().is_empty() && !json => {
            error.problems().iter().for_each(|problem| print::to_stderr(&problem.in_line(&name)));
            return Err(Error::Invalid(name));
        }
        graph => graph?,
    };
    if json {
        print::json(&graph)?;
    } else {
        print::document(&graph.drawing.unwrap_or_default())?;
    }
    Ok(Exit::DONE)
}
