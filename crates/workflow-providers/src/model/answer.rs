//! What a model answers, put together from the records of its service.

use serde_json::Value;

use super::price::Tokens;

/// A piece of an answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    Text(String),
    Thinking(String),
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    Complete,
    MaxTokens,
    ContextTooLong,
    /// The service, or the model, refuses.
    Refused,
    /// The model wants to use a tool, although it has none.
    Tool,
}

/// An error that a service reports within a stream or as its whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Its status, if the record has one.
    pub(crate) status: Option<u16>,
    /// Its kind and its code, which are stabler than its message.
    pub(crate) kind: String,
    pub(crate) message: String,
}

/// An answer so far.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// What the model said instead of an answer.
    pub(crate) refusal: String,
    pub(crate) tokens: Tokens,
    pub(crate) end: Option<End>,
    pub(crate) fault: Option<Fault>,
    /// Records of a kind that is not known.
    pub(crate) unknown: u64,
}

impl Answer {
    pub(crate) fn say(&mut self, text: &str, say: &mut dyn FnMut(Said)) {
        if !text.is_empty() {
            self.text.push_str(text);
            say(Said::Text(text.to_owned()));
        }
    }
}

impl Fault {
    /// Reads an error as the services write it: an object with `message`, or a text.
    pub(crate) fn of(error: &Value) -> Self {
        let text = |name: &str| match error.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        let (kind, code) = (text("type"), text("code"));
        let message = error.as_str().map_or_else(|| text("message"), str::to_owned);
        let status = ["status", "code", "http_status"].iter().find_map(|name| {
            let number = error.get(*name)?.as_u64()?;
            u16::try_from(number).ok().filter(|status| (400..600).contains(status))
        });
        Self { status, kind: format!("{kind} {code}").trim().to_owned(), message }
    }
}

/// A member that is a text; empty if it is not.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member that is a count.
pub(super) fn count(value: &Value, name: &str) -> Option<u64> {
    value.get(name).and_then(Value::as_u64)
}
