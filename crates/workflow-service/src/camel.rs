//! JSON with the names of members in camelCase. Types of the engine are stored with names like `retry_at`; at this
//! boundary they are written like `retryAt`. Only fields of structs are renamed: keys of maps are what users wrote.

use std::borrow::Cow;

use schemars::Schema;
use schemars::transform::transform_subschemas;
use serde::ser::{
    Error as _, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant, Serializer,
};
use serde_json::Value;
use serde_json::value::RawValue;

/// The value as JSON text, as responses have it.
///
/// # Errors
///
/// A map of the value has keys that are not texts, or a variant has fields and no tag: no type of this crate has.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, serde_json::Error> {
    let mut text = Vec::new();
    value.serialize(Camel(&mut serde_json::Serializer::new(&mut text)))?;
    String::from_utf8(text).map_err(serde_json::Error::custom)
}

/// The value as JSON that other JSON can contain.
pub(crate) fn to_raw<T: Serialize + ?Sized>(value: &T) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(to_json(value)?)
}

/// The value as a JSON tree.
pub(crate) fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, serde_json::Error> {
    serde_json::from_str(&to_json(value)?)
}

/// Renames the members of a JSON Schema that was generated from Rust types, and of all schemas in it, to what
/// responses have.
pub fn camel_schema(schema: &mut Schema) {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        let renamed = std::mem::take(properties).into_iter();
        *properties = renamed.map(|(name, schema)| (camel(&name).into_owned(), schema)).collect();
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        for name in required {
            if let Value::String(name) = name {
                *name = camel(name).into_owned();
            }
        }
    }
    transform_subschemas(&mut camel_schema, schema);
}

/// `retryAt` for `retry_at`.
fn camel(name: &str) -> Cow<'_, str> {
    if !name.contains('_') || name.starts_with('$') {
        return Cow::Borrowed(name);
    }
    let mut renamed = String::with_capacity(name.len());
    let mut is_first = false;
    for c in name.chars() {
        if c == '_' && !renamed.is_empty() {
            is_first = true;
        } else if std::mem::take(&mut is_first) {
            renamed.extend(c.to_uppercase());
        } else {
            renamed.push(c);
        }
    }
    Cow::Owned(renamed)
}

/// A serializer, or a part of one, that renames the fields of structs in all that is written through it.
struct Camel<S>(S);

/// A value that is written through [`Camel`].
struct Renamed<'a, T: ?Sized>(&'a T);

impl<T: Serialize + ?Sized> Serialize for Renamed<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(Camel(serializer))
    }
}

/// A struct: written as a map, because its new names are not static; but for the structs by which `serde_json` marks
/// JSON that is passed on as it is.
enum Struct<S: Serializer> {
    Renamed(S::SerializeMap),
    Marked(S::SerializeStruct),
}

macro_rules! forward {
    ($($method:ident($type:ty)),* $(,)?) => {$(
        fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.0.$method(value)
        }
    )*};
}

impl<S: Serializer> Serializer for Camel<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Camel<S::SerializeSeq>;
    type SerializeTuple = Camel<S::SerializeTuple>;
    type SerializeTupleStruct = Camel<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Camel<S::SerializeTupleVariant>;
    type SerializeMap = Camel<S::SerializeMap>;
    type SerializeStruct = Struct<S>;
    type SerializeStructVariant = serde::ser::Impossible<S::Ok, S::Error>;

    forward! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_i128(i128), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_u128(u128), serialize_f32(f32), serialize_f64(f64), serialize_char(char), serialize_str(&str),
        serialize_bytes(&[u8]), serialize_unit_struct(&'static str),
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_none()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_some(&Renamed(value))
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_struct(name, &Renamed(value))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        self.0.serialize_newtype_variant(name, index, variant, &Renamed(value))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.0.serialize_seq(length).map(Camel)
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.0.serialize_tuple(length).map(Camel)
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.0.serialize_tuple_struct(name, length).map(Camel)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.0.serialize_tuple_variant(name, index, variant, length).map(Camel)
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.0.serialize_map(length).map(Camel)
    }

    fn serialize_struct(self, name: &'static str, length: usize) -> Result<Self::SerializeStruct, S::Error> {
        if name.starts_with("$serde_json::private::") {
            self.0.serialize_struct(name, length).map(Struct::Marked)
        } else {
            self.0.serialize_map(Some(length)).map(Struct::Renamed)
        }
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        // Its fields would need static names. Types at this boundary have tagged variants, which are structs.
        Err(S::Error::custom(format_args!("`{name}::{variant}` has fields and no tag")))
    }

    fn collect_str<T: std::fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.collect_str(value)
    }
}

macro_rules! elements {
    ($($trait:ident: $method:ident),* $(,)?) => {$(
        impl<S: $trait> $trait for Camel<S> {
            type Ok = S::Ok;
            type Error = S::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
                self.0.$method(&Renamed(value))
            }

            fn end(self) -> Result<S::Ok, S::Error> {
                self.0.end()
            }
        }
    )*};
}

elements! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

impl<S: SerializeMap> SerializeMap for Camel<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), S::Error> {
        self.0.serialize_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), S::Error> {
        self.0.serialize_value(&Renamed(value))
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.0.end()
    }
}

impl<S: Serializer> SerializeStruct for Struct<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        match self {
            Self::Renamed(map) => map.serialize_entry(&camel(name), &Renamed(value)),
            Self::Marked(marked) => marked.serialize_field(name, value),
        }
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        match self {
            Self::Renamed(map) => map.end(),
            Self::Marked(marked) => marked.end(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;
    use workflow_core::data::Data;
    use workflow_core::event::{Event, EventBody};

    use super::*;

    #[derive(serde::Serialize, schemars::JsonSchema)]
    struct Example {
        cost_usd: f64,
        user_keys: BTreeMap<String, Inner>,
        output: Data,
    }

    /// A struct that flattens is a map for serde: it has to rename its fields by itself.
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Flattened {
        run_id: u8,
        #[serde(flatten)]
        more: BTreeMap<&'static str, Inner>,
    }

    #[derive(serde::Serialize, schemars::JsonSchema)]
    struct Inner {
        retry_at: Option<u8>,
    }

    #[test]
    fn fields_are_renamed_and_what_users_wrote_is_not() {
        let example = Example {
            cost_usd: 0.5,
            user_keys: BTreeMap::from([("max_iters".to_owned(), Inner { retry_at: Some(1) })]),
            output: Data::parse(r#"{"snake_key":1.50,"big":123456789012345678901234567890}"#).unwrap(),
        };
        assert_eq!(
            to_json(&example).unwrap(),
            r#"{"costUsd":0.5,"userKeys":{"max_iters":{"retryAt":1}},"#.to_owned()
                + r#""output":{"snake_key":1.50,"big":123456789012345678901234567890}}"#,
        );
        let flattened = Flattened { run_id: 1, more: BTreeMap::from([("x", Inner { retry_at: None })]) };
        assert_eq!(to_json(&flattened).unwrap(), r#"{"runId":1,"x":{"retryAt":null}}"#);
    }

    #[test]
    fn an_event_is_written_as_its_schema_says() {
        let event = Event {
            seq: 3,
            at: "2026-01-02T03:04:05Z".parse().unwrap(),
            body: EventBody::AttemptStarted {
                path: "1/plan[0]/run".parse().unwrap(),
                attempt: 1,
                provider: "claude-code".into(),
                role: None,
            },
        };
        assert_eq!(
            to_value(&event).unwrap(),
            json!({
                "seq": 3, "at": "2026-01-02T03:04:05Z", "v": 1, "type": "attempt_started",
                "data": { "path": "1/plan[0]/run", "attempt": 1, "provider": "claude-code" },
            })
        );
        let mut schema = schemars::schema_for!(Inner);
        camel_schema(&mut schema);
        assert!(schema.as_value()["properties"].get("retryAt").is_some());
    }
}
