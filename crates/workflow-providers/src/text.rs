//! Options that are texts.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use workflow_core::data::Data;

/// A string, or the value of a `${…}` as it would appear inside a longer text: JSON, if it is not a string.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            Value::Null => Err(serde::de::Error::custom("write a string; this is empty")),
            // Numbers keep their exact notation.
            value => Ok(Self(Data::new(&value).json().to_owned())),
        }
    }
}

impl JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "number", "boolean", "array", "object"] })
    }
}
