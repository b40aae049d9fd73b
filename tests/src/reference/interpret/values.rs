//! Operations on values.

use serde_json::Value;
use workflow_core::definition::ReduceStrategy;

/// A text as it is, anything else as JSON.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Reduces several values to one; `None` if they do not have the required type.
pub(super) fn reduce(strategy: ReduceStrategy, values: &[Value]) -> Option<Value> {
    match strategy {
        ReduceStrategy::Concat => Some(concat(values)),
        ReduceStrategy::Merge => {
            let mut merged = serde_json::Map::new();
            for value in values {
                for (name, member) in value.as_object()? {
                    merged.insert(name.clone(), member.clone());
                }
            }
            Some(merged.into())
        }
        ReduceStrategy::First => Some(values.first().cloned().unwrap_or_default()),
        ReduceStrategy::Last => Some(values.last().cloned().unwrap_or_default()),
        ReduceStrategy::Vote => Some(vote(values)),
        ReduceStrategy::Summarize => unreachable!("a provider does it"),
    }
}

fn concat(values: &[Value]) -> Value {
    if !values.is_empty() && values.iter().all(Value::is_array) {
        return values.iter().flat_map(|value| value.as_array().unwrap().clone()).collect();
    }
    values.iter().map(as_text).collect::<Vec<_>>().join("\n\n").into()
}

fn vote(values: &[Value]) -> Value {
    let votes = |value: &Value| values.iter().filter(|other| *other == value).count();
    let mut winner = &Value::Null;
    let mut most = 0;
    for value in values {
        if votes(value) > most {
            (winner, most) = (value, votes(value));
        }
    }
    winner.clone()
}
