//! Which variables a definition uses, and where.

use serde::Serialize;
use serde_json::Value;

use crate::expr::{Condition, Template};

/// The fields whose text is a condition over the run.
const CONDITIONS: [&str; 2] = ["when", "condition"];

/// A place of a definition that names a variable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VariableUse<'u> {
    pub name: &'u str,
    /// The path of the field: `prompt`, `graph[0].items`.
    pub path: &'u str,
    /// Whether it is an error where the variable has no value.
    pub is_needed: bool,
}

/// Finds all uses of variables in a part of a definition.
pub(crate) fn uses(definition: &impl Serialize, mut found: impl FnMut(VariableUse<'_>)) {
    // Definitions that were read or built can be written as JSON.
    if let Ok(value) = serde_json::to_value(definition) {
        in_value("", &value, "", &mut found);
    }
}

fn in_value(field: &str, value: &Value, path: &str, found: &mut impl FnMut(VariableUse<'_>)) {
    match value {
        Value::String(text) => in_text(field, text, path, found),
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                in_value(field, item, &format!("{path}[{n}]"), found);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                in_value(name, value, &format!("{path}{dot}{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn in_text(field: &str, text: &str, path: &str, found: &mut impl FnMut(VariableUse<'_>)) {
    if CONDITIONS.contains(&field)
        && let Ok(condition) = Condition::parse(text)
    {
        for mut query in condition.queries() {
            if let (Some("vars"), Some(name)) = (query.next(), query.next()) {
                // An absent name in a condition is not an error.
                found(VariableUse { name, path, is_needed: false });
            }
        }
        return;
    }
    let Ok(template) = Template::parse(text) else { return };
    for name in template.names().filter(|name| name.root() == "vars") {
        if let Some(variable) = name.segment(1) {
            found(VariableUse { name: variable, path, is_needed: name.default_text().is_none() });
        }
    }
}
