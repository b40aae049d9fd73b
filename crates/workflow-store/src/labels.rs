//! How a database searches for labels in heads that are stored as JSON.

use std::collections::BTreeMap;

use workflow_core::labels::MAX_LABELS;

/// For each label a fragment that occurs in the head of every run with that label: `"owner":"ann"`.
///
/// The fragment can occur in other heads too, for instance in the text of a question, so a store compares the
/// labels of the runs that a query finds. This needs no extra column, and a query does not fail on a head
/// that is not JSON. If there are very many labels, only the first are searched for, because databases limit
/// the size of a query.
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
