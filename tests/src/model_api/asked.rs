//! What a request says to a model, whichever API it came by.

use indexmap::IndexMap;
use serde_json::Value;

/// The tools that are offered: the schema of the input of each, by name.
pub(super) type Tools = IndexMap<String, Value>;

/// What is read out of a request.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// The model's name.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The tools that are offered.
    pub tools: Tools,
    /// Whether a tool has answered since the user last said something. Older results do not count, or a session
    /// that is continued would never call a tool again.
    pub answered: bool,
    /// How many tools have answered since then, where the API's reader counts them.
    pub results: usize,
    /// The schema that the answer is to fit, where the API has a field for that.
    pub schema: Option<Value>,
    /// What the user said last.
    pub prompt: String,
}

impl Asked {
    /// The schema of the answer: from its own field, else one that the prompt contains.
    pub(super) fn wanted_schema(&self) -> Option<Value> {
        self.schema.clone().or_else(|| schema_in(&self.prompt))
    }

    /// Notes the texts of something that the user said in parts.
    pub(super) fn said_in(&mut self, parts: &[Value]) {
        for part in parts {
            self.said(text(part, "text"));
        }
    }

    /// Notes something that the user said; nothing is nothing said.
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

/// The last JSON object in a text that looks like a schema of an object.
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

/// The string under a key, or none.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The array under a key, or an empty one.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
