//! HTTP: selects the API and the answer of a path.

use std::collections::BTreeSet;
use std::io;
use std::net::TcpListener;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::header::{HeaderValue, RETRY_AFTER};
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures::future::{Either, select};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::record::Recorded;
use super::scenario::Scenario;
use super::stream::{Answer, LONGEST_HOLD};
use super::turn::Turn;
use super::{anthropic, chat, failure, gemini, responses};

/// The largest request that is read; command lines send prompts of megabytes.
const LARGEST: usize = 64 << 20;

/// An API of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// Anthropic's messages.
    Anthropic,
    /// `OpenAI`'s responses.
    Responses,
    /// `OpenAI`'s chat completions.
    Chat,
    /// Gemini's `generateContent`.
    Gemini,
}

/// State that all requests share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    requests: Mutex<Vec<Recorded>>,
    failed_once: Mutex<BTreeSet<String>>,
    answers: AtomicU64,
}

impl Shared {
    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn record(&self, request: Recorded) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    fn is_first(&self, path: &str) -> bool {
        self.failed_once.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned())
    }
}

/// Serves until it is told to stop, or the sender of that signal is dropped.
pub(super) async fn serve(
    listener: TcpListener,
    shared: Arc<Shared>,
    stopped: oneshot::Receiver<()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = Router::new().fallback(answer).with_state(shared);
    let serving = pin!(async { axum::serve(listener, router).await });
    match select(serving, stopped).await {
        Either::Left((served, _)) => served,
        Either::Right(_) => Ok(()),
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let body = match serde_json::from_slice(&bytes) {
        Ok(body) => body,
        Err(_) if bytes.is_empty() => Value::Null,
        Err(_) => String::from_utf8_lossy(&bytes).into_owned().into(),
    };
    shared.record(Recorded::of(&parts.method, &parts.uri, &parts.headers, body.clone()));

    let path = parts.uri.path();
    let Some((scenario, rest)) =
        path.strip_prefix("/s/").map(|path| path.split_once('/').unwrap_or((path, "")))
    else {
        return not_found("the path must begin with /s/SCENARIO");
    };
    let scenario = match scenario.parse() {
        Ok(scenario) => scenario,
        Err(error) => return not_found(&format!("{error}")),
    };
    match parts.method {
        Method::HEAD => StatusCode::OK.into_response(),
        Method::GET if rest.ends_with("models") => models(scenario),
        Method::POST => match Api::of(rest) {
            Some(api) => ask(&shared, api, scenario, path, &body).await,
            None if rest.ends_with("/count_tokens") => json(&json!({ "input_tokens": 10 })),
            None if rest.ends_with(":countTokens") => json(&json!({ "totalTokens": 10 })),
            None => not_found(path),
        },
        _ => not_found(path),
    }
}

impl Api {
    fn of(path: &str) -> Option<Self> {
        let ends = [
            ("messages", Self::Anthropic),
            ("responses", Self::Responses),
            ("chat/completions", Self::Chat),
            (":generateContent", Self::Gemini),
            (":streamGenerateContent", Self::Gemini),
        ];
        ends.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, api)| api)
    }

    /// The answer of a scenario's model, in the format of the API.
    fn answer(self, scenario: Scenario, path: &str, body: &Value, number: u64) -> Answer {
        let asked = match self {
            Self::Anthropic => anthropic::read(body),
            Self::Responses => responses::read(body),
            Self::Chat => chat::read(body),
            Self::Gemini => gemini::read(path, body),
        };
        let turn = Turn::of(scenario, &asked);
        match self {
            Self::Anthropic => anthropic::say(&asked, &turn, number),
            Self::Responses => responses::say(&asked, &turn, number),
            Self::Chat => chat::say(&asked, &turn, number),
            Self::Gemini => gemini::say(&asked, &turn),
        }
    }
}

async fn ask(shared: &Shared, api: Api, scenario: Scenario, path: &str, body: &Value) -> Response {
    match scenario {
        Scenario::Status(status) => return status_of(api, status),
        Scenario::Once500 if shared.is_first(path) => return status_of(api, 500),
        Scenario::Stall => {
            tokio::time::sleep(LONGEST_HOLD).await;
            return StatusCode::GATEWAY_TIMEOUT.into_response();
        }
        _ => {}
    }
    let number = shared.answers.fetch_add(1, Ordering::Relaxed);
    api.answer(scenario, path, body, number).into_response()
}

fn status_of(api: Api, status: u16) -> Response {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = Answer::Json(code, failure::body(api, status)).into_response();
    if status == 429 {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The list of models, with one entry.
fn models(scenario: Scenario) -> Response {
    if scenario == Scenario::Status(401) {
        return status_of(Api::Chat, 401);
    }
    let model = json!({ "id": "fake-model", "object": "model", "created": 1, "owned_by": "fake" });
    json(&json!({ "object": "list", "models": [], "data": [model] }))
}

fn json(body: &Value) -> Response {
    Answer::Json(StatusCode::OK, body.clone()).into_response()
}

fn not_found(what: &str) -> Response {
    let error = json!({ "error": { "message": format!("not found (fake): {what}"), "code": 404 } });
    Answer::Json(StatusCode::NOT_FOUND, error).into_response()
}
