//! Reading the inputs of a workflow.

use indexmap::IndexMap;
use serde_json::Value;

use super::fields::Fields;
use super::role::TYPES;
use crate::definition::model::{Path, WorkflowInput, shorten};
use crate::definition::report::Report;
use crate::definition::yaml::{Kind, Node};
use crate::suggest::{did_you_mean, one_of};

/// The declared inputs, or `None` where the workflow declares none.
pub(crate) fn inputs(
    fields: &mut Fields<'_, '_>,
    parent: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<IndexMap<String, WorkflowInput>> {
    let path = parent.key("inputs");
    let entries = fields.map("inputs", report)?.iter();
    let inputs = entries.map(|entry| {
        let path = path.key(&entry.key);
        (entry.key.clone(), input(&entry.value, &path, report))
    });
    Some(inputs.collect())
}

/// An input: its fields, or in short its type.
fn input(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> WorkflowInput {
    if let Kind::Scalar(_, Value::String(name)) = &node.kind {
        if let Some((_, kind)) = TYPES.iter().find(|(known, _)| known == name) {
            return WorkflowInput::new(*kind);
        }
        let types = TYPES.map(|(name, _)| name).into_iter();
        let (name, near) = (shorten(name), did_you_mean(name, types.clone()));
        let message = format!("`{name}` is not a type: write {}{near}", one_of(types));
        report.refuse("unknown-value", path, message);
        return WorkflowInput::default();
    }
    let mut fields = Fields::of(node, path, report);
    let has_type = fields.take("type").is_some();
    let kind = fields.choice("type", &TYPES, report);
    if has_type && kind.is_none() {
        // Whether the other values are of the type is not known.
        report.settle(path.to_string());
    }
    let input = WorkflowInput {
        kind: kind.unwrap_or_default(),
        choices: fields.list("enum", report).iter().map(Node::to_value).collect(),
        required: fields.truth("required", report),
        default: fields.take("default").map(Node::to_value),
        description: fields.text("description", report),
        secret: fields.truth("secret", report).unwrap_or_default(),
    };
    fields.finish(report);
    input
}
