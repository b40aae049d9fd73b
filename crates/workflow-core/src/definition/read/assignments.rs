//! From the text of `config/assignments.yml` to [`Assignments`].

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::Fields;
use crate::definition::check::{id, role_name};
use crate::definition::model::{Assignment, Assignments, Diagnostic, Path, shorten};
use crate::definition::report::Report;
use crate::definition::yaml::{self, Kind, Node};
use crate::ids::StageId;

/// The result of reading assignments.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedAssignments {
    /// The assignments, when there is no error.
    pub assignments: Option<Assignments>,
    /// All errors and warnings, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads assignments: one key per stage, which may stand under `stages` or `assignments`; each has `provider`,
/// `role` and `profile`, or in short the name of a provider.
///
/// ```
/// use workflow_core::definition::parse_assignments;
///
/// let parsed = parse_assignments(b"plan: { provider: claude-code, role: planner }\ntest: codex\n");
/// let assignments = parsed.assignments.expect("no errors");
/// assert_eq!(assignments.stages["test"].provider.as_deref(), Some("codex"));
/// ```
pub fn parse_assignments(text: &[u8]) -> ParsedAssignments {
    let is_comment = |line: &[u8]| {
        let line = line.trim_ascii();
        line.is_empty() || line.starts_with(b"#") || line == b"---"
    };
    if text.len() <= yaml::MAX_BYTES && text.split(|byte| *byte == b'\n').all(is_comment) {
        return ParsedAssignments { assignments: Some(Assignments::default()), diagnostics: Vec::new() };
    }
    let (tree, problems) = yaml::read(text);
    let mut report =
        Report::new(tree.as_ref().map(|tree| (std::str::from_utf8(text).unwrap_or_default(), tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let assignments = tree.as_ref().map(|tree| {
        let key = ["stages", "assignments"].into_iter().find(|key| tree.get(key).is_some());
        match key.and_then(|key| Some((key, &tree.get(key)?.value))) {
            Some((key, node)) => {
                beside(tree, key, &mut report);
                stages(node, &Path::Root.key(key), &mut report)
            }
            None => stages(tree, &Path::Root, &mut report),
        }
    });
    let diagnostics = report.finish();
    let assignments = assignments.filter(|_| !diagnostics.iter().any(Diagnostic::is_error));
    ParsedAssignments { assignments, diagnostics }
}

/// Warns about keys beside the one that holds the stages.
fn beside(tree: &Node, key: &str, report: &mut Report<'_>) {
    let Kind::Map(entries) = &tree.kind else { return };
    for entry in entries.iter().filter(|entry| entry.key != key) {
        let name = shorten(&entry.key);
        let message = format!("`{name}` is ignored here: write it under `{key}`, where the stages are");
        report.warning_at_key("unknown-key", &Path::Root.key(&entry.key), entry.at, message, None);
    }
}

fn stages(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> Assignments {
    // What a key means is checked where it is a stage's.
    let _ = Fields::of(node, path, report);
    let Kind::Map(entries) = &node.kind else { return Assignments::default() };
    let mut stages = BTreeMap::new();
    for entry in entries {
        let path = path.key(&entry.key);
        match StageId::new(&entry.key) {
            Ok(stage) => {
                stages.insert(stage, assignment(&entry.value, &path, report));
            }
            Err(error) => report.refuse("bad-id", &path, error.to_string()),
        }
    }
    Assignments { stages }
}

fn assignment(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> Assignment {
    if let Kind::Scalar(_, Value::String(provider)) = &node.kind {
        return Assignment { provider: Some(provider.clone()), ..Assignment::default() };
    }
    let mut fields = Fields::of(node, path, report);
    let assignment = Assignment {
        provider: fields.text("provider", report),
        role: fields.text("role", report),
        profile: fields.text("profile", report),
    };
    fields.finish(report);
    role_name(assignment.role.as_deref(), &path.key("role"), report);
    id(assignment.profile.as_deref(), &path.key("profile"), report);
    assignment
}
