//! Which files a schema refers to.

use serde_json::Value;

use super::SchemaError;

/// As deep as a schema is looked into: as deep as JSON is read.
pub(super) const DEEPEST: usize = 128;

/// The files of the home that the schema file `name` refers to by `$ref`, each once. For callers that load
/// the files: those that they refer to in turn are needed too.
///
/// # Errors
///
/// [`SchemaError::Outside`] for a reference to anything else.
///
/// ```
/// use serde_json::json;
/// use workflow_core::output_schema::references;
///
/// let schema = json!({ "items": { "$ref": "common.json#/$defs/file" } });
/// assert_eq!(references("schemas/plan.json", &schema)?, ["schemas/common.json"]);
/// # Ok::<(), workflow_core::output_schema::SchemaError>(())
/// ```
pub fn references(name: &str, schema: &Value) -> Result<Vec<String>, SchemaError> {
    let mut found = Vec::new();
    walk(name, schema, &mut found, DEEPEST)?;
    Ok(found)
}

fn walk(name: &str, schema: &Value, found: &mut Vec<String>, deeper: usize) -> Result<(), SchemaError> {
    let Some(deeper) = deeper.checked_sub(1) else { return Ok(()) };
    match schema {
        Value::Object(members) => {
            for (key, value) in members {
                match value {
                    Value::String(reference) if key == "$ref" => {
                        if let Some(file) = file(name, reference)?
                            && file != name
                            && !found.contains(&file)
                        {
                            found.push(file);
                        }
                    }
                    _ if is_data(key) => {}
                    value => walk(name, value, found, deeper)?,
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(name, item, found, deeper)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether the value of a key of a schema is data, and not searched.
pub(super) fn is_data(key: &str) -> bool {
    matches!(key, "const" | "enum" | "default" | "examples")
}

/// The file that `reference` names, as seen from the file `name`; none when it is the same file.
pub(super) fn file(name: &str, reference: &str) -> Result<Option<String>, SchemaError> {
    let path = reference.split('#').next().unwrap_or_default();
    if path.is_empty() {
        return Ok(None);
    }
    let outside = || SchemaError::Outside { file: name.to_owned(), reference: reference.to_owned() };
    // `:` is what makes an URL, `%` and `\` would hide what is named.
    if path.starts_with('/') || path.contains([':', '%', '\\', '?']) {
        return Err(outside());
    }
    let mut parts: Vec<&str> = name.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop().ok_or_else(outside)?;
            }
            part => parts.push(part),
        }
    }
    Ok(Some(parts.join("/")))
}
