//! Generates a value that matches a schema.

use serde_json::{Map, Value, json};

/// How deep schemas are followed: a recursive schema has no smallest value.
const DEEPEST: usize = 32;
/// The maximum number of elements of a generated array.
const MOST: usize = 100;

/// A value that matches `schema`, in most cases: constraints are not solved. Of several examples, the one for
/// `turn`, counted from 0.
pub(super) fn instance(schema: &Value, turn: usize) -> Value {
    Builder { root: schema, turn }.value(schema, DEEPEST)
}

struct Builder<'s> {
    root: &'s Value,
    turn: usize,
}

impl Builder<'_> {
    fn value(&self, schema: &Value, deeper: usize) -> Value {
        let Some(deeper) = deeper.checked_sub(1) else { return Value::Null };
        if let Some(suggested) = self.suggested(schema) {
            return suggested.clone();
        }
        if let Some(target) = schema.get("$ref").and_then(|name| self.target(name.as_str()?)) {
            return self.value(target, deeper);
        }
        let mut value = self.of_type(schema, deeper);
        let all = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        let first = |key| schema.get(key).and_then(|schemas| schemas.get(0));
        for part in all.chain(first("anyOf")).chain(first("oneOf")) {
            match (&mut value, self.value(part, deeper)) {
                (Some(Value::Object(members)), Value::Object(more)) => members.extend(more),
                (Some(_), _) => {}
                (none, more) => *none = Some(more),
            }
        }
        value.unwrap_or_else(|| json!("demo"))
    }

    /// A value that the schema itself contains.
    fn suggested<'s>(&self, schema: &'s Value) -> Option<&'s Value> {
        let list = |key| schema.get(key).and_then(Value::as_array);
        let examples = list("examples").and_then(|examples| examples.get(self.turn).or(examples.last()));
        examples
            .or_else(|| schema.get("const"))
            .or_else(|| list("enum")?.first())
            .or_else(|| schema.get("default"))
    }

    /// The target of a `$ref`: a place in this schema, also if it was bundled from several files.
    fn target(&self, reference: &str) -> Option<&Value> {
        self.root.pointer(reference.strip_prefix('#')?)
    }

    /// A value of its `type`, or of the type that other keywords imply.
    fn of_type(&self, schema: &Value, deeper: usize) -> Option<Value> {
        let kind = match schema.get("type") {
            Some(Value::Array(kinds)) => {
                kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").or(Some("null"))
            }
            kind => kind.and_then(Value::as_str),
        };
        let has = |key| schema.get(key).is_some();
        let kind = kind.or_else(|| {
            (has("properties") || has("required"))
                .then_some("object")
                .or_else(|| (has("items") || has("prefixItems")).then_some("array"))
        });
        Some(match kind? {
            "object" => self.object(schema, deeper),
            "array" => self.array(schema, deeper),
            "string" => string(schema),
            "integer" | "number" => number(schema),
            "boolean" => true.into(),
            _ => Value::Null,
        })
    }

    /// The required properties, and those that the schema suggests a value for.
    fn object(&self, schema: &Value, deeper: usize) -> Value {
        let required = schema.get("required").and_then(Value::as_array);
        let required: Vec<_> = required.into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut members = Map::new();
        for (name, property) in properties.into_iter().flatten() {
            if required.contains(&name.as_str()) || self.suggested(property).is_some() {
                members.insert(name.clone(), self.value(property, deeper));
            }
        }
        let other = schema.get("additionalProperties").filter(|other| other.is_object());
        for name in required {
            if !members.contains_key(name) {
                members.insert(name.to_owned(), self.value(other.unwrap_or(&Value::Null), deeper));
            }
        }
        members.into()
    }

    /// The minimum number of elements.
    fn array(&self, schema: &Value, deeper: usize) -> Value {
        let first = schema.get("prefixItems").and_then(Value::as_array);
        let mut elements: Vec<_> = first.into_iter().flatten().map(|item| self.value(item, deeper)).collect();
        let least = size(schema, "minItems").unwrap_or(0).min(MOST);
        let item = schema.get("items").unwrap_or(&Value::Null);
        while elements.len() < least {
            elements.push(self.value(item, deeper));
        }
        elements.into()
    }
}

fn string(schema: &Value) -> Value {
    let (least, most) = (size(schema, "minLength").unwrap_or(0), size(schema, "maxLength"));
    let length = least.max("demo".len()).min(most.unwrap_or(usize::MAX)).min(1 << 16);
    "demo ".chars().cycle().take(length).collect::<String>().into()
}

fn number(schema: &Value) -> Value {
    let above = |number: &Value| match number.as_i64() {
        Some(whole) => json!(whole.saturating_add(1)),
        None => json!(number.as_f64().unwrap_or_default() + 1.0),
    };
    let least = schema.get("minimum").cloned().or_else(|| schema.get("exclusiveMinimum").map(above));
    least.or_else(|| schema.get("maximum").cloned()).unwrap_or_else(|| json!(1))
}

fn size(schema: &Value, key: &str) -> Option<usize> {
    usize::try_from(schema.get(key)?.as_u64()?).ok()
}
