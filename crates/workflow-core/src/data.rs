//! Values that pass through a run: JSON, serialised once and shared.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// A JSON value kept as its serialised text: cheap to clone, written to a log without being
/// serialised again, parsed only by who looks inside.
#[derive(Clone, Default)]
pub struct Data(Option<Arc<RawValue>>);

impl Data {
    /// The JSON value `null`.
    pub const NULL: Data = Data(None);

    /// Serialises `value`.
    pub fn new(value: &Value) -> Self {
        // Serialising a `Value` cannot fail: its keys are strings and its numbers finite.
        serde_json::value::to_raw_value(value).map_or(Self::NULL, Self::from_raw)
    }

    /// Takes a value that is serialised already. Its line breaks become spaces, so that it can
    /// stand in a log of one event per line; within strings JSON has none.
    pub fn from_raw(mut raw: Box<RawValue>) -> Self {
        if raw.get() == "null" {
            return Self::NULL;
        }
        if raw.get().contains(['\n', '\r']) {
            let Ok(one_line) = RawValue::from_string(raw.get().replace(['\n', '\r'], " ")) else {
                return Self::NULL;
            };
            raw = one_line;
        }
        Self(Some(raw.into()))
    }

    /// The value as JSON text.
    pub fn json(&self) -> &str {
        self.0.as_ref().map_or("null", |raw| raw.get())
    }

    /// The value, parsed.
    pub fn value(&self) -> Value {
        // What is held is valid JSON; only a nesting deeper than the parser's limit can fail.
        self.0.as_ref().and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or(Value::Null)
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.0.is_none()
    }

    /// The size of the JSON text in bytes.
    pub fn len(&self) -> usize {
        self.json().len()
    }

    /// Never true: the shortest JSON text has a character.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// A JSON array of `items`, put together without parsing them.
    pub fn array<'a>(items: impl IntoIterator<Item = &'a Data>) -> Self {
        let mut text = String::from("[");
        for (n, item) in items.into_iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            text.push_str(item.json());
        }
        text.push(']');
        RawValue::from_string(text).map_or(Self::NULL, Self::from_raw)
    }
}

impl From<Value> for Data {
    fn from(value: Value) -> Self {
        Self::new(&value)
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for Data {}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json())
    }
}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(raw) => raw.as_ref().serialize(serializer),
            None => serializer.serialize_unit(),
        }
    }
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self::from_raw)
    }
}

impl schemars::JsonSchema for Data {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Data".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_survives_the_trip() {
        for value in [json!(null), json!({"b": 1, "a": [true, "x"]}), json!("text"), json!(1.5)] {
            let data = Data::new(&value);
            assert_eq!(data.value(), value);
            let text = serde_json::to_string(&data).unwrap();
            assert_eq!(serde_json::from_str::<Data>(&text).unwrap(), data);
        }
    }

    #[test]
    fn a_value_stands_on_one_line() {
        let raw = RawValue::from_string("{\r\n\t\"a\": \"\\n\",\n\"b\": [\n]\n}".to_owned()).unwrap();
        let data = Data::from_raw(raw);
        assert_eq!(data.json(), "{  \t\"a\": \"\\n\", \"b\": [ ] }");
        assert_eq!(data.value(), json!({"a": "\n", "b": []}));
    }

    #[test]
    fn an_array_is_put_together_from_parts() {
        let parts = [Data::new(&json!(1)), Data::NULL, Data::new(&json!({"a": 2}))];
        assert_eq!(Data::array(&parts).value(), json!([1, null, {"a": 2}]));
    }
}
