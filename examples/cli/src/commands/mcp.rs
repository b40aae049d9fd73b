//! `mcp`: tools for agents that speak the Model Context Protocol.

use futures::channel::oneshot;
use futures::future::FutureExt as _;
use tokio::io::{stdin, stdout};
use workflow_service::{Caller, Scope, mcp};

use super::serve::Server;
use crate::args::McpArgs;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{Beside, user};
use crate::store_url::Place;

/// Serves the agent that started this program, until standard input ends or a signal arrives.
pub(crate) async fn mcp(place: &Place, args: &McpArgs) -> Result<Exit, Error> {
    let server = Server::start(place, args.no_worker, &Beside::default(), None).await?;
    let service = server.service.clone();
    let scopes: &[Scope] = if args.read_only { &[Scope::Read] } else { &[Scope::Read, Scope::Run] };
    let caller = Caller::new(user(), "mcp").scopes(scopes.iter().copied());
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = mcp::serve(service, caller, stdin(), stdout(), stopped.map(drop));
    let serving = server.runtime.spawn(serving);
    let served = async move {
        let served = serving.await.map_err(|error| Error::System(error.into()))?;
        served.map_err(Error::Output)
    };
    server.until_stopped(served.boxed(), stop).await
}
