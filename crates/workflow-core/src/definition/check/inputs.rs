//! What the inputs of a workflow have to be.

use indexmap::IndexMap;

use crate::data::Data;
use crate::definition::model::{Path, WorkflowInput, shorten, shown};
use crate::definition::report::Report;
use crate::ids::is_id;
use crate::role::VariableType;
use crate::suggest::nearest;

/// Reports everything that is wrong with the inputs of a workflow.
pub(super) fn inputs(inputs: &IndexMap<String, WorkflowInput>, path: &Path<'_>, report: &mut Report<'_>) {
    for (name, input) in inputs {
        let path = path.key(name);
        if !is_id(name) {
            let message = format!(
                "`{}` is not the name of a variable: use 1 to 64 letters, digits, `-` and `_`",
                shorten(name)
            );
            report.error("bad-id", &path, message);
        }
        if input.secret {
            secret(input, &path, report);
        } else {
            self::input(input, &path, report);
        }
    }
}

fn input(input: &WorkflowInput, path: &Path<'_>, report: &mut Report<'_>) {
    let choices = path.key("enum");
    let of_type = WorkflowInput::new(input.kind);
    for (n, choice) in input.choices.iter().enumerate() {
        if let Err(wrong) = of_type.check(&Data::new(choice)) {
            report.error("wrong-type", &choices.index(n), format!("a value of `enum` {wrong}"));
        }
    }
    let Some(default) = &input.default else { return };
    let at = path.key("default");
    if let Err(wrong) = of_type.check(&Data::new(default)) {
        report.error("wrong-type", &at, format!("`default` {wrong}"));
    } else if let Err(wrong) = input.check(&Data::new(default)) {
        let choices: Vec<_> = input.choices.iter().map(shown).collect();
        let near = nearest(&shown(default), choices.iter().map(String::as_str));
        report.error_with("unknown-value", &at, format!("`default` {wrong}"), near);
    }
    if input.required == Some(true) {
        let message = "`required` has no effect beside `default`: remove one of them";
        report.warning("no-effect", &path.key("required"), message);
    }
}

/// A secret is a text of the host: the file says nothing of its value.
fn secret(input: &WorkflowInput, path: &Path<'_>, report: &mut Report<'_>) {
    let fields = [
        ("default", input.default.is_some()),
        ("enum", !input.choices.is_empty()),
        ("type", input.kind != VariableType::String),
    ];
    for (field, _) in fields.into_iter().filter(|(_, is_written)| *is_written) {
        let message = format!("a secret is a text of the host, without `{field}` in the file: remove it");
        report.error("conflicting-fields", &path.key(field), message);
    }
}
