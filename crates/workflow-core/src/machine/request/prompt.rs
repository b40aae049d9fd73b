//! What a provider is told: a prompt or a role's text, and what follows it.

use serde_json::{Map, Value, json};

use crate::failure::{Failure, FailureClass};
use crate::machine::request::document::{self, Parts};
use crate::machine::request::scope::RunScope;
use crate::machine::request::text::{append, text};
use crate::machine::state::stage::StageResult;
use crate::plan::{Plan, RolePlan};
use crate::role::PREVIOUS;

/// A text with the inputs after it.
#[inline]
pub(in crate::machine) fn join(mut prompt: String, inputs: Vec<Value>) -> String {
    for input in inputs {
        append(&mut prompt, &text(input));
    }
    prompt
}

/// The role's text, or the prompt that replaces it, followed by the guards and the inputs unless the text
/// places them itself. Not inlined, as many calls have no role: what is inlined uses stack in every call.
#[inline(never)]
pub(in crate::machine) fn of_role(
    role: &RolePlan,
    own: Option<String>,
    inputs: Vec<Value>,
    scope: &RunScope<'_>,
    plan: &Plan,
) -> Result<String, Failure> {
    let missing = role.role.variables.iter().find(|variable| {
        let has_value = scope.variable(&variable.name).is_some() || variable.default.is_some();
        variable.required && !has_value
    });
    if let Some(missing) = missing {
        let (role, name) = (&role.role.id, &missing.name);
        let message = format!("role `{role}` needs the variable `{name}`, and nothing has written it");
        return Err(Failure::new(FailureClass::Expression, message));
    }
    let context = context(role, &inputs, scope, plan);
    let rendered = role.template.render(context).map_err(|error| {
        Failure::new(FailureClass::Expression, format!("role `{}`: {error}", role.role.id))
    })?;
    let is_own = own.is_some();
    let mut prompt = own.unwrap_or_else(|| rendered.text.trim().to_owned());
    if !rendered.guards.is_empty() && (is_own || !role.template.uses_guards()) {
        let guards: Vec<_> = rendered.guards.iter().map(|guard| format!("- {guard}")).collect();
        append(&mut prompt, &guards.join("\n"));
    }
    let follow = is_own || !role.template.uses_inputs();
    Ok(if follow { join(prompt, inputs) } else { prompt })
}

/// A prompt that has the grammar of roles.
#[inline(never)]
pub(in crate::machine) fn of_template(
    template: &RolePlan,
    inputs: &[Value],
    scope: &RunScope<'_>,
    plan: &Plan,
) -> Result<String, Failure> {
    let rendered = template.template.render(context(template, inputs, scope, plan));
    let rendered = rendered.map_err(|error| {
        Failure::new(FailureClass::Expression, format!("{}.prompt: {error}", scope.stage.id))
    })?;
    Ok(rendered.text.trim().to_owned())
}

/// The values that a role's template names.
fn context(role: &RolePlan, inputs: &[Value], scope: &RunScope<'_>, plan: &Plan) -> Value {
    let parts = Parts::of_role(&role.template);
    let mut members = Map::new();
    // Of two values with the same name, the later one takes precedence.
    let stage_output = |name: &str| {
        plan.stage_named(name)?;
        let result = scope.state.results.get(name);
        Some(result.and_then(StageResult::output).unwrap_or_default().exact_value())
    };
    let input = |name: &str| {
        let inputs = &role.role.inputs;
        let is_input = inputs.iter().any(|input| input == name) && crate::ids::is_id(name);
        is_input.then(|| named(scope, name).unwrap_or_default())
    };
    let variable = |name: &str| match scope.stage.var(name) {
        Some(default) if !scope.state.vars.contains_key(name) => Some(default.exact_value()),
        _ => role.role.value(name, &scope.state.vars),
    };
    let names = parts.members(&[]).unwrap_or_else(|| {
        let stages = plan.stages.iter().map(|stage| stage.id.as_str());
        let variables = role.role.variables.iter().map(|variable| variable.name.as_str());
        stages.chain(role.role.inputs.iter().map(String::as_str)).chain(variables).collect()
    });
    for name in names {
        if let Some(value) = variable(name).or_else(|| input(name)).or_else(|| stage_output(name)) {
            members.insert(name.to_owned(), value);
        }
    }
    let mut vars = document::vars(scope.state, &parts);
    scope.add_defaults(&mut vars, &parts);
    let stages = document::stages(scope.state, &parts);
    let nodes = scope.graph.map(|graph| document::nodes(graph, None, &parts));
    let created = &scope.state.created;
    members.extend([
        ("inputs".to_owned(), json!(inputs)),
        ("guards".to_owned(), json!([])),
        ("vars".to_owned(), vars),
        ("stages".to_owned(), stages),
        ("nodes".to_owned(), nodes.unwrap_or_else(|| json!({}))),
        ("item".to_owned(), scope.item().unwrap_or_default().exact_value()),
        ("iteration".to_owned(), scope.state.iteration.into()),
        ("stage".to_owned(), json!({ "id": scope.stage.id, "provider": scope.provider, "role": scope.role })),
        ("run".to_owned(), json!({ "id": created.run, "workflow": created.workflow })),
    ]);
    if !members.contains_key(PREVIOUS) {
        let previous = scope.graph.zip(scope.repeat).filter(|_| parts.have(&[PREVIOUS]));
        let previous = previous.map(|(graph, repeat)| document::previous(graph, repeat, &parts));
        members.insert(PREVIOUS.to_owned(), previous.unwrap_or_else(|| json!({})));
    }
    Value::Object(members)
}

/// What a role's input names: a variable, a node, or a stage.
pub(in crate::machine) fn named(scope: &RunScope<'_>, name: &str) -> Option<Value> {
    if let Some(value) = scope.variable(name) {
        return Some(value.exact_value());
    }
    let node = scope.graph.and_then(|graph| graph.output(*graph.plan.names.get(name)?));
    if let Some(output) = node {
        return Some(output.exact_value());
    }
    let result = scope.state.results.get(name)?;
    result.output().map(|output| output.exact_value())
}
