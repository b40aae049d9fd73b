//! The options of a model under `with`.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client;
use crate::options;
use crate::text::Text;

/// The options of the `model` provider.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a mapping of options")]
#[schemars(rename = "model")]
pub(crate) struct ModelOptions {
    /// The name of the model, as its service has it.
    pub(super) model: String,
    /// The protocol.
    #[serde(default)]
    pub(super) api: Api,
    /// The address of the service, without the last part (`/chat/completions`); default: that of OpenAI or Anthropic.
    pub(super) base_url: Option<String>,
    /// The key: `${secrets.NAME}`. Services on the own machine need none.
    pub(super) key: Option<String>,
    /// The instructions that come before the prompt.
    pub(super) system: Option<String>,
    /// The largest number of tokens of the answer; default: that of the service, and 8192 for `messages`.
    pub(super) max_tokens: Option<u64>,
    /// How the model is told the schema of the output; default: `request`, and `prompt` for `messages`, whose service
    /// refuses many schemas.
    pub(super) schema: Option<SchemaIn>,
    /// More members of the request, such as `temperature`.
    #[serde(default)]
    pub(super) parameters: Map<String, Value>,
    /// More headers to send.
    #[serde(default)]
    pub(super) headers: IndexMap<String, Text>,
}

/// A protocol.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Api {
    /// The chat completions of OpenAI, which most services and servers speak.
    #[default]
    Chat,
    /// The responses of OpenAI.
    Responses,
    /// The messages of Anthropic.
    Messages,
}

/// How a model is told a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SchemaIn {
    /// In the request: the service holds the model to it.
    Request,
    /// In the prompt.
    Prompt,
}

/// Members of a request that would change what a call is.
const OWN: [&str; 11] = [
    "model",
    "messages",
    "input",
    "instructions",
    "system",
    "stream",
    "stream_options",
    "tools",
    "functions",
    "background",
    "n",
];

impl ModelOptions {
    /// Reads options in which all `${…}` are resolved.
    ///
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn read(options: &Value) -> Result<Self, String> {
        if options.is_null() || (options.is_object() && options.get("model").is_none()) {
            return Err("`model` is missing: write the name of the model, as its service has it".to_owned());
        }
        let read: Self = options::read(options).map_err(options::Wrong::told)?;
        if let Some(url) = &read.base_url {
            client::parse(url).map_err(|problem| format!("`base_url`: {problem}"))?;
        }
        if read.max_tokens == Some(0) {
            return Err("`max_tokens`: write at least 1".to_owned());
        }
        if let Some(name) = read.parameters.keys().find(|name| OWN.contains(&name.as_str())) {
            return Err(format!("`parameters.{name}`: the provider sets it: leave it out"));
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
        if options.get("model").is_some_and(options::holds_expression) {
            known["model"] = "unknown".into();
        }
        Self::read(&known).map(drop)
    }

    /// The address of the service, without a slash at its end.
    pub(super) fn base_url(&self) -> &str {
        let default = match self.api {
            Api::Chat | Api::Responses => "https://api.openai.com/v1",
            Api::Messages => "https://api.anthropic.com/v1",
        };
        self.base_url.as_deref().unwrap_or(default).trim().trim_end_matches('/')
    }

    /// Whether the service is OpenAI's own.
    pub(super) fn is_of_openai(&self) -> bool {
        self.base_url().starts_with("https://api.openai.com/")
    }

    pub(super) fn schema(&self) -> SchemaIn {
        let default = if self.api == Api::Messages { SchemaIn::Prompt } else { SchemaIn::Request };
        self.schema.unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_are_named_and_expressions_may_stand_anywhere() {
        for (options, message) in [
            (json!(null), "`model` is missing: write the name of the model, as its service has it"),
            (
                json!({ "model": "m", "base_url": "localhost:11434/v1" }),
                "`base_url`: begin with `https://` or `http://`",
            ),
            (
                json!({ "model": "m", "parameters": { "tools": [] } }),
                "`parameters.tools`: the provider sets it: leave it out",
            ),
            (json!({ "model": "m", "max_tokens": 0 }), "`max_tokens`: write at least 1"),
            (
                json!({ "model": "m", "api": "gemini" }),
                "`api`: unknown value `gemini`, expected one of `chat`, `responses`, `messages`",
            ),
            (
                json!({ "model": "m", "headers": { "Host": "x" } }),
                "`headers.Host`: the client sets it: leave it out",
            ),
        ] {
            assert_eq!(ModelOptions::check(&options).unwrap_err(), message, "{options}");
        }
        for options in [
            json!({ "model": "${vars.model}", "key": "${secrets.key}", "max_tokens": "${vars.most}" }),
            json!({ "model": "m", "api": "${vars.api}", "base_url": "${vars.url}/v1", "parameters": { "seed": "${vars.seed}" } }),
        ] {
            assert_eq!(ModelOptions::check(&options), Ok(()), "{options}");
        }
    }
}
