//! Writes values as text, and joins texts.

use serde_json::Value;

use crate::exact;

pub(in crate::machine) fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => exact::text(&other),
    }
}

/// Adds a part to a prompt, with an empty line between.
pub(in crate::machine) fn append(prompt: &mut String, part: &str) {
    if !prompt.is_empty() {
        prompt.push_str("\n\n");
    }
    prompt.push_str(part);
}
