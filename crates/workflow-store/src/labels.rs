//! How a database searches for labels, reasons to wait, parents and texts in heads that are stored as JSON.

use workflow_core::labels::MAX_LABELS;
use workflow_core::store::RunFilter;

/// For each label a fragment that occurs in the head of every run with that label: `"owner":"ann"`. And for a parent one that
/// occurs in the heads of the runs that it started.
///
/// The fragment can occur in other heads too, for instance in the text of a question, so a store compares the
/// labels and the parents of the runs that a query finds. This needs no extra column, and a query does not fail on a head
/// that is not JSON. If there are very many labels, only the first are searched for, because databases limit
/// the size of a query.
pub(crate) fn fragments(filter: &RunFilter) -> Vec<String> {
    let labels = filter.labels.iter().take(MAX_LABELS);
    let labels = labels.filter_map(|(name, value)| Some(format!("{}:{}", json(name)?, json(value)?)));
    let parent = filter.parent.as_ref().and_then(|run| json(run.as_str()));
    labels.chain(parent.map(|run| format!("\"run\":{run}"))).collect()
}

/// For each reason to wait a text that is in the head of every run that waits for it; see [`fragments`].
pub(crate) fn reasons(filter: &RunFilter) -> Vec<String> {
    filter.waits.iter().map(|reason| format!("\"reason\":\"{reason}\"")).collect()
}

/// The text that a filter looks for, in lower case and as it is in a JSON string; see [`fragments`].
pub(crate) fn text(filter: &RunFilter) -> Option<String> {
    let json = json(filter.text.as_deref()?)?.to_ascii_lowercase();
    json.get(1..json.len() - 1).map(str::to_owned)
}

/// Whether a query can say exactly which runs the filter selects, without their heads being read.
pub(crate) fn is_exact(filter: &RunFilter) -> bool {
    filter.labels.is_empty() && filter.waits.is_empty() && filter.text.is_none() && filter.parent.is_none()
}

fn json(text: &str) -> Option<String> {
    serde_json::to_string(text).ok()
}
