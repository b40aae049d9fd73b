//! The binding to HTTP: `POST /api/v1/{operation}` and one stream of server-sent events.
//!
//! | | |
//! |---|---|
//! | `POST /api/v1/workflow:list` | an operation: its request as JSON in the body, the envelope as the response |
//! | `GET /api/v1/stream?subscribe={…}` | the stream: the [`Subscribe`](crate::Subscribe) request as JSON in the query. Each event has a batch of messages, and an id; a client that reconnects sends the last one as `Last-Event-ID` |
//! | `GET /api/v1/openapi.json` | this interface as OpenAPI 3.1 |
//! | `GET /api/v1/health` | 200 while the service accepts requests; needs no token |
//!
//! A request that is refused with 429 was not carried out; `Retry-After` says in how many seconds to send it again.
//!
//! Every other request needs `Authorization: Bearer TOKEN`. Requests with a `Host` that the server does not have, or with
//! an `Origin` that is not allowed, are refused: a page of another site can reach a loopback address through its
//! visitor's browser.
//!
//! With a [`Site`], the server also serves a web page at all paths outside of `/api/`, to its own name and without a token.

mod auth;
mod listen;
mod openapi;
mod rate;
mod server;
mod site;
mod stream;

pub use auth::{Tokens, WeakToken};
pub use listen::{Options, serve};
pub use openapi::openapi;
pub use site::Site;

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};

use crate::caller::Caller;
use crate::code::Code;
use crate::error::ServiceError;
use crate::http::auth::Guard;
use crate::http::server::{Server, answer, failed, json};

/// How large the body of a request may be, in bytes.
const LARGEST: usize = 8 << 20;

fn router(server: Arc<Server>) -> Router {
    Router::new()
        .route("/api/v1/stream", get(stream::stream))
        .route("/api/v1/openapi.json", get(|| async { json(StatusCode::OK, openapi().to_string()) }))
        .route("/api/v1/{operation}", post(operation))
        .layer(middleware::from_fn_with_state(server.clone(), check))
        .route("/api/v1/health", get(health))
        .fallback(page)
        .layer(middleware::from_fn_with_state(server.clone(), check_host))
        .with_state(server)
}

/// A file of the page, where there is a page.
async fn page(State(server): State<Arc<Server>>, request: Request) -> Response {
    let path = request.uri().path();
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_page = is_read && path != "/api" && !path.starts_with("/api/");
    let Some(site) = server.site.as_ref().filter(|_| is_page) else {
        return failed(&ServiceError::not_found("there is no such path: the interface is at /api/v1"));
    };
    match Guard::check_load(request.headers()) {
        Ok(()) => site
            .respond(path, request.headers())
            .unwrap_or_else(|| failed(&ServiceError::not_found("the page has no such file"))),
        Err(error) => failed(&error),
    }
}

async fn health(State(server): State<Arc<Server>>) -> Response {
    if *server.stopping.borrow() {
        return failed(&ServiceError::new(Code::ShuttingDown, "the service is shutting down"));
    }
    json(StatusCode::OK, r#"{"success":true,"data":null}"#.to_owned())
}

/// Refuses requests that reach the server under another name than its own.
async fn check_host(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let mut response = match server.guard.check_host(request.headers(), request.uri()) {
        Ok(()) => next.run(request).await,
        Err(error) => failed(&error),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Finds out who calls, and whether they call too often.
async fn check(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let origin = match server.guard.check_origin(request.headers()) {
        Ok(origin) => origin,
        Err(error) => return failed(&error),
    };
    if request.method() == Method::OPTIONS {
        return allow_origin(StatusCode::NO_CONTENT.into_response(), origin.as_ref());
    }
    let response = match server.guard.caller(request.headers()) {
        Err(error) => failed(&error),
        Ok(caller) if !server.rate.take(&caller.id) => failed(&ServiceError::new(
            Code::TooManyRequests,
            "too many requests in one second: send it again in a second",
        )),
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    allow_origin(response, origin.as_ref())
}

/// Lets a page of an allowed origin read the response.
fn allow_origin(mut response: Response, origin: Option<&HeaderValue>) -> Response {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        let allowed = HeaderValue::from_static("authorization, content-type, last-event-id");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
    response
}

async fn operation(
    State(server): State<Arc<Server>>,
    Path(operation): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // A form of another site can send other types without asking the browser first.
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_none_or(|value| value.split(';').next().is_some_and(|kind| kind.trim() == "application/json"));
    if !is_json {
        return failed(&ServiceError::invalid_request(
            "the body of a request is JSON: send `Content-Type: application/json`",
        ));
    }
    let Ok(_permit) = server.operations.try_acquire() else {
        return failed(&ServiceError::new(
            Code::TooManyRequests,
            "too many requests at once: send it again in a second",
        ));
    };
    let body = match read(body, server.patience).await {
        Ok(body) => body,
        Err(error) => return failed(&error),
    };
    answer(&server.service.call(&operation, &body, &caller).await)
}

/// The text of a body, within the limits of size and time.
async fn read(body: Body, patience: Duration) -> Result<String, ServiceError> {
    let bytes = match tokio::time::timeout(patience, to_bytes(body, LARGEST)).await {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(_)) => {
            let message = format!("the body could not be read, or has more than {LARGEST} bytes");
            return Err(ServiceError::new(Code::TooLarge, message));
        }
        Err(_) => {
            let message = format!("the body did not arrive within {} ms", patience.as_millis());
            return Err(ServiceError::invalid_request(message));
        }
    };
    String::from_utf8(bytes.into()).map_err(|_| ServiceError::invalid_request("the body is not UTF-8"))
}
