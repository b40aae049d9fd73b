//! The options of an HTTP request under `with`.

use std::time::Duration;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use workflow_core::definition::Period;

use crate::client;
use crate::options::{self, holds_expression};
use crate::text::Text;

/// The options of the `http` provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping of options")]
#[schemars(rename = "http")]
pub(super) struct HttpOptions {
    /// The method.
    #[serde(default)]
    pub(super) method: Verb,
    /// The address, with `https://` or `http://`. Values that may contain any character belong in `query` or `body`.
    pub(super) url: String,
    /// Headers to send.
    #[serde(default)]
    pub(super) headers: IndexMap<String, Text>,
    /// Parts of the query, encoded and added to those of the address. A list adds its items under the same name; null
    /// adds nothing.
    #[serde(default)]
    pub(super) query: IndexMap<String, Value>,
    /// The body: a text is sent as it is, any other value as JSON. Default for `POST`, `PUT` and `PATCH`: the prompt.
    pub(super) body: Option<Value>,
    /// What a successful response is like.
    #[serde(default)]
    pub(super) expect: Expect,
    /// What the output of the node is.
    #[serde(default)]
    pub(super) returns: Returns,
    /// How many redirects are followed; default: 5.
    #[serde(default = "five")]
    pub(super) redirects: u8,
    /// How long a complete response may take; default: one minute.
    #[serde(default = "minute")]
    pub(super) timeout: Period,
}

fn five() -> u8 {
    5
}

fn minute() -> Period {
    Period(Duration::from_secs(60))
}

/// What a successful response is like.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping with `status` and `type`")]
pub(super) struct Expect {
    /// The statuses that mean success; default: 200 to 299.
    pub(super) status: Vec<u16>,
    /// How the body is read; default: as JSON if the response says that it is, otherwise as text.
    #[serde(rename = "type")]
    pub(super) kind: Option<Kind>,
}

/// How a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// As one JSON value.
    Json,
    /// As text.
    Text,
}

/// What the output of the node is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Returns {
    /// The body.
    #[default]
    Body,
    /// An object with `status`, `headers` (names in lower case) and `body`.
    Response,
}

/// A method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Verb {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl HttpOptions {
    /// Reads options in which all `${…}` are resolved.
    ///
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn read(options: &Value) -> Result<Self, String> {
        const URL: &str = "write the address, as in `url: https://api.example.com/items`";
        if options.is_null() || (options.is_object() && options.get("url").is_none()) {
            return Err(format!("`url` is missing: {URL}"));
        }
        let read: Self = options::read(options).map_err(options::Wrong::told)?;
        client::parse(&read.url).map_err(|problem| format!("`url`: {problem}"))?;
        for (name, value) in &read.query {
            let is_nested = |value: &Value| value.is_array() || value.is_object();
            let items = value.as_array().into_iter().flatten();
            if items.chain(value.is_object().then_some(value)).any(is_nested) {
                return Err(format!("`query.{name}`: write a text, or a list of texts"));
            }
        }
        if read.body.is_some() && matches!(read.method, Verb::Get | Verb::Head) {
            return Err(
                "`body`: `GET` and `HEAD` have no body: write `method: POST`, or use `query`".to_owned()
            );
        }
        for (name, value) in &read.headers {
            client::header(name, &value.0).map_err(|problem| format!("`headers.{name}`: {problem}"))?;
        }
        Ok(read)
    }

    /// Checks options in which a `${…}` may still stand for an unknown value.
    ///
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn check(options: &Value) -> Result<(), String> {
        let mut known = options::known(options)?;
        if options.get("url").is_some_and(holds_expression) {
            known["url"] = "https://unknown.invalid/".into();
        }
        Self::read(&known).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_are_named() {
        for (options, message) in [
            (json!(null), "`url` is missing: write the address, as in `url: https://api.example.com/items`"),
            (json!({ "url": "api.example.com/x" }), "`url`: begin with `https://` or `http://`"),
            (json!({ "url": "file:///etc/passwd" }), "`url`: not an address: invalid format"),
            (
                json!({ "url": "https://me:pass@a.example/" }),
                "`url`: a user name in an address is not sent: write a header `Authorization`",
            ),
            (
                json!({ "url": "https://a.example/", "method": "get" }),
                "`method`: unknown value `get`, expected one of `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`, `OPTIONS`",
            ),
            (
                json!({ "url": "https://a.example/", "body": {} }),
                "`body`: `GET` and `HEAD` have no body: write `method: POST`, or use `query`",
            ),
            (
                json!({ "url": "https://a.example/", "query": { "a": [[1]] } }),
                "`query.a`: write a text, or a list of texts",
            ),
            (
                json!({ "url": "https://a.example/", "headers": { "Host": "b" } }),
                "`headers.Host`: the client sets it: leave it out",
            ),
            (
                json!({ "url": "https://a.example/", "headers": { "X": "a\r\nY: b" } }),
                "`headers.X`: a header cannot contain this text",
            ),
            (
                json!({ "url": "https://a.example/", "header": {} }),
                "unknown option `header`, expected one of `method`, `url`, `headers`, `query`, `body`, `expect`, \
                 `returns`, `redirects`, `timeout`",
            ),
        ] {
            assert_eq!(HttpOptions::check(&options).unwrap_err(), message, "{options}");
        }
    }

    #[test]
    fn expressions_may_stand_anywhere_before_a_run() {
        for options in [
            json!({ "url": "${vars.url}" }),
            json!({ "url": "https://${vars.host}/", "method": "${vars.method}", "headers": { "A": "Bearer ${secrets.a}" } }),
            json!({ "url": "https://a.example/", "expect": { "status": ["${vars.status}"] }, "timeout": "${vars.time}" }),
            json!({ "url": "https://a.example/", "method": "POST", "body": "${vars.body}", "query": "${vars.query}" }),
        ] {
            assert_eq!(HttpOptions::check(&options), Ok(()), "{options}");
        }
    }
}
