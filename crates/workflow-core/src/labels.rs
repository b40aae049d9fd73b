//! Labels of runs: short texts by names (owner, tenant, ticket) that lists of runs are filtered by.

use std::collections::BTreeMap;

use crate::ids::is_id;

/// A run has at most this many labels.
pub const MAX_LABELS: usize = 32;

/// The value of a label has at most this many characters.
pub const MAX_VALUE: usize = 256;

/// How many characters of an invalid name are shown.
const SHOWN: usize = 80;

/// Checks the labels of a new run and returns one message for each problem; none if the labels are valid.
///
/// A name has 1 to 64 ASCII letters, digits, `-` and `_`, as an id has. A value is any text of at most [`MAX_VALUE`]
/// characters. A run has at most [`MAX_LABELS`] labels.
///
/// ```
/// use std::collections::BTreeMap;
/// use workflow_core::labels::check_labels;
///
/// let label = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
/// assert!(check_labels(&label("owner", "Ann Müller")).is_empty());
/// assert_eq!(
///     check_labels(&label("the owner", "ann")),
///     ["the label name `the owner` is invalid: use 1 to 64 letters, digits, `-` and `_`"]
/// );
/// ```
pub fn check_labels(labels: &BTreeMap<String, String>) -> Vec<String> {
    let mut problems = Vec::new();
    if labels.len() > MAX_LABELS {
        problems.push(format!("there are {} labels, and at most {MAX_LABELS} are allowed", labels.len()));
    }
    for (name, value) in labels {
        if !is_id(name) {
            let name: String = name.chars().take(SHOWN).collect();
            problems.push(format!(
                "the label name `{name}` is invalid: use 1 to 64 letters, digits, `-` and `_`"
            ));
            continue;
        }
        let length = value.chars().count();
        if length > MAX_VALUE {
            problems.push(format!(
                "the value of the label `{name}` has {length} characters, and at most {MAX_VALUE} are allowed"
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_bounds() {
        let labels = |count: usize, length: usize| -> BTreeMap<String, String> {
            (0..count).map(|n| (format!("name-{n}"), "ü".repeat(length))).collect()
        };
        assert!(check_labels(&labels(MAX_LABELS, MAX_VALUE)).is_empty());
        assert_eq!(
            check_labels(&labels(MAX_LABELS + 1, 0)),
            ["there are 33 labels, and at most 32 are allowed"]
        );
        assert_eq!(
            check_labels(&labels(1, MAX_VALUE + 1)),
            ["the value of the label `name-0` has 257 characters, and at most 256 are allowed"]
        );
        for name in ["", "a.b", "a b", "ü", "a\"", "%", &"x".repeat(65)] {
            let problems = check_labels(&BTreeMap::from([(name.to_owned(), String::new())]));
            assert_eq!(problems.len(), 1, "{name}: {problems:?}");
        }
        assert!(check_labels(&BTreeMap::from([("x".repeat(64), "any \"text\"\n".to_owned())])).is_empty());
    }
}
