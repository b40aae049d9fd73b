//! From the text of a role file to a [`Role`].

use serde_json::Value;

use super::check::{file, id};
use super::fields::{Fields, wrong_type};
use super::path::{Path, shorten};
use super::report::Report;
use super::role::{Role, Variable, VariableType};
use super::yaml::{Kind, Node, Place};
use crate::expr::Template;
use crate::ids::{RoleId, is_id};

/// A role file in its parts.
pub(super) struct Parts<'t> {
    /// From the beginning to the line that closes the front matter, without it: YAML as it stands.
    pub front: &'t str,
    pub body: &'t str,
    /// The line of the file in which the body begins.
    pub body_line: u32,
}

/// Takes a file apart; none when its front matter is not closed.
pub(super) fn parts(text: &str) -> Option<Parts<'_>> {
    let whole = text;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n');
    let is_fence = |line: &str| line.trim_end() == "---";
    let Some(first) = lines.next().filter(|line| is_fence(line)) else {
        return Some(Parts { front: "", body: text, body_line: 1 });
    };
    let (mut offset, mut number) = (whole.len() - text.len() + first.len(), 2);
    for line in lines {
        if is_fence(line) {
            let body = &whole[offset + line.len()..];
            return Some(Parts { front: &whole[..offset], body, body_line: number + 1 });
        }
        offset += line.len();
        number += 1;
    }
    None
}

/// Reads the front matter. Everything that is left out or replaced has an error in `report`.
pub(super) fn role(
    front: Option<&Node>,
    body: &str,
    file_id: Option<&RoleId>,
    report: &mut Report<'_>,
) -> Option<Role> {
    let path = Path::Root;
    let empty = Node { start: Place::START, end: Place::START, kind: Kind::Map(Vec::new()) };
    let front = front.filter(|node| !node.is_null()).unwrap_or(&empty);
    let mut fields = Fields::of(front, &path, report);
    let id = role_id(&mut fields, file_id, report);
    let schema = fields.text("output_schema", report).or_else(|| fields.text("outputSchema", report));
    let snake = fields.text("recommended_provider", report);
    let recommended_provider = snake.or_else(|| fields.text("recommendedProvider", report));
    let role = Role {
        id: id?,
        name: fields.text("name", report),
        output_schema: schema,
        inputs: fields.texts("inputs", report),
        guards: fields.texts("guards", report),
        skills: fields.texts("skills", report),
        recommended_provider,
        variables: variables(&mut fields, report),
        body: body.to_owned(),
    };
    // For people.
    fields.take("description");
    fields.finish(report);
    Some(role)
}

fn role_id(fields: &mut Fields<'_, '_>, file_id: Option<&RoleId>, report: &mut Report<'_>) -> Option<RoleId> {
    let path = Path::Root.key("id");
    let is_there = fields.take("id").is_some();
    match (fields.text("id", report).as_deref().map(RoleId::new), file_id) {
        (Some(Ok(id)), Some(file_id)) if id != *file_id => {
            let message = format!("the file's name says `{file_id}`: write that, or leave the id out");
            report.refuse("id-mismatch", &path, message);
            Some(id)
        }
        (Some(Ok(id)), _) => Some(id),
        (Some(Err(error)), _) => {
            report.refuse("bad-id", &path, error.to_string());
            file_id.cloned().or_else(|| RoleId::new("unnamed").ok())
        }
        (None, Some(file_id)) => Some(file_id.clone()),
        (None, None) => {
            if !is_there {
                let message = "`id` is missing, and there is no file name to give it";
                report.refuse("missing-field", &path, message);
            }
            RoleId::new("unnamed").ok()
        }
    }
}

fn variables(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Vec<Variable> {
    let path = Path::Root.key("variables");
    let items = fields.list("variables", report).iter().enumerate();
    items.filter_map(|(n, node)| variable(node, &path.index(n), report)).collect()
}

fn variable(node: &Node, path: &Path<'_>, report: &mut Report<'_>) -> Option<Variable> {
    if let Kind::Scalar(_, Value::String(name)) = &node.kind {
        // In short: an optional text.
        return Some(Variable {
            name: name.clone(),
            kind: VariableType::String,
            required: false,
            default: None,
            description: None,
        });
    }
    let mut fields = Fields::of(node, path, report);
    let is_there = fields.take("name").is_some();
    let name = fields.text("name", report);
    if !is_there {
        report.refuse(
            "missing-field",
            &path.key("name"),
            "`name` is missing: write the name of the variable",
        );
    }
    let types = [
        ("string", VariableType::String),
        ("number", VariableType::Number),
        ("boolean", VariableType::Boolean),
        ("array", VariableType::Array),
    ];
    let kind = fields.choice("type", &types, report).unwrap_or_default();
    let required = match fields.take("required").map(|node| (node, &node.kind)) {
        None => false,
        Some((_, Kind::Scalar(_, Value::Bool(required)))) => *required,
        Some((node, _)) => {
            wrong_type(node, "true or false", &path.key("required"), report);
            false
        }
    };
    let default = fields.take("default").map(Node::to_value);
    let description = fields.text("description", report);
    fields.finish(report);
    Some(Variable { name: name?, kind, required, default, description })
}

/// Names that mean something else in a template.
pub(crate) const BUILT_IN: [&str; 9] =
    ["guards", "inputs", "item", "iteration", "nodes", "run", "stage", "stages", "vars"];

/// Reports everything that is wrong with the values of a role.
pub(super) fn check(role: &Role, report: &mut Report<'_>) {
    if let Some(schema) = &role.output_schema {
        file(schema, &Path::Root.key("output_schema"), report);
    }
    let skills = Path::Root.key("skills");
    for (n, skill) in role.skills.iter().enumerate().filter(|(_, skill)| skill.trim().is_empty()) {
        id(Some(skill), &skills.index(n), report);
    }
    let inputs = Path::Root.key("inputs");
    for (n, input) in role.inputs.iter().enumerate().filter(|(_, input)| !is_id(input)) {
        if let Err(error) = Template::parse(input) {
            report.error_in_text("bad-expression", &inputs.index(n), error.offset, error.message);
        }
    }
    let variables = Path::Root.key("variables");
    for (n, variable) in role.variables.iter().enumerate() {
        let path = variables.index(n);
        let name = variable.name.as_str();
        if !is_id(name) {
            let message = format!(
                "`{}` is not the name of a variable: use 1 to 64 letters, digits, `-` and `_`",
                shorten(name)
            );
            report.error("bad-id", &path.key("name"), message);
        } else if BUILT_IN.contains(&name) {
            let message = format!("a variable cannot be called `{name}`: templates know that name already");
            report.error("reserved-name", &path.key("name"), message);
        } else if role.variables[..n].iter().any(|earlier| earlier.name == name) {
            let message = format!("`{name}` is declared already: declare a variable once");
            report.error("duplicate-variable", &path.key("name"), message);
        }
        if let Some(default) = &variable.default
            && !variable.kind.holds(default)
        {
            let message = format!("`default` has to be {}", variable.kind.in_words());
            report.error("wrong-type", &path.key("default"), message);
        }
        if variable.required && variable.default.is_some() {
            let message = "a variable that is required has no use for a `default`: leave one of them out";
            report.warning("no-effect", &path.key("default"), message);
        }
    }
}
