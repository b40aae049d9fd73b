//! The content of a request to a model, independent of its API.

use indexmap::IndexMap;
use serde_json::Value;

/// The offered tools: the schema of the input of each, by name.
pub(super) type Tools = IndexMap<String, Value>;

/// The content of a request.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The model's name.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The offered tools.
    pub tools: Tools,
    /// Whether a tool has answered since the last message of the user. Older results do not count, otherwise
    /// a continued session would never call a tool again.
    pub answered: bool,
    /// How many tools have answered since then.
    pub results: usize,
    /// The schema of the answer, if the API has a field for it.
    pub schema: Option<Value>,
    /// The last message of the user.
    pub prompt: String,
}

impl Asked {
    /// The schema of the answer: from its own field, else one that the prompt contains.
    pub(super) fn wanted_schema(&self) -> Option<Value> {
        self.schema.clone().or_else(|| schema_in(&self.prompt))
    }

    /// Records the text parts of a message of the user.
    pub(super) fn said_in(&mut self, parts: &[Value]) {
        for part in parts {
            self.said(text(part, "text"));
        }
    }

    /// Records a message of the user, unless it is empty.
    pub(super) fn said(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.answered {
            self.prompt.clear();
            self.results = 0;
        }
        self.answered = false;
        self.prompt.push_str(text);
        self.prompt.push('\n');
    }
}

/// The last JSON object in a text that looks like the schema of an object.
fn schema_in(text: &str) -> Option<Value> {
    let starts = text.match_indices('{').map(|(at, _)| at).collect::<Vec<_>>();
    let mut found = None;
    let mut end = 0;
    for start in starts {
        if start < end {
            continue;
        }
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        if let Some(Ok(value)) = values.next()
            && value.get("properties").is_some_and(Value::is_object)
        {
            end = start + values.byte_offset();
            found = Some(value);
        }
    }
    found
}

/// The string under a key, or an empty one.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The array under a key, or an empty one.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
