//! What differs between two values.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use workflow_core::bundle::Bundle;
use workflow_core::data::Data;

use crate::report::{Excerpt, excerpt};

/// How many differences are returned at most.
const MOST: usize = 200;

/// A difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Difference {
    /// Where: the name of a variable, or a path in a definition, as `workflow.stages.plan.prompt`.
    pub path: String,
    /// The beginning of the value in the first run; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<Excerpt>,
    /// The beginning of the value in the second run; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<Excerpt>,
}

/// The variables that differ.
pub(super) fn vars(first: &IndexMap<String, Data>, second: &IndexMap<String, Data>) -> Vec<Difference> {
    let only_second = second.keys().filter(|name| !first.contains_key(*name));
    first
        .keys()
        .chain(only_second)
        .filter(|name| first.get(*name) != second.get(*name))
        .map(|name| Difference {
            path: name.clone(),
            first: first.get(name).map(excerpt),
            second: second.get(name).map(excerpt),
        })
        .collect()
}

/// Where two definitions differ.
pub(super) fn bundles(first: &Bundle, second: &Bundle) -> Vec<Difference> {
    let mut found = Vec::new();
    if let (Ok(first), Ok(second)) = (serde_json::to_value(first), serde_json::to_value(second)) {
        walk(String::new(), Some(&first), Some(&second), &mut found);
    }
    found
}

fn walk(path: String, first: Option<&Value>, second: Option<&Value>, found: &mut Vec<Difference>) {
    if found.len() >= MOST || first == second {
        return;
    }
    match (first, second) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let only_other = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(only_other) {
                let within = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(within, one.get(key), other.get(key), found);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            for n in 0..one.len().max(other.len()) {
                walk(format!("{path}[{n}]"), one.get(n), other.get(n), found);
            }
        }
        _ => {
            let excerpt = |value: &Value| excerpt(&Data::new(value));
            found.push(Difference { path, first: first.map(excerpt), second: second.map(excerpt) });
        }
    }
}
