//! Which variables a definition uses, and where.

use serde::Serialize;
use serde_json::Value;

use crate::expr::{Condition, Template};
use crate::role::{names_of_prompt, needed_by_prompt};

/// The fields whose text is a condition over the run.
const CONDITIONS: [&str; 3] = ["when", "end_when", "condition"];

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
            let is_template = fields.get("template").is_some_and(|template| template == "handlebars");
            for (name, value) in fields {
                let dot = if path.is_empty() { "" } else { "." };
                let path = format!("{path}{dot}{name}");
                match value.as_str().filter(|_| is_template && name == "prompt") {
                    Some(prompt) => in_prompt(prompt, &path, found),
                    None => in_value(name, value, &path, found),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The variables that a prompt with the grammar of roles names. In a block one need not have a value.
fn in_prompt(prompt: &str, path: &str, found: &mut impl FnMut(VariableUse<'_>)) {
    let needed = needed_by_prompt(prompt);
    for names in names_of_prompt(prompt) {
        if let [root, name, ..] = &names[..]
            && root == "vars"
        {
            found(VariableUse { name, path, is_needed: needed.contains(&names) });
        }
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
