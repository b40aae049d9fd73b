//! From a workflow to the text of a file.

use std::fmt::Write as _;

use serde_json::Value;

use super::reader;
use crate::definition::model::{File, Workflow};
use crate::exact;

/// A workflow as a file has it: the header under `workflow`, then one key per stage. What is
/// written reads back as it was, or the reason why not is returned.
fn write(workflow: &Workflow) -> Result<String, String> {
    let file = File(workflow);
    let value = serde_json::to_value(&file).map_err(|error| error.to_string())?;
    let text = if exact::has_marked(&value) {
        let text =
            serde_yaml::to_string(&exact::readable(value.clone())).map_err(|error| error.to_string())?;
        exact::numbers(&text)
    } else {
        serde_yaml::to_string(&file).map_err(|error| error.to_string())?
    };
    if reads_back(&text, &value).is_ok() {
        return Ok(text);
    }
    // The writer has YAML 1.1 in mind and the reader 1.2: a few texts, with U+2028 in them for
    // instance, are not the same in both. JSON is the same in both.
    let text = json(&value).map_err(|error| error.to_string())?;
    reads_back(&text, &value).map(|()| text)
}

fn reads_back(text: &str, value: &Value) -> Result<(), String> {
    match reader::read(text.as_bytes()) {
        (Some(tree), problems) if problems.is_empty() && tree.to_value() == *value => Ok(()),
        (_, problems) => Err(problems.into_iter().next().map(|problem| problem.message).unwrap_or_default()),
    }
}

fn json(value: &Value) -> Result<String, serde_json::Error> {
    Ok(escape(&exact::numbers(&serde_json::to_string_pretty(&exact::readable(value.clone()))?)) + "\n")
}

/// A text in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    escape(&Value::from(text).to_string())
}

/// A text on lines of its own with that indentation, where it can be; otherwise in double quotes.
pub(crate) fn literal(text: &str, indent: usize) -> String {
    let is_bad = |c: char| {
        c.is_control() && !matches!(c, '\n' | '\t')
            || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
    };
    if text.trim_end_matches('\n').is_empty() || text.contains(is_bad) {
        return quoted(text);
    }
    let mut literal = String::from("|");
    if text.starts_with([' ', '\t', '\n']) {
        // The indentation cannot be told from the first line.
        let _ = write!(literal, "2");
    }
    match text.len() - text.trim_end_matches('\n').len() {
        0 => literal.push('-'),
        1 => {}
        _ => literal.push('+'),
    }
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        literal.push('\n');
        if !line.is_empty() {
            literal.extend(std::iter::repeat_n(' ', indent));
            literal.push_str(line);
        }
    }
    literal
}

/// JSON without characters that are not allowed in a YAML file. Outside of its strings it has none.
fn escape(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_control() && c != '\n' || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') {
            // Writing to a `String` cannot fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

impl Workflow {
    /// The workflow as the text of a file. When it is [valid](crate::definition::validate), [`parse`](crate::definition::parse()) reads it back to an
    /// equal workflow.
    ///
    /// # Errors
    ///
    /// [`NotWritable`] when the text would be more than [`parse`](crate::definition::parse()) reads.
    pub fn to_yaml(&self) -> Result<String, NotWritable> {
        write(self).map_err(NotWritable)
    }
}

/// A workflow cannot be written as YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the workflow cannot be written as YAML: {0}")]
pub struct NotWritable(String);

impl NotWritable {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}
