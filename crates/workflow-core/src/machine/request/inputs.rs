//! The inputs of a call, which follow its prompt: those of its role, and its own.

use serde_json::Value;

use crate::data::Data;
use crate::expr::Name;
use crate::failure::Failure;
use crate::ids::NodePath;
use crate::machine::request::evaluate::values;
use crate::machine::request::prompt;
use crate::machine::request::scope::{RunScope, unresolved, wrong_field};
use crate::plan::{CallPlan, InputPlan, Plan, RoleInput, RolePlan, Source};

/// The values of a call's inputs, each once.
pub(super) fn of_call(
    plan: &Plan,
    call: &CallPlan,
    role: Option<&RolePlan>,
    scope: &RunScope<'_>,
    path: &NodePath,
) -> Result<Vec<Value>, Failure> {
    if role.is_none() && call.inputs.is_empty() {
        Ok(Vec::new())
    } else {
        values_of(plan, call, role, scope, path)
    }
}

/// Not inlined, as many calls have no inputs: what is inlined uses stack in every call.
#[inline(never)]
fn values_of(
    plan: &Plan,
    call: &CallPlan,
    role: Option<&RolePlan>,
    scope: &RunScope<'_>,
    path: &NodePath,
) -> Result<Vec<Value>, Failure> {
    let mut inputs = Vec::with_capacity(call.inputs.len());
    let mut told = Vec::new();
    if let Some(role) = role {
        for (number, input) in role.inputs.iter().enumerate() {
            match input {
                RoleInput::Named(name) => {
                    if let Some(value) = prompt::named(scope, name) {
                        inputs.push(value);
                        told.extend(Told::named(scope, plan, name));
                    }
                }
                RoleInput::Value(template) => {
                    let field = format!("role `{}`: inputs[{number}]", role.role.id);
                    told.extend(template.as_name().and_then(|name| Told::of(scope, name)));
                    inputs.push(template.render(scope).map_err(|error| unresolved(&field, &error))?);
                }
            }
        }
    }
    for (number, input) in call.inputs.iter().enumerate() {
        let same = match input {
            _ if told.is_empty() => None,
            InputPlan::Of(Source::Node(place)) => Some(Told::Node(*place)),
            InputPlan::Value(template) => template.as_name().and_then(|name| Told::of(scope, name)),
            InputPlan::Of(Source::Item) | InputPlan::All(_) => None,
        };
        if same.is_some_and(|same| told.contains(&same)) {
            continue;
        }
        match input {
            // The output of a skipped node is left out.
            InputPlan::Of(source) => inputs.extend(scope.source(source).map(|data| data.exact_value())),
            InputPlan::All(from) => inputs.extend(values(from, scope).iter().map(Data::exact_value)),
            InputPlan::Value(template) => {
                let value = template.render(scope);
                let wrong = |error| wrong_field(scope, path, &format!("inputs[{number}]"), &error);
                inputs.push(value.map_err(wrong)?);
            }
        }
    }
    Ok(inputs)
}

/// What an input of a role is, so that the prompt does not contain it twice.
#[derive(PartialEq)]
enum Told<'a> {
    Variable(&'a str),
    Node(usize),
    Stage(&'a str),
}

impl<'a> Told<'a> {
    /// What a name of a role's input stands for, as [`prompt::named`] finds it.
    fn named(scope: &RunScope<'_>, plan: &Plan, name: &'a str) -> Option<Self> {
        if scope.variable(name).is_some() {
            return Some(Self::Variable(name));
        }
        let node =
            scope.graph.and_then(|graph| graph.place(name).filter(|place| graph.output(*place).is_some()));
        node.map(Self::Node).or_else(|| plan.stage_named(name).map(|_| Self::Stage(name)))
    }

    /// What an expression stands for, if it is a whole value and not a part of one.
    fn of(scope: &RunScope<'_>, name: &'a Name) -> Option<Self> {
        let (second, is_output) = (name.segment(1)?, name.segment(2) == Some("output"));
        match (name.root(), name.segments().len()) {
            ("vars", 2) => Some(Self::Variable(second)),
            ("nodes", 3) if is_output => Some(Self::Node(scope.graph?.place(second)?)),
            ("stages", 3) if is_output => Some(Self::Stage(second)),
            _ => None,
        }
    }
}
