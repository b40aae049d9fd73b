//! The record of a request.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, Method, Uri};
use serde::Serialize;
use serde_json::Value;

/// A request as it arrived, except for its keys.
#[derive(Debug, Clone, Serialize)]
pub struct Recorded {
    /// GET, POST, …
    pub method: String,
    /// The path, with the query except for keys in it.
    pub path: String,
    /// The headers by lower-case name; one that may contain a key is `<set>`.
    pub headers: BTreeMap<String, String>,
    /// The body; null if there is none, a string if it is not JSON.
    pub body: Value,
}

/// Names of headers that may contain a key contain one of these.
const SECRET: &[&str] = &["authorization", "api-key", "api_key", "apikey", "token", "cookie", "goog-api"];

/// Replaces a key.
const SET: &str = "<set>";

impl Recorded {
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, body: Value) -> Self {
        let kept = |name: &str, value: &[u8]| {
            let secret = SECRET.iter().any(|part| name.contains(part));
            let value = if secret { SET.into() } else { String::from_utf8_lossy(value) };
            (name.to_owned(), value.into_owned())
        };
        Self {
            method: method.to_string(),
            path: without_keys(uri),
            headers: headers.iter().map(|(name, value)| kept(name.as_str(), value.as_bytes())).collect(),
            body,
        }
    }

    /// Whether the request had a key, in a header or in the query.
    pub fn has_key(&self) -> bool {
        self.headers.values().any(|value| value == SET) || self.path.contains(SET)
    }

    /// Whether it asks a model for an answer.
    pub fn asks_a_model(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        let ends =
            ["/messages", "/responses", "/chat/completions", ":generateContent", ":streamGenerateContent"];
        self.method == "POST" && ends.iter().any(|end| path.ends_with(end))
    }

    /// Whether a string of the body contains this text.
    pub fn mentions(&self, text: &str) -> bool {
        mentions(&self.body, text)
    }
}

fn mentions(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(values) => values.iter().any(|value| mentions(value, text)),
        Value::Object(members) => members.values().any(|value| mentions(value, text)),
        _ => false,
    }
}

fn without_keys(uri: &Uri) -> String {
    let Some(query) = uri.query() else { return uri.path().to_owned() };
    let parameter = |parameter: &str| match parameter.split_once('=') {
        Some((name @ ("key" | "api_key" | "token"), _)) => format!("{name}={SET}"),
        _ => parameter.to_owned(),
    };
    format!("{}?{}", uri.path(), query.split('&').map(parameter).collect::<Vec<_>>().join("&"))
}
