//! What a person answers, and whether the question accepts it.

use serde_json::Value;
use workflow_core::data::Data;
use workflow_core::output_schema::OutputSchema;
use workflow_core::status::{Wait, WaitReason};

/// The answer of a person.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// A text that a person typed.
    Typed(&'a str),
    /// To an approval.
    Approval(Value),
    /// What happened to an interrupted call.
    Outcome(Value),
}

impl Said<'_> {
    /// The value of the answer, if the question accepts it.
    pub(crate) fn value(self, wait: &Wait) -> Result<Value, String> {
        match (self, wait.reason) {
            (Self::Typed(text), reason) => {
                typed(text, wait.schema.as_ref()).map_err(|problem| match reason {
                    WaitReason::Question => problem,
                    _ => format!("`{text}` is not an accepted answer"),
                })
            }
            (Self::Approval(value), WaitReason::Approval)
            | (Self::Outcome(value), WaitReason::UnknownOutcome) => Ok(value),
            (Self::Approval(_), _) => {
                Err("it is not an approval, so it cannot be approved or rejected".to_owned())
            }
            (Self::Outcome(_), _) => Err("it does not ask about an interrupted call".to_owned()),
        }
    }
}

/// Reads an answer: as JSON if it is JSON that follows the schema, and as text otherwise.
fn typed(text: &str, schema: Option<&Data>) -> Result<Value, String> {
    let as_text = Value::from(text);
    // A question without a schema takes the text as it was typed.
    let Some(schema) = schema else { return Ok(as_text) };
    let schema = [("answer".to_owned(), schema.value())].into_iter().collect();
    // The driver of the run checks a schema that cannot be read here.
    let Ok(schema) = OutputSchema::compile("answer", &schema) else { return Ok(as_text) };
    let json = Data::parse(text).ok().map(|data| data.exact_value());
    let mut wrong = None;
    for value in json.into_iter().chain([as_text]) {
        let violations = schema.check(&value);
        let Some(first) = violations.first() else { return Ok(value) };
        let place = if first.path.is_empty() { String::new() } else { format!("at {}: ", first.path) };
        wrong.get_or_insert_with(|| format!("{place}{}", first.message));
    }
    Err(wrong.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_json_if_it_follows_the_schema_and_text_otherwise() {
        let choices = json!({ "enum": ["a", "1", { "b": 1 }] });
        let number = json!({ "type": "integer", "minimum": 3 });
        let object =
            json!({ "$ref": "#/$defs/o", "$defs": { "o": { "type": "object", "required": ["x"] } } });
        for (schema, text, expected) in [
            (None, "42", Some(json!("42"))),
            (None, "\"quoted\"", Some(json!("\"quoted\""))),
            (Some(&choices), "a", Some(json!("a"))),
            (Some(&choices), "1", Some(json!("1"))),
            (Some(&choices), "{\"b\": 1}", Some(json!({ "b": 1 }))),
            (Some(&choices), "c", None),
            (Some(&number), "4", Some(json!(4))),
            (Some(&number), "2", None),
            (Some(&number), "four", None),
            (Some(&object), "{\"x\": 1}", Some(json!({ "x": 1 }))),
            (Some(&object), "{}", None),
        ] {
            let schema = schema.map(Data::new);
            assert_eq!(typed(text, schema.as_ref()).ok(), expected, "{text}");
        }
    }
}
