//! The binding to a child process: JSON lines over its standard input and output.
//!
//! The client writes a request per line, and reads a response per request and the messages of its subscriptions, in
//! any order:
//!
//! ```text
//! → {"id":1,"operation":"service:hello","request":{"protocol":1}}
//! ← {"id":1,"success":true,"data":{"protocol":1,"version":"0.1.0","scopes":["read","run"]}}
//! → {"id":2,"operation":"workflow:runs:subscribe","request":{"runs":[{"runId":"r1"}]}}
//! ← {"id":2,"success":true,"data":{"subscription":2}}
//! ← {"subscription":2,"messages":[{"type":"workflow-run:event","runId":"r1","seq":1,"event":{…}}]}
//! ← {"subscription":2,"ended":true}
//! → {"id":3,"operation":"workflow:runs:unsubscribe","request":{"subscription":2}}
//! → {"cancel":1}
//! ```
//!
//! A request that is cancelled before it is answered is answered with the code `cancelled`; what it has changed stays.
//! When the input ends, subscriptions end, requests that are under way are answered, and then the binding ends.

use std::collections::BTreeMap;
use std::pin::Pin;

use futures::future::{AbortHandle, Abortable, BoxFuture, Either, FutureExt as _, select};
use futures::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use futures::stream::{BoxStream, FuturesUnordered, SelectAll, StreamExt as _, once};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::caller::Caller;
use crate::code::Code;
use crate::envelope::Envelope;
use crate::error::ServiceError;
use crate::message::Batch;
use crate::service::Service;
use crate::stream::Subscribe;

/// How long a line may be, in bytes.
const LONGEST: usize = 8 << 20;
/// How many requests of a client are carried out at once.
const MOST: usize = 64;
/// How many subscriptions a client has at most.
const MOST_SUBSCRIPTIONS: usize = 64;

/// A line is longer than allowed.
struct TooLong;

/// A line as it was read; `None` at the end of the input.
type Read = std::io::Result<Option<Result<Vec<u8>, TooLong>>>;

/// A line of the client.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(default)]
    id: Option<u64>,
    #[serde(default)]
    operation: Option<String>,
    #[serde(default)]
    request: Option<Box<RawValue>>,
    #[serde(default)]
    cancel: Option<u64>,
}

/// A response, or a part of a subscription.
#[derive(Serialize)]
struct Response<'a> {
    id: Option<u64>,
    #[serde(flatten)]
    envelope: &'a Envelope,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Unsubscribe {
    subscription: u64,
}

/// What is ready to be handled.
enum News {
    Line(Read),
    Answer(u64, Envelope),
    Batch(u64, Option<Batch>),
}

/// Serves one client until its input ends and its requests are answered.
///
/// Dropping the future cancels the requests that are under way; what they have changed stays.
///
/// # Errors
///
/// Those of the input and the output.
pub async fn serve(
    service: &Service,
    caller: &Caller,
    input: impl AsyncBufRead + Unpin + Send,
    mut output: impl AsyncWrite + Unpin + Send,
) -> std::io::Result<()> {
    let mut lines: Lines<'_> = Box::pin(futures::stream::unfold(input, |mut input| async move {
        let line = read_line(&mut input).await;
        Some((line, input))
    }));
    let mut session = Session {
        service,
        caller,
        requests: FuturesUnordered::new(),
        running: BTreeMap::new(),
        batches: SelectAll::new(),
        subscriptions: BTreeMap::new(),
    };
    loop {
        let written = match session.next(&mut lines).await {
            News::Line(line) => match line? {
                None => break,
                Some(Ok(line)) => session.line(&line).await,
                Some(Err(TooLong)) => {
                    let message = format!("a line has at most {LONGEST} bytes");
                    Some(failed(None, ServiceError::new(Code::TooLarge, message)))
                }
            },
            News::Answer(id, envelope) => {
                session.running.remove(&id);
                Some(response(Some(id), &envelope))
            }
            News::Batch(id, Some(batch)) => session
                .subscriptions
                .contains_key(&id)
                .then(|| format!("{{\"subscription\":{id},\"messages\":{}}}", batch.to_json())),
            News::Batch(id, None) => {
                session.subscriptions.remove(&id).map(|_| format!("{{\"subscription\":{id},\"ended\":true}}"))
            }
        };
        if let Some(mut line) = written {
            line.push('\n');
            output.write_all(line.as_bytes()).await?;
            output.flush().await?;
        }
    }
    session.batches.clear();
    while let Some((id, envelope)) = session.requests.next().await {
        output.write_all((response(Some(id), &envelope) + "\n").as_bytes()).await?;
    }
    output.flush().await
}

/// The requests and subscriptions of a client.
struct Session<'a> {
    service: &'a Service,
    caller: &'a Caller,
    requests: FuturesUnordered<BoxFuture<'a, (u64, Envelope)>>,
    /// The requests that are under way.
    running: BTreeMap<u64, AbortHandle>,
    batches: SelectAll<BoxStream<'static, (u64, Option<Batch>)>>,
    subscriptions: BTreeMap<u64, AbortHandle>,
}

type Lines<'a> = Pin<Box<dyn futures::Stream<Item = Read> + Send + 'a>>;

impl Session<'_> {
    /// Waits for what comes first. A client that sends many requests is read again when some are answered.
    async fn next(&mut self, lines: &mut Lines<'_>) -> News {
        let is_full = self.running.len() >= MOST;
        let line = async {
            if is_full {
                futures::future::pending::<()>().await;
            }
            lines.next().await.unwrap_or(Ok(None))
        };
        let answer = async {
            match self.requests.next().await {
                Some(answer) => answer,
                None => futures::future::pending().await,
            }
        };
        let batch = async {
            match self.batches.next().await {
                Some(batch) => batch,
                None => futures::future::pending().await,
            }
        };
        match select(answer.boxed(), select(line.boxed(), batch.boxed())).await {
            Either::Left(((id, envelope), _)) => News::Answer(id, envelope),
            Either::Right((Either::Left((line, _)), _)) => News::Line(line),
            Either::Right((Either::Right(((id, batch), _)), _)) => News::Batch(id, batch),
        }
    }

    /// Handles a line; returns what is answered at once.
    async fn line(&mut self, line: &[u8]) -> Option<String> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let line: Line = match serde_json::from_slice(line) {
            Ok(line) => line,
            Err(error) => {
                let message =
                    format!("a line is a JSON object with `id`, `operation` and `request`: {error}");
                return Some(failed(None, ServiceError::invalid_request(message)));
            }
        };
        if let Some(id) = line.cancel {
            // A request that was answered meanwhile is not cancelled.
            if let Some(running) = self.running.get(&id) {
                running.abort();
            }
            return None;
        }
        let (Some(id), Some(operation)) = (line.id, line.operation) else {
            let message = "the line names no request `id` or no `operation`";
            return Some(failed(line.id, ServiceError::invalid_request(message)));
        };
        if self.running.contains_key(&id) || self.subscriptions.contains_key(&id) {
            let message = format!("request {id} is under way: give each request an id of its own");
            return Some(failed(Some(id), ServiceError::invalid_request(message)));
        }
        let request = line.request.map_or_else(String::new, |request| request.get().to_owned());
        match operation.as_str() {
            "workflow:runs:subscribe" => Some(self.subscribe(id, &request).await),
            "workflow:runs:unsubscribe" => Some(self.unsubscribe(id, &request)),
            _ => {
                let (service, caller) = (self.service, self.caller);
                let (abort, registration) = AbortHandle::new_pair();
                let call = async move { service.call(&operation, &request, caller).await };
                let answer = async move {
                    let cancelled = || ServiceError::new(Code::Cancelled, "the client cancelled the request");
                    let answer = Abortable::new(call, registration).await;
                    (id, answer.unwrap_or_else(|_| Envelope::from(Err(cancelled()))))
                };
                self.running.insert(id, abort);
                self.requests.push(answer.boxed());
                None
            }
        }
    }

    async fn subscribe(&mut self, id: u64, request: &str) -> String {
        if self.subscriptions.len() >= MOST_SUBSCRIPTIONS {
            let message =
                format!("a client has {MOST_SUBSCRIPTIONS} subscriptions at most: end some of them");
            return failed(Some(id), ServiceError::new(Code::TooManyRequests, message));
        }
        let request = match serde_json::from_str::<Subscribe>(request) {
            Ok(request) => request,
            Err(error) => {
                let message = format!("the request of workflow:runs:subscribe: {error}");
                return failed(Some(id), ServiceError::invalid_request(message));
            }
        };
        match self.service.subscribe(self.caller, request).await {
            Err(error) => failed(Some(id), error),
            Ok(stream) => {
                let (abort, registration) = AbortHandle::new_pair();
                let batches = stream.map(move |batch| (id, Some(batch)));
                let whole = batches.chain(once(async move { (id, None) }));
                self.batches.push(Abortable::new(whole, registration).boxed());
                self.subscriptions.insert(id, abort);
                format!("{{\"id\":{id},\"success\":true,\"data\":{{\"subscription\":{id}}}}}")
            }
        }
    }

    fn unsubscribe(&mut self, id: u64, request: &str) -> String {
        match serde_json::from_str::<Unsubscribe>(request) {
            Ok(Unsubscribe { subscription }) => {
                let Some(stream) = self.subscriptions.remove(&subscription) else {
                    let message =
                        format!("there is no subscription {subscription}: it has ended, or never began");
                    return failed(Some(id), ServiceError::not_found(message));
                };
                stream.abort();
                format!("{{\"id\":{id},\"success\":true,\"data\":null}}")
            }
            Err(error) => {
                let message = format!("the request of workflow:runs:unsubscribe: {error}");
                failed(Some(id), ServiceError::invalid_request(message))
            }
        }
    }
}

fn failed(id: Option<u64>, error: ServiceError) -> String {
    response(id, &Err(error).into())
}

fn response(id: Option<u64>, envelope: &Envelope) -> String {
    // Both parts are JSON already, or have only texts as keys.
    serde_json::to_string(&Response { id, envelope }).unwrap_or_default()
}

/// The next line without its end, `TooLong` in place of one that is longer than allowed; `None` at the end.
async fn read_line(
    input: &mut (impl AsyncBufRead + Unpin),
) -> std::io::Result<Option<Result<Vec<u8>, TooLong>>> {
    let (mut line, mut is_too_long, mut is_empty) = (Vec::new(), false, true);
    loop {
        let available = input.fill_buf().await?;
        if available.is_empty() {
            let line = if is_too_long { Err(TooLong) } else { Ok(line) };
            return Ok((!is_empty).then_some(line));
        }
        is_empty = false;
        let end = available.iter().position(|byte| *byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        is_too_long |= line.len() + part.len() > LONGEST;
        if !is_too_long {
            line.extend_from_slice(part);
        }
        let read = part.len() + usize::from(end.is_some());
        input.consume_unpin(read);
        if end.is_some() {
            return Ok(Some(if is_too_long { Err(TooLong) } else { Ok(line) }));
        }
    }
}
