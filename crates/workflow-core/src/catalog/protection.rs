//! Workflows that their author protects from changes: `protected: true` beside the name.

use serde_json::Value;

use crate::definition::read_value;

/// Whether the text of a workflow says `protected: true`. A text that is not YAML does not.
///
/// ```
/// use workflow_core::catalog::is_protected;
///
/// assert!(is_protected("workflow: { name: Release, stages: [plan], protected: true }"));
/// assert!(!is_protected("workflow: { name: Release, stages: [plan] }"));
/// ```
pub fn is_protected(text: &str) -> bool {
    read_value(text.as_bytes()).is_ok_and(|file| file["workflow"]["protected"] == true)
}

/// Whether a workflow that is protected may get this text: one that is no longer protected, and is otherwise the same
/// but for comments and layout.
pub fn only_unprotects(old: &str, new: &str) -> bool {
    let without = |text: &str| {
        let mut file = read_value(text.as_bytes()).ok()?;
        let flag = file.get_mut("workflow").and_then(Value::as_object_mut)?.remove("protected");
        Some((flag == Some(true.into()), file))
    };
    match (without(old), without(new)) {
        (Some((true, old)), Some((false, new))) => old == new,
        _ => false,
    }
}
