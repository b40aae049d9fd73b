//! What handlers share, and how they respond.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::sync::{Semaphore, watch};

use crate::code::Code;
use crate::envelope::Envelope;
use crate::error::ServiceError;
use crate::http::auth::Guard;
use crate::http::rate::Rate;
use crate::http::site::Site;
use crate::service::Service;

/// What handlers share.
pub(super) struct Server {
    pub service: Service,
    pub guard: Guard,
    pub rate: Rate,
    /// How many operations may be carried out at once.
    pub operations: Semaphore,
    /// How many streams there may be.
    pub streams: Arc<Semaphore>,
    /// How long a client may take to send a body.
    pub patience: Duration,
    /// The page that is served beside the interface.
    pub site: Option<Site>,
    /// Whether the server shuts down.
    pub stopping: watch::Receiver<bool>,
}

pub(super) fn answer(envelope: &Envelope) -> Response {
    let status = envelope.error.as_ref().map_or(200, |error| error.code.http_status());
    json(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), envelope.to_json())
}

pub(super) fn failed(error: &ServiceError) -> Response {
    let mut response = answer(&Err(error.clone()).into());
    if error.code == Code::Unauthenticated {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    // No client waits longer for a permit: there is at least one per second.
    if error.code == Code::TooManyRequests {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

pub(super) fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
