//! How a database looks for labels in heads that are stored as JSON.

use std::collections::BTreeMap;

use workflow_core::labels::MAX_LABELS;

/// For each label a text that is in the head of every run with that label: `"owner":"ann"`.
///
/// It can be in other heads too, for instance in the text of a question. So a store compares the labels of what a
/// query finds. That needs no column of its own, and a query does not fail at a head that is not JSON. Of very many labels
/// only the first are looked for, because databases bound the size of a query.
pub(crate) fn fragments(labels: &BTreeMap<String, String>) -> Vec<String> {
    labels
        .iter()
        .take(MAX_LABELS)
        .filter_map(|(name, value)| Some(format!("{}:{}", json(name)?, json(value)?)))
        .collect()
}

fn json(text: &str) -> Option<String> {
    serde_json::to_string(text).ok()
}
