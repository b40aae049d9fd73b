//! Every operation, and the events of a run, in a router of the host's own and behind a policy. It listens on a loopback
//! address, for a proxy that has found out who calls and sends the name of their team as `X-Team`.
#![allow(clippy::print_stdout, reason = "the address is for who started it")]

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use axum::response::{IntoResponse, Response, Result, Sse, sse};
use axum::{Router, routing, serve::ListenerExt as _};
use futures::StreamExt as _;
use workflow::service::{Caller, Envelope, FollowRun, OperationMeta, Policy, Scope};
use workflow::service::{Service, ServiceError, Subscribe, Target};
use workflow::{Engine, Tokio, async_trait, providers::DemoProvider, stores::FsCatalog};

/// Every team may read, and `ops` may do everything.
struct Teams;

#[async_trait]
impl Policy for Teams {
    async fn allow(&self, who: &Caller, what: &OperationMeta, _: Target<'_>) -> Result<(), ServiceError> {
        let may = who.id == "ops" || (what.scope == Scope::Read && who.id != "anonymous");
        let refused = || ServiceError::forbidden(format!("{} may not {}: ask ops", who.id, what.scope));
        if may { Ok(()) } else { Err(refused()) }
    }
}

fn caller(headers: &HeaderMap) -> Caller {
    Caller::new(headers.get("x-team").and_then(|team| team.to_str().ok()).unwrap_or("anonymous"), "http")
}

fn answer(envelope: &Envelope) -> Response {
    let status = envelope.error.as_ref().map_or(200, |error| error.code.http_status());
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, "application/json")], envelope.to_json()).into_response()
}

type Host = State<Service>;

async fn call(host: Host, Path(name): Path<String>, headers: HeaderMap, body: String) -> Response {
    answer(&host.call(&name, &body, &caller(&headers)).await)
}

async fn events(host: Host, Path(run_id): Path<FollowRun>, headers: HeaderMap) -> Result<Response> {
    let request = Subscribe { runs: vec![run_id], heads: false };
    let batches = host.subscribe(&caller(&headers), request).await.map_err(|e| answer(&Err(e).into()))?;
    let events = batches.map(|batch| Ok::<_, axum::Error>(sse::Event::default().data(batch.to_json())));
    Ok(Sse::new(events).into_response())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let catalog = FsCatalog::open(std::env::args().nth(1).ok_or("name the folder of the workflows")?)?;
    let engine = Engine::builder().catalog(catalog).provider("demo", DemoProvider::new());
    let service = Service::builder(engine.timer(Tokio).spawner(Tokio).build()?).policy(Teams).build();
    let operations = Router::new().route("/api/{operation}", routing::post(call));
    let router = operations.route("/runs/{runId}/events", routing::get(events)).with_state(service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}
