//! The request that options describe.

use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::provider::CallRequest;

use super::options::{HttpOptions, Verb};
use crate::client::{self, Outgoing, encoded};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key that services accept.
const LONGEST_KEY: usize = 255;

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    client::header(name, value).map_err(|problem| format!("`headers.{name}`: {problem}"))
}

impl HttpOptions {
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn outgoing(&self, request: &CallRequest) -> Result<Outgoing, String> {
        let uri = client::parse(&self.url).map_err(|problem| format!("`url`: {problem}"))?;
        let uri = client::with_query(&uri, &self.pairs())?;
        let (body, kind) = match &self.body {
            Some(Value::String(text)) => (Some(text.clone()), "text/plain; charset=utf-8"),
            Some(value) => (Some(Data::new(value).json().to_owned()), "application/json"),
            None if self.method.has_body() && !request.prompt.is_empty() => {
                (Some(request.prompt.clone()), "text/plain; charset=utf-8")
            }
            None => (None, ""),
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        }
        if !matches!(self.method, Verb::Get | Verb::Head | Verb::Options) {
            headers.insert(KEY, idempotency_key(request)?);
        }
        for (name, value) in &self.headers {
            let (name, value) = header(name, &value.0)?;
            headers.insert(name, value);
        }
        Ok(Outgoing { method: self.method.into(), uri, headers, body, redirects: self.redirects })
    }

    fn pairs(&self) -> Vec<(String, String)> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            // Numbers keep their exact notation.
            value => Data::new(value).json().to_owned(),
        };
        let items = |value: &Value| match value {
            Value::Null => Vec::new(),
            Value::Array(items) => items.iter().map(text).collect(),
            value => vec![text(value)],
        };
        let pairs = self
            .query
            .iter()
            .flat_map(|(name, value)| items(value).into_iter().map(move |value| (name.clone(), value)));
        pairs.collect()
    }
}

/// The key of the call, as a header can contain it.
fn idempotency_key(request: &CallRequest) -> Result<HeaderValue, String> {
    let key = request.id.idempotency_key();
    let is_plain = key.bytes().all(|byte| byte.is_ascii_graphic());
    let key = if is_plain { key } else { encoded(&key) };
    if key.len() > LONGEST_KEY {
        return Err("the ids of the run and of the node are too long for a header: write a header \
                    `Idempotency-Key` under `headers`"
            .to_owned());
    }
    key.parse().map_err(|_| "the id of the call fits in no header".to_owned())
}

impl Verb {
    fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

impl From<Verb> for Method {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Get => Self::GET,
            Verb::Head => Self::HEAD,
            Verb::Post => Self::POST,
            Verb::Put => Self::PUT,
            Verb::Patch => Self::PATCH,
            Verb::Delete => Self::DELETE,
            Verb::Options => Self::OPTIONS,
        }
    }
}
