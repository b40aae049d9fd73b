//! The binding for agents: a server of the [Model Context Protocol](https://modelcontextprotocol.io) over two streams,
//! such as standard input and output.
//!
//! | tool | operation |
//! |---|---|
//! | `list_workflows` | `workflow:list` |
//! | `describe_workflow` | `workflow:get`, `workflow:inputs` |
//! | `run_workflow` | `workflow:run` |
//! | `run_status` | `workflow:runs:get` |
//! | `run_logs` | `workflow:runs:logs` |
//! | `answer_run` | `workflow:runs:answer` |
//! | `cancel_run` | `workflow:runs:cancel` |
//!
//! The arguments of a tool are the members of the operation's request, and its result is the operation's response. The
//! [policy](crate::Policy) of the service decides about tools and resources as it does about operations. What it
//! refuses, and what fails, is a result with `isError` whose content is the error with its code and details, so that
//! the agent can read it.
//!
//! `run_workflow` and `run_status` take `waitSeconds` besides: they return when the run has ended, when it waits for a
//! person, or after that time. Meanwhile a client that sent a progress token is notified of events.
//!
//! The report of a run is the resource `workflow://runs/ID/report`, in Markdown, and the run itself `workflow://runs/ID`.
//!
//! The version of the protocol is negotiated when the client connects: the server answers in the version of the protocol
//! that the client names if `rmcp` supports it, and otherwise names the newest version that it supports itself.

mod follow;
mod input;
mod resources;
mod server;
mod tools;

use std::io;

use rmcp::service::ServerInitializeError;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use self::input::Input;
use self::server::Server;
use crate::caller::Caller;
use crate::service::Service;

/// Serves one client until its input ends or `stop` completes. Tools that wait for a run return then; other requests
/// that are under way are answered first, for a few seconds at most. Runs that were started continue.
///
/// It has to be polled by a tokio runtime. Dropping the future cancels the requests that are under way; what they have
/// changed stays.
///
/// ```
/// # async fn serve(service: workflow_service::Service, client: tokio::net::TcpStream) -> std::io::Result<()> {
/// use workflow_service::{Caller, mcp};
///
/// let (input, output) = client.into_split();
/// mcp::serve(service, Caller::new("agent", "mcp"), input, output, std::future::pending()).await
/// # }
/// ```
///
/// # Errors
///
/// Those of the output, and a client whose first message is not one of the protocol.
pub async fn serve(
    service: Service,
    caller: Caller,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
    stop: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (closing, closed) = watch::channel(false);
    let server = Server::new(service, caller, closed);
    let input = Input::new(input, closing.clone());
    let mut stop = std::pin::pin!(stop);
    let running = tokio::select! {
        running = rmcp::serve_server(server, (input, output)) => running,
        () = &mut stop => return Ok(()),
    };
    let running = match running {
        Ok(running) => running,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(io::Error::other(error)),
    };
    let cancel = running.cancellation_token();
    let mut waiting = std::pin::pin!(running.waiting());
    let quit = tokio::select! {
        quit = &mut waiting => quit,
        () = stop => {
            closing.send_replace(true);
            cancel.cancel();
            waiting.await
        }
    };
    quit.map(drop).map_err(io::Error::other)
}
