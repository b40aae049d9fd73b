//! From the text of a role file to a [`Role`].

use serde_json::Value;

use super::fields::{Fields, wrong_type};
use super::schema::read_value;
use crate::definition::check::file;
use crate::definition::model::{Diagnostic, Path};
use crate::definition::report::Report;
use crate::definition::yaml::{self, Kind, Node, Place};
use crate::ids::RoleId;
use crate::role::{Role, Variable, VariableType};

/// The types of variables, as they are written.
pub(super) const TYPES: [(&str, VariableType); 6] = [
    ("string", VariableType::String),
    ("number", VariableType::Number),
    ("integer", VariableType::Integer),
    ("boolean", VariableType::Boolean),
    ("array", VariableType::Array),
    ("object", VariableType::Object),
];

/// A role file in its parts.
pub(crate) struct Parts<'t> {
    /// From the beginning to the line that closes the front matter, without it: YAML as it stands.
    pub front: &'t str,
    pub body: &'t str,
    /// The line of the file in which the body begins.
    pub body_line: u32,
}

impl Parts<'_> {
    /// Whether there is more than the lines around it.
    pub(crate) fn has_front(&self) -> bool {
        self.front.lines().skip(1).any(|line| !line.trim().is_empty())
    }
}

/// Takes a file apart, or says why that cannot be done.
pub(crate) fn parts(text: &[u8]) -> Result<Parts<'_>, Box<Diagnostic>> {
    let refused = |code, (line, column), message: String| {
        Err(Box::new(Diagnostic::error(code, "", message).at(line, column)))
    };
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
        let message = format!(
            "the control character {} is not allowed in a file: remove it",
            character.escape_unicode()
        );
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

/// The front matter of a role or a skill, between two lines of `---` at the beginning of its text; `None` where there is
/// none, or none that can be read.
///
/// ```
/// use serde_json::json;
/// use workflow_core::definition::read_front_matter;
///
/// assert_eq!(read_front_matter(b"---\nname: Lists\n---\nWrite lists.\n"), Some(json!({ "name": "Lists" })));
/// assert_eq!(read_front_matter(b"Write lists.\n"), None);
/// ```
pub fn read_front_matter(text: &[u8]) -> Option<Value> {
    let parts = parts(text).ok().filter(Parts::has_front)?;
    read_value(parts.front.as_bytes()).ok()
}

/// The line and column after a text, counted from 1.
fn after(text: &str) -> (u32, u32) {
    let line = text.rsplit('\n').next().unwrap_or_default();
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    (number(text.matches('\n').count()), number(line.chars().count()))
}

/// Reads the front matter. Everything that is left out or replaced has an error in `report`.
pub(crate) fn role(
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
    let kind = fields.choice("type", &TYPES, report).unwrap_or_default();
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
