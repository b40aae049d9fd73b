//! The workflows that nodes run: whether they are there, and whether they are given what they need.

use crate::bundle::Bundle;
use crate::data::Data;
use crate::definition::model::{Diagnostic, WorkflowNode, shorten};
use crate::expr::ValueTemplate;
use crate::suggest::{near_or_all, nearest};

/// There is no such workflow.
pub(super) fn missing(workflow: &str) -> Diagnostic {
    let message = format!("there is no workflow `{}`", shorten(workflow));
    Diagnostic::error("missing-workflow", "workflow", message)
}

/// What is wrong with the variables that a node gives to the workflow that it runs, by the inputs that this declares. The
/// paths are those in the node.
pub(super) fn unfit_vars(node: &WorkflowNode, child: &Bundle) -> Vec<Diagnostic> {
    let Some(inputs) = &child.workflow.inputs else { return Vec::new() };
    let id = &child.workflow.id;
    let mut found = Vec::new();
    for (name, value) in &node.vars {
        let path = format!("vars.{name}");
        let Some(input) = inputs.get(name) else {
            let known = inputs.iter().filter(|(_, input)| !input.secret).map(|(name, _)| name.as_str());
            let near = nearest(name, known.clone()).map(str::to_owned);
            let message =
                format!("the workflow `{id}` has no input `{}`{}", shorten(name), near_or_all(name, known));
            let mut problem = Diagnostic::error("unknown-name", path, message);
            problem.rename = near.map(Into::into);
            found.push(problem);
            continue;
        };
        if input.secret {
            let message = format!(
                "the input `{name}` of `{id}` is a secret: the host holds it, and no run is given it"
            );
            found.push(Diagnostic::error("conflicting-fields", path, message));
        } else if ValueTemplate::parse(value).is_ok_and(|value| value.is_literal())
            && let Err(wrong) = input.check(&Data::new(value))
        {
            found.push(Diagnostic::error(
                "wrong-type",
                path,
                format!("the input `{name}` of `{id}` {wrong}"),
            ));
        }
    }
    for (name, _) in
        inputs.iter().filter(|(name, input)| input.is_required() && !node.vars.contains_key(*name))
    {
        let message = format!("the workflow `{id}` needs the input `{name}`: write it under `vars`");
        found.push(Diagnostic::error("missing-field", format!("vars.{name}"), message));
    }
    found
}
