//! The stream of server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures::future;
use futures::stream::{self, StreamExt as _};
use serde::Deserialize;
use workflow_core::ids::RunId;

use super::server::{Server, failed};
use crate::caller::Caller;
use crate::code::Code;
use crate::error::ServiceError;
use crate::message::Batch;
use crate::stream::Subscribe;

#[derive(Deserialize)]
pub(super) struct Parameters {
    subscribe: Option<String>,
}

/// What a client has of each run that it follows: the last event and the last output entry.
#[derive(Default, Clone)]
struct Positions(BTreeMap<RunId, (u64, u64)>);

impl Positions {
    /// As the id of an event: `r1:12:40,r2:3:0`.
    fn id(&self) -> String {
        let runs: Vec<_> =
            self.0.iter().map(|(run, (event, output))| format!("{run}:{event}:{output}")).collect();
        runs.join(",")
    }

    fn read(id: &str) -> Option<Self> {
        let mut positions = Self::default();
        for run in id.split(',').filter(|run| !run.is_empty()) {
            let mut parts = run.rsplitn(3, ':');
            let (output, event) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            positions.0.insert(parts.next()?.parse().ok()?, (event, output));
        }
        Some(positions)
    }

    fn take(&mut self, batch: &Batch) {
        for message in &batch.messages {
            if let Some((event, output)) = self.0.get_mut(message.run()) {
                if message.is_event() {
                    *event = message.number();
                } else if message.is_output() {
                    *output = message.number();
                }
            }
        }
    }
}

pub(super) async fn stream(
    State(server): State<Arc<Server>>,
    Query(parameters): Query<Parameters>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
) -> Response {
    match open(server, parameters, &caller, &headers).await {
        Ok(response) => response,
        Err(error) => failed(&error),
    }
}

async fn open(
    server: Arc<Server>,
    parameters: Parameters,
    caller: &Caller,
    headers: &HeaderMap,
) -> Result<Response, ServiceError> {
    let wanted = parameters.subscribe.unwrap_or_else(|| r#"{"heads":true}"#.to_owned());
    let mut wanted: Subscribe = serde_json::from_str(&wanted)
        .map_err(|error| ServiceError::invalid_request(format!("the parameter `subscribe`: {error}")))?;
    if let Some(last) = headers.get("last-event-id") {
        let positions = last.to_str().ok().and_then(Positions::read).ok_or_else(|| {
            ServiceError::invalid_request("the `Last-Event-ID` is not one that this server has sent")
        })?;
        for run in &mut wanted.runs {
            if let Some((event, output)) = positions.0.get(&run.run_id) {
                run.after = run.after.max(*event);
                run.after_output = run.after_output.map(|after| after.max(*output));
            }
        }
    }
    let Ok(permit) = server.streams.clone().try_acquire_owned() else {
        return Err(ServiceError::new(Code::TooManyRequests, "too many streams: close some of them"));
    };
    let runs = wanted.runs.iter();
    let mut positions = Positions(
        runs.map(|run| (run.run_id.clone(), (run.after, run.after_output.unwrap_or_default()))).collect(),
    );
    let batches = server.service.subscribe(caller, wanted).await?;
    let mut stopping = server.stopping.clone();
    // The server stops, or has gone.
    let stopped = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
    let events = batches
        .map(move |batch| {
            let _permit = &permit;
            positions.take(&batch);
            Event::default().id(positions.id()).event("messages").data(batch.to_json())
        })
        // A client that sees the end of the stream does not connect again.
        .chain(stream::once(future::ready(Event::default().event("end").data("{}"))))
        .take_until(stopped)
        .map(Ok::<_, Infallible>);
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_read_back_from_the_id_of_an_event() {
        for id in ["", "r1:12:40", "r1:12:40,run_2:0:1"] {
            assert_eq!(Positions::read(id).unwrap().id(), id);
        }
        for id in ["r1", "r1:x:1", "r1:1", ":1:1", "a b:1:1"] {
            assert!(Positions::read(id).is_none(), "{id}");
        }
    }
}
