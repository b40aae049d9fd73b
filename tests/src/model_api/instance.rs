//! JSON that matches a schema, for the schemas that tests use.

use serde_json::{Map, Value, json};

/// The schema's last example; else its constant, its first alternative, or a minimal value of its type.
pub(super) fn instance(schema: &Value) -> Value {
    if let Some(example) = schema.get("examples").and_then(Value::as_array).and_then(|list| list.last()) {
        return example.clone();
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    for alternatives in ["enum", "anyOf", "oneOf"] {
        let first = schema.get(alternatives).and_then(Value::as_array).and_then(|list| list.first());
        if let Some(first) = first {
            return if alternatives == "enum" { first.clone() } else { instance(first) };
        }
    }
    match kind(schema) {
        "object" => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            let member = |name: &Value| {
                let name = name.as_str()?;
                Some((name.to_owned(), instance(properties?.get(name)?)))
            };
            Value::Object(required.filter_map(member).collect::<Map<_, _>>())
        }
        "array" => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
            let item = schema.get("items").map_or(Value::Null, instance);
            (0..count).map(|_| item.clone()).collect()
        }
        "boolean" => json!(true),
        "integer" | "number" => json!(schema.get("minimum").and_then(Value::as_i64).unwrap_or(2)),
        "null" => Value::Null,
        _ => json!("fake"),
    }
}

/// The type, or the first of several.
fn kind(schema: &Value) -> &str {
    let kind = schema.get("type");
    let first = kind.and_then(Value::as_array).and_then(|kinds| kinds.first());
    first.or(kind).and_then(Value::as_str).unwrap_or_default()
}
