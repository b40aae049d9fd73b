//! What a call results in, and reading JSON out of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::Data;
use crate::provider::error::ProviderError;
use crate::usage::Usage;

/// What a provider answers.
///
/// ```
/// use serde_json::json;
/// use workflow_core::provider::Reply;
///
/// assert_eq!(Reply::text("done").output.json(), r#""done""#);
/// assert_eq!(Reply::json(&json!({ "done": true })).output.json(), r#"{"done":true}"#);
/// ```
///
/// Its JSON is a wire form, for backends in which another process makes the call: later versions read what this one
/// writes, and ignore members that they do not know.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reply {
    /// The output of the node.
    pub output: Data,
    /// What the call used, where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The session that the call ended in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Details about the call, for a person: turns, tools that were not allowed. Recorded with the result; no
    /// other node sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<Value>>,
}

impl Reply {
    /// A reply whose output is a JSON value.
    pub fn json(value: &Value) -> Self {
        Self::data(Data::new(value))
    }

    /// A reply whose output is JSON text, numbers as they are written: [`Data::parse`] reads it.
    pub fn data(output: Data) -> Self {
        Self { output, ..Self::default() }
    }

    /// A reply whose output is text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::json(&Value::String(text.into()))
    }
}

impl Reply {
    /// Reads `text` as one JSON value, which may stand in a code fence as models like to write it.
    ///
    /// ```
    /// use workflow_core::provider::Reply;
    ///
    /// let reply = Reply::parse_json("```json\n{ \"done\": true }\n```\n").unwrap();
    /// assert_eq!(reply.output.json(), r#"{"done":true}"#);
    /// ```
    ///
    /// # Errors
    ///
    /// [`FailureClass::InvalidOutput`](crate::failure::FailureClass::InvalidOutput) with the line
    /// and column, counted in `text`, where it stops being JSON.
    pub fn parse_json(text: &str) -> Result<Self, ProviderError> {
        let (lines_before, json) = fenced(text).unwrap_or((0, text));
        let error = match Data::parse(json) {
            Ok(output) => return Ok(Self::data(output)),
            Err(error) => error,
        };
        let message = error.to_string();
        // The library ends its message with the position in the text that it was given.
        let problem = message.rsplit_once(" at line ").map_or(message.as_str(), |(problem, _)| problem);
        let (line, column) = (error.line() + lines_before, error.column());
        Err(ProviderError::invalid_output(format!(
            "the output is not JSON: {problem} at line {line}, column {column}"
        )))
    }
}

/// What stands in the code fence around `text`, and how many lines come before it.
fn fenced(text: &str) -> Option<(usize, &str)> {
    let (info, rest) = text.trim_start().strip_prefix("```")?.split_once('\n')?;
    let inner = rest.trim_end().strip_suffix("```")?;
    if info.contains('`') {
        return None;
    }
    let before = text.len() - text.trim_start().len();
    Some((text[..before].matches('\n').count() + 1, inner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, String> {
        Reply::parse_json(text).map(|r| r.output.json().to_owned()).map_err(|e| e.failure.message)
    }

    #[test]
    fn json_is_read_bare_and_from_one_fence() {
        for text in [
            "{\"a\": [1, 2]}",
            " \n{\"a\":[1,2]}\n",
            "```\n{\"a\":[1,2]}\n```",
            "\n```json\r\n{\"a\":\n[1,2]}```\n\n",
        ] {
            assert_eq!(parse(text).unwrap(), "{\"a\":[1,2]}", "{text:?}");
        }
        assert_eq!(parse("\"```\\n1\\n```\"").unwrap(), "\"```\\n1\\n```\"");
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_position_in_the_text() {
        for (text, problem) in [
            ("", "EOF while parsing a value at line 1, column 0"),
            ("It is done.", "expected value at line 1, column 1"),
            ("{\"a\": 1}\nand more", "trailing characters at line 2, column 1"),
            ("\n```json\n{\"a\": }\n```", "expected value at line 3, column 7"),
            ("```json\n1\n```\n```json\n2\n```", "trailing characters at line 3, column 1"),
            ("```json\n1", "expected value at line 1, column 1"),
            ("```1```", "expected value at line 1, column 1"),
        ] {
            assert_eq!(parse(text).unwrap_err(), format!("the output is not JSON: {problem}"), "{text:?}");
        }
    }
}
