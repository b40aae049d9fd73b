//! From the text of a role file to a [`Role`].

use serde_json::Value;

use super::Diagnostic;
use super::check::{file, id};
use super::fields::{Fields, wrong_type};
use super::model::Workflow;
use super::path::{Path, shorten};
use super::report::Report;
use super::role::{Role, Variable, VariableType};
use super::yaml::{self, Kind, Node, Place};
use crate::exact;
use crate::expr::Template;
use crate::ids::{RoleId, StageId, is_id};
use crate::role::{Known, is_helper, known, problems};

/// A role file in its parts.
pub(super) struct Parts<'t> {
    /// From the beginning to the line that closes the front matter, without it: YAML as it stands.
    pub front: &'t str,
    pub body: &'t str,
    /// The line of the file in which the body begins.
    pub body_line: u32,
}

impl Parts<'_> {
    /// Whether there is more than the lines around it.
    pub(super) fn has_front(&self) -> bool {
        self.front.lines().skip(1).any(|line| !line.trim().is_empty())
    }
}

/// Takes a file apart, or says why that cannot be done.
pub(super) fn parts(text: &[u8]) -> Result<Parts<'_>, Diagnostic> {
    let refused =
        |code, (line, column), message: String| Err(Diagnostic::error(code, "", message).at(line, column));
    if text.len() > yaml::MAX_BYTES {
        let message = format!("the file has {} bytes: at most {} are read", text.len(), yaml::MAX_BYTES);
        return refused("too-large", (1, 1), message);
    }
    let whole = match std::str::from_utf8(text) {
        Ok(whole) => whole,
        Err(error) => {
            let before = String::from_utf8_lossy(&text[..error.valid_up_to()]);
            let message = "the file is not UTF-8: save it in that encoding".to_owned();
            return refused("not-utf8", after(&before), message);
        }
    };
    let is_bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{85}');
    if let Some((offset, character)) = whole.char_indices().find(|(_, c)| is_bad(*c)) {
        let message =
            format!("the control character {} cannot stand in a file: remove it", character.escape_unicode());
        return refused("control-character", after(&whole[..offset]), message);
    }
    let text = whole.strip_prefix('\u{feff}').unwrap_or(whole);
    let mut lines = text.split_inclusive('\n');
    let is_fence = |line: &str| line.trim_end() == "---";
    let Some(first) = lines.next().filter(|line| is_fence(line)) else {
        return Ok(Parts { front: "", body: text, body_line: 1 });
    };
    let (mut offset, mut number) = (whole.len() - text.len() + first.len(), 2);
    for line in lines {
        if is_fence(line) {
            let body = &whole[offset + line.len()..];
            return Ok(Parts { front: &whole[..offset], body, body_line: number + 1 });
        }
        offset += line.len();
        number += 1;
    }
    let message = "the front matter is not closed: write `---` on a line of its own after it";
    refused("open-front-matter", (1, 1), message.to_owned())
}

/// The line and column after a text, counted from 1.
fn after(text: &str) -> (u32, u32) {
    let line = text.rsplit('\n').next().unwrap_or_default();
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    (number(text.matches('\n').count()), number(line.chars().count()))
}

/// Reads the front matter. Everything that is left out or replaced has an error in `report`.
pub(super) fn role(
    front: Option<&Node>,
    body: &str,
    file_id: Option<&RoleId>,
    report: &mut Report<'_>,
) -> Option<Role> {
    let path = Path::Root;
    let empty = Node { start: Place::START, end: Place::START, kind: Kind::Map(Vec::new()), number: None };
    let front = front.filter(|node| !node.is_null()).unwrap_or(&empty);
    let mut fields = Fields::of(front, &path, report);
    let id = role_id(&mut fields, file_id, report);
    let schema = fields.text("output_schema", report).or_else(|| older_schema(&mut fields, report));
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

/// The schema under the name that older files have for it.
fn older_schema(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Option<String> {
    let schema = fields.text("outputSchema", report)?;
    file(&schema, &Path::Root.key("outputSchema"), report);
    // It has been checked, at its place.
    report.settle("output_schema".to_owned());
    Some(schema)
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
        } else if is_helper(name) || matches!(name, "this" | "true" | "false" | "null" | "else" | "as") {
            let message =
                format!("a variable cannot be called `{name}`: that word means something in templates");
            report.error("reserved-name", &path.key("name"), message);
        } else if role.variables[..n].iter().any(|earlier| earlier.name == name) {
            let message = format!("`{name}` is declared already: declare a variable once");
            report.error("duplicate-variable", &path.key("name"), message);
        }
        if let Some(default) = &variable.default
            && !variable.kind.holds(&exact::rounded(default.clone()))
        {
            let (words, kind) = (variable.kind.in_words(), variable.kind.name());
            let message = format!(
                "`default` has to be {words} where the type is `{kind}`: change the one or the other"
            );
            report.error("wrong-type", &path.key("default"), message);
        }
        if variable.required && variable.default.is_some() {
            let message = "a variable that is required has no use for a `default`: leave one of them out";
            report.warning("no-effect", &path.key("default"), message);
        }
    }
}

/// What is wrong with the templates of a role. What is wrong with its guards is reported at their places in the
/// front matter; what is wrong with its body is returned, at its place in the file.
pub(super) fn templates(
    role: &Role,
    body_line: u32,
    workflow: Option<&Workflow>,
    report: &mut Report<'_>,
) -> Vec<Diagnostic> {
    let names = match workflow {
        Some(workflow) => known(role, workflow.stages.keys().map(StageId::as_str)),
        None => Known::Open,
    };
    let guards = Path::Root.key("guards");
    let mut body = Vec::new();
    for problem in problems(role, &names) {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (line, column) = (number(problem.line), number(problem.column));
        match problem.guard {
            Some(guard) => {
                let offset =
                    role.guards.get(guard).map_or(0, |text| offset(text, problem.line, problem.column));
                report.error_in_text("bad-template", &guards.index(guard), offset, problem.message);
            }
            None if body_line == 0 => {
                let message = format!("line {line}, column {column}: {}", problem.message);
                body.push(Diagnostic::error("bad-template", "body", message));
            }
            None => {
                let place = Diagnostic::error("bad-template", "body", problem.message);
                body.push(place.at(body_line.saturating_add(line).saturating_sub(1), column));
            }
        }
    }
    body.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    body
}

/// How many bytes stand before a line and column.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let in_line = text[before..].char_indices().nth(column.saturating_sub(1));
    in_line.map_or(text.len(), |(in_line, _)| before + in_line)
}
