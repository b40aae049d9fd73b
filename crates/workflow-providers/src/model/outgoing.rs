//! The request of a call.

use hyper::Method;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use workflow_core::provider::CallRequest;

use super::options::{Api, ModelOptions, SchemaIn};
use super::{chat, messages, responses};
use crate::client::{self, Outgoing};
use crate::prompt;

const VERSION: (HeaderName, HeaderValue) =
    (HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"));

impl ModelOptions {
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn outgoing(&self, request: &CallRequest) -> Result<Outgoing, String> {
        let (path, make) = match self.api {
            Api::Chat => ("/chat/completions", chat::body as fn(&Self, &str, Option<&Value>) -> _),
            Api::Responses => ("/responses", responses::body as _),
            Api::Messages => ("/messages", messages::body as _),
        };
        let uri = client::parse(&format!("{}{path}", self.base_url()))
            .map_err(|problem| format!("`base_url`: {problem}"))?;
        let mut prompt = prompt::with_skills(request);
        let schema = request.output_schema.as_deref();
        if let Some(schema) = schema
            && self.schema() == SchemaIn::Prompt
        {
            prompt::add_schema(&mut prompt, schema);
        }
        let mut body: serde_json::Map<String, Value> =
            make(self, &prompt, schema.filter(|_| self.schema() == SchemaIn::Request));
        body.extend(self.parameters.clone());
        Ok(Outgoing {
            method: Method::POST,
            uri,
            headers: self.headers()?,
            body: Some(Value::Object(body).to_string()),
            redirects: 3,
        })
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream, application/json;q=0.9"));
        if self.api == Api::Messages {
            headers.insert(VERSION.0, VERSION.1);
        }
        if let Some(key) = &self.key {
            let (name, value) = match self.api {
                Api::Messages => ("x-api-key", key.trim().to_owned()),
                Api::Chat | Api::Responses => ("authorization", format!("Bearer {}", key.trim())),
            };
            let (name, mut value) =
                client::header(name, &value).map_err(|problem| format!("`key`: {problem}"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        for (name, value) in &self.headers {
            let (name, value) =
                client::header(name, &value.0).map_err(|problem| format!("`headers.{name}`: {problem}"))?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}
