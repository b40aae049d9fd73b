//! Answers: JSON, or a stream of server-sent events that may break off.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use serde_json::Value;

use super::turn::Fault;

/// How long a connection is held open without data, if its client does not close it.
pub(super) const LONGEST_HOLD: Duration = Duration::from_secs(300);

/// How long data before a cut has to be sent.
const BEFORE_A_CUT: Duration = Duration::from_millis(20);

/// An answer.
#[derive(Debug)]
pub(super) enum Answer {
    /// JSON in one piece.
    Json(StatusCode, Value),
    /// A stream of events.
    Events(Script),
}

/// The events, and how the stream ends.
#[derive(Debug, Default)]
pub(super) struct Script {
    events: Vec<String>,
    end: End,
}

#[derive(Debug, Default, Clone, Copy)]
enum End {
    #[default]
    Proper,
    Cut,
    Hold,
}

impl Script {
    /// An event without a name.
    pub(super) fn data(&mut self, data: &Value) {
        self.raw(format!("data: {data}\n\n"));
    }

    /// An event with a name.
    pub(super) fn event(&mut self, name: &str, data: &Value) {
        self.raw(format!("event: {name}\ndata: {data}\n\n"));
    }

    /// Raw data.
    pub(super) fn raw(&mut self, text: String) {
        self.events.push(text);
    }

    /// Ends with a fault; the API has sent its own error before.
    pub(super) fn fail(mut self, fault: Fault) -> Self {
        self.end = match fault {
            Fault::Error => End::Proper,
            Fault::Cut => End::Cut,
            Fault::Hang => End::Hold,
        };
        self
    }

    fn into_body(self) -> Body {
        let Self { events, end } = self;
        let steps = events.into_iter().map(Some).chain([None]);
        Body::from_stream(stream::unfold(steps, move |mut steps| async move {
            let step: Result<Bytes, io::Error> = match (steps.next()?, end) {
                (Some(event), _) => Ok(event.into()),
                (None, End::Proper) => return None,
                // An error of the body closes the connection early.
                (None, End::Cut) => {
                    tokio::time::sleep(BEFORE_A_CUT).await;
                    Err(io::ErrorKind::ConnectionAborted.into())
                }
                (None, End::Hold) => {
                    tokio::time::sleep(LONGEST_HOLD).await;
                    Err(io::ErrorKind::TimedOut.into())
                }
            };
            Some((step, steps))
        }))
    }
}

impl Answer {
    /// The answer as a response.
    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Json(status, body) => {
                (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
            }
            Self::Events(script) => {
                let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-cache")];
                (headers, script.into_body()).into_response()
            }
        }
    }
}
