//! The server for scrapers and orchestrators.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use workflow_core::store::{RunFilter, StoreError};
use workflow_exec::Engine;

use super::meter::Metrics;

/// How long the store may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The type of the text, as `OpenMetrics` names it.
const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves `/metrics`, `/healthz` and `/readyz` on `listener` until `stop` completes. Needs a tokio runtime with time and
/// I/O.
///
/// There is no token: bind it to an address that only the operator's machines reach. The figures contain the names of
/// providers, and nothing else of what runs do.
///
/// # Errors
///
/// Those of the listener.
pub async fn serve(
    metrics: Metrics,
    engine: Engine,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(read))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state((metrics, engine));
    axum::serve(listener, router).with_graceful_shutdown(stop).await
}

async fn read(State((metrics, engine)): State<(Metrics, Engine)>) -> Response {
    let text = match tokio::time::timeout(PATIENCE, metrics.read(&engine)).await {
        Ok(text) => text,
        // An outage of the store is when the figures of the processes are needed.
        Err(_) => metrics.without_store(&engine),
    };
    ([(header::CONTENT_TYPE, TYPE)], text).into_response()
}

async fn ready(State((_, engine)): State<(Metrics, Engine)>) -> Response {
    if engine.is_shut_down() {
        return unavailable("the engine is shutting down");
    }
    let newest = RunFilter::all().limit(1);
    match in_time(engine.store().list(&newest)).await {
        Ok(_) => "ready\n".into_response(),
        Err(reason) => unavailable(&reason),
    }
}

async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(answer) => answer.map_err(|error| error.to_string()),
        Err(_) => Err(format!("the store did not answer within {} s", PATIENCE.as_secs())),
    }
}

fn unavailable(reason: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response()
}
