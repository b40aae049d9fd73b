//! Values that pass through a run: JSON, serialised once and shared.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::exact;

pub use crate::exact::InexactNumber;

/// A JSON value kept as its serialised text: cheap to clone, written to a log without being serialised again,
/// parsed only when its content is read.
///
/// Its numbers stay as they were written, however long they are: `1e400`, `0.1000`, `23000000000000000001`. A
/// reader chooses: [`value`](Data::value) rounds them to 64 bits, [`try_value`](Data::try_value) refuses
/// numbers that would change, and [`exact_value`](Data::exact_value) keeps their texts.
///
/// ```
/// use workflow_core::data::Data;
///
/// let data = Data::parse(r#"{ "n": 1e400, "m": 0.1000 }"#)?;
/// assert_eq!(data.json(), r#"{"n":1e400,"m":0.1000}"#);
/// assert_eq!(data.value()["m"], 0.1);
/// assert_eq!(data.try_value().unwrap_err().path, "/n");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Data(Option<Arc<RawValue>>);

impl Data {
    /// The JSON value `null`.
    pub const NULL: Data = Data(None);

    /// Serialises `value`, which may be an [exact](Data::exact_value) one.
    pub fn new(value: &Value) -> Self {
        // Serialising a `Value` cannot fail: its keys are strings and its numbers finite.
        let Ok(raw) = serde_json::value::to_raw_value(value) else { return Self::NULL };
        if !exact::may_be_marked(raw.get()) {
            return Self::from_raw(raw);
        }
        // Without the marks, the text is JSON.
        RawValue::from_string(exact::text(value)).map_or(Self::NULL, Self::from_raw)
    }

    /// Reads JSON text. Its numbers stay as they are written there; blanks between its parts do not.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, and where.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        exact::parse(text).map(|value| Self::new(&value))
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

    /// The value, parsed. Its numbers are the nearest ones of 64 bits.
    pub fn value(&self) -> Value {
        let Some(raw) = &self.0 else { return Value::Null };
        // A number that is too large is all that can be wrong, or a nesting deeper than the parser's limit.
        serde_json::from_str(raw.get()).unwrap_or_else(|_| exact::rounded(self.exact_value()))
    }

    /// The value, parsed, with the numbers that were written.
    ///
    /// # Errors
    ///
    /// [`InexactNumber`] for the first one that cannot be held in 64 bits.
    pub fn try_value(&self) -> Result<Value, InexactNumber> {
        exact::plain(self.exact_value())
    }

    /// The value, parsed, to be passed on: a number that a [`Value`] would not write as it was written is an
    /// object `{"$serde_json::private::Number": "1e400"}` in it, as in builds of `serde_json` that keep all
    /// numbers exactly. [`Data::new`] makes a number of it again.
    pub fn exact_value(&self) -> Value {
        self.0.as_ref().and_then(|raw| exact::parse(raw.get()).ok()).unwrap_or(Value::Null)
    }

    /// Serialises any value.
    ///
    /// ```
    /// use workflow_core::data::Data;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Review { done: bool }
    ///
    /// assert_eq!(Data::from_serialize(&Review { done: true })?.json(), r#"{"done":true}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the value cannot be serialised for: a map whose keys are not texts, for instance.
    pub fn from_serialize(value: &impl Serialize) -> Result<Self, serde_json::Error> {
        serde_json::value::to_raw_value(value).map(Self::from_raw)
    }

    /// Reads the value as a type of the caller's.
    ///
    /// ```
    /// use workflow_core::data::Data;
    ///
    /// let data = Data::parse(r#"{ "done": true, "notes": ["a", "b"] }"#)?;
    /// #[derive(serde::Deserialize)]
    /// struct Review { done: bool, notes: Vec<String> }
    /// let review: Review = data.to()?;
    /// assert!(review.done && review.notes.len() == 2);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where the value is of another shape, and what was expected there.
    pub fn to<'de, T: Deserialize<'de>>(&'de self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.json())
    }

    /// The text, where the value is a JSON string.
    ///
    /// ```
    /// use workflow_core::data::Data;
    ///
    /// assert_eq!(Data::from("Hello").text().as_deref(), Some("Hello"));
    /// assert_eq!(Data::from(7).text(), None);
    /// ```
    pub fn text(&self) -> Option<String> {
        if self.json().starts_with('"') { self.to().ok() } else { None }
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

    /// A JSON object of `members`, put together without parsing their values.
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, &'a Data)>) -> Self {
        let mut text = String::from("{");
        for (n, (name, value)) in members.into_iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            // A text can always be written as JSON.
            text.push_str(&serde_json::to_string(name).unwrap_or_default());
            text.push(':');
            text.push_str(value.json());
        }
        text.push('}');
        RawValue::from_string(text).map_or(Self::NULL, Self::from_raw)
    }

    /// The elements of a JSON array, each without parsing it. `None` for a value that is not an array.
    pub fn elements(&self) -> Option<Elements> {
        let parts: Vec<&RawValue> = serde_json::from_str(self.json()).ok()?;
        let start = self.json().as_ptr() as usize;
        // Where each begins: what `RawValue`s borrow lies within the text.
        let starts = parts.iter().map(|part| u32::try_from(part.get().as_ptr() as usize - start).ok());
        let starts = starts.collect::<Option<Box<[u32]>>>()?;
        Some(Elements { array: self.clone(), starts })
    }
}

/// An [exact](Data::exact_value) value with plain numbers.
///
/// # Errors
///
/// [`InexactNumber`] for the first one that cannot be held in 64 bits.
pub fn plain(value: Value) -> Result<Value, InexactNumber> {
    if exact::has_marked(&value) { exact::plain(value) } else { Ok(value) }
}

/// An [exact](Data::exact_value) value in which the numbers that cannot be held in 64 bits are texts, for
/// output that only people read.
pub fn plain_or_text(value: Value) -> Value {
    if !exact::has_marked(&value) {
        return value;
    }
    exact::replaced(value, &mut |number| {
        exact::plain(exact::number(number)).unwrap_or_else(|_| number.into())
    })
}

/// The elements of a JSON array, with four bytes more than the array for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elements {
    array: Data,
    starts: Box<[u32]>,
}

impl Elements {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// The element with that number, counted from 0.
    pub fn get(&self, number: usize) -> Option<Data> {
        let text = self.array.json().get(*self.starts.get(number)? as usize..)?;
        let mut values = serde_json::Deserializer::from_str(text).into_iter::<Box<RawValue>>();
        values.next()?.ok().map(Data::from_raw)
    }
}

macro_rules! from_json {
    ($($type:ty),*) => {$(
        impl From<$type> for Data {
            fn from(value: $type) -> Self {
                Self::new(&Value::from(value))
            }
        }
    )*};
}

from_json!(&str, String, bool, i32, i64, u32, u64, f64, Vec<Value>, serde_json::Map<String, Value>);

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
        let named = Data::object(["x", "\"y\n", "z"].into_iter().zip(&parts));
        assert_eq!(named.value(), json!({"x": 1, "\"y\n": null, "z": {"a": 2}}));
    }

    #[test]
    fn an_array_is_taken_apart_without_copies_of_its_elements() {
        let array = Data::new(&json!([1, "a,b", [2, 3], {"x": "]"}, null]));
        let elements = array.elements().unwrap();
        let parts: Vec<_> = (0..6).map(|n| elements.get(n).map(|part| part.value())).collect();
        let expected = [
            Some(json!(1)),
            Some(json!("a,b")),
            Some(json!([2, 3])),
            Some(json!({"x": "]"})),
            Some(json!(null)),
            None,
        ];
        assert_eq!(parts, expected);
        assert!(Data::new(&json!([])).elements().unwrap().is_empty());
        assert_eq!(Data::new(&json!({"a": []})).elements(), None);
        assert_eq!(Data::NULL.elements(), None);
    }
}
