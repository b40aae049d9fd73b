//! Reading schema files, and saying what is wrong with them at its place.

use indexmap::IndexMap;
use serde_json::Value;

use crate::definition::model::{Diagnostic, shorten};
use crate::definition::report::Report;
use crate::definition::yaml::{self, Kind, Node, Place};
use crate::exact;
use crate::output_schema::{SchemaError, Wrong, problems, references};
use crate::suggest::{did_you_mean, one_of};

/// Reads the text of a schema file, JSON or YAML, within the limits of [`parse`](crate::definition::parse()).
///
/// # Errors
///
/// What is wrong with the text.
pub fn read_schema(text: &[u8]) -> Result<Value, Vec<Diagnostic>> {
    schema(text).map(|(_, value)| value)
}

/// The same with its tree, to be checked when everything that it refers to was read.
pub(crate) fn schema(text: &[u8]) -> Result<(Node, Value), Vec<Diagnostic>> {
    let tree = tree(text)?;
    match exact::plain(tree.to_value()) {
        Ok(value) => Ok((tree, value)),
        Err(error) => {
            let message = format!("{error}; what reads schemas keeps numbers of 64 bits");
            Err(vec![placed(Wrong { pointer: error.path.clone(), message }, &tree)])
        }
    }
}

/// Reads a value in JSON or YAML, within the limits of [`parse`](crate::definition::parse()). Its numbers are as they are written:
/// see [`Data::exact_value`](crate::data::Data::exact_value).
///
/// # Errors
///
/// What is wrong with the text.
pub fn read_value(text: &[u8]) -> Result<Value, Vec<Diagnostic>> {
    tree(text).map(|tree| tree.to_value())
}

/// Says everything that is wrong with the schema file `name`, whose text is `text`: as a text, as a JSON
/// Schema, and in what it refers to. `schemas` are the files that there are, by their names in the home, this
/// one among them.
///
/// Without the feature `json-schema` nothing is said about what only a checker of schemas knows.
///
/// ```
/// use serde_json::json;
/// use workflow_core::definition::check_schema;
///
/// let text = b"{\n  \"items\": { \"$ref\": \"lost.json\" }\n}";
/// let schemas = [("a.json".to_owned(), json!({ "items": { "$ref": "lost.json" } }))].into();
/// let found = check_schema("a.json", text, &schemas);
/// assert_eq!(found[0].to_string(), "2:22: error[missing-schema]: there is no schema file `lost.json` in the home");
/// ```
pub fn check_schema(name: &str, text: &[u8], schemas: &IndexMap<String, Value>) -> Vec<Diagnostic> {
    match tree(text) {
        Ok(tree) => check_tree(name, &tree, schemas),
        Err(diagnostics) => diagnostics,
    }
}

/// The same for one that was read.
pub(crate) fn check_tree(name: &str, tree: &Node, schemas: &IndexMap<String, Value>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut open = vec![tree];
    while let Some(node) = open.pop() {
        match &node.kind {
            Kind::Map(entries) => {
                found.extend(node.get("$ref").and_then(|entry| reference(name, &entry.value, schemas)));
                let data = ["const", "enum", "default", "examples"];
                let schemas = entries.iter().filter(|entry| !data.contains(&entry.key.as_str()));
                open.extend(schemas.map(|entry| &entry.value));
            }
            Kind::List(items) => open.extend(items),
            Kind::Scalar(..) => {}
        }
    }
    if found.is_empty() {
        found = problems(name, schemas).into_iter().map(|wrong| placed(wrong, tree)).collect();
    }
    found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    found
}

fn tree(text: &[u8]) -> Result<Node, Vec<Diagnostic>> {
    let (tree, problems) = yaml::read(text);
    let mut report =
        Report::new(tree.as_ref().map(|tree| (std::str::from_utf8(text).unwrap_or_default(), tree)));
    for problem in problems {
        report.yaml(problem);
    }
    let diagnostics = report.finish();
    tree.filter(|_| diagnostics.is_empty()).ok_or(diagnostics)
}

/// What is wrong with one reference.
fn reference(name: &str, node: &Node, schemas: &IndexMap<String, Value>) -> Option<Diagnostic> {
    let Kind::Scalar(_, value @ Value::String(_)) = &node.kind else { return None };
    let at = |code, message: String| {
        Diagnostic::error(code, "$ref", message).at(node.start.line, node.start.column)
    };
    match references(name, &serde_json::json!({ "$ref": value })) {
        Err(error) => Some(at("bad-schema", error.to_string())),
        Ok(files) => {
            let lost = files.into_iter().find(|file| !schemas.contains_key(file))?;
            Some(at("missing-schema", missing(&lost, schemas)))
        }
    }
}

fn missing(name: &str, schemas: &IndexMap<String, Value>) -> String {
    let near = did_you_mean(name, schemas.keys().map(String::as_str));
    format!("there is no schema file `{name}` in the home{near}")
}

fn placed(Wrong { pointer, message }: Wrong, tree: &Node) -> Diagnostic {
    let (mut place, mut node) = (tree.start, Some(tree));
    let keys = pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~"));
    for key in keys {
        let Some(found) = node.and_then(|node| inside(node, &key)) else { break };
        (place, node) = (found.0, Some(found.1));
    }
    if pointer.is_empty()
        && let Some((text, node)) = reference_in(&message, tree)
    {
        let message = format!("`{text}` refers to nothing that is there");
        return Diagnostic::error("bad-schema", "$ref", message).at(node.start.line, node.start.column);
    }
    let message = explained(&pointer, node, message);
    Diagnostic::error("bad-schema", pointer, message).at(place.line, place.column)
}

/// The reference that a message without a place is about.
fn reference_in<'t>(message: &str, tree: &'t Node) -> Option<(&'t str, &'t Node)> {
    let mut open = vec![tree];
    while let Some(node) = open.pop() {
        match &node.kind {
            Kind::Map(entries) => {
                for entry in entries {
                    let Kind::Scalar(_, Value::String(text)) = &entry.value.kind else { continue };
                    let name = text.split_once('#').map_or(text.as_str(), |(_, name)| name);
                    let is_reference = matches!(entry.key.as_str(), "$ref" | "$dynamicRef" | "$recursiveRef");
                    if is_reference && message.contains(&format!("'{name}'")) {
                        return Some((text, &entry.value));
                    }
                }
                open.extend(entries.iter().map(|entry| &entry.value));
            }
            Kind::List(items) => open.extend(items),
            Kind::Scalar(..) => {}
        }
    }
    None
}

/// A value of a schema: a text has its own place, everything else that of its key.
fn inside<'t>(node: &'t Node, key: &str) -> Option<(Place, &'t Node)> {
    if let Some(entry) = node.get(key) {
        let is_scalar = matches!(entry.value.kind, Kind::Scalar(..));
        return Some((if is_scalar { entry.value.start } else { entry.at }, &entry.value));
    }
    node.item(key.parse().ok()?).map(|item| (item.start, item))
}

/// What to write instead, where that is known better than the checker of schemas says it.
fn explained(pointer: &str, node: Option<&Node>, message: String) -> String {
    let text = node.and_then(|node| match &node.kind {
        Kind::Scalar(_, Value::String(text)) => Some(text.as_str()),
        _ => None,
    });
    said(pointer, text, matches!(node.map(|node| &node.kind), Some(Kind::Map(_))), message)
}

/// The same for a schema that is written where it is used.
pub(crate) fn explained_value(pointer: &str, value: Option<&Value>, message: String) -> String {
    said(pointer, value.and_then(Value::as_str), value.is_some_and(Value::is_object), message)
}

fn said(pointer: &str, text: Option<&str>, is_mapping: bool, message: String) -> String {
    const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];
    let mut keys: Vec<_> = pointer.split('/').collect();
    if let [.., "type", number] = keys[..]
        && number.parse::<usize>().is_ok()
    {
        // Types can be a list.
        keys.pop();
    }
    let key = match keys[..] {
        // There, keys are names of the author's choice.
        [.., "properties" | "patternProperties" | "$defs" | "definitions", _] | [] => None,
        [.., key] => Some(key),
    };
    match (key, text) {
        (Some("type"), None) => format!("`type` has to be {}, or a list of such", one_of(TYPES.into_iter())),
        (Some("type"), Some(text)) => {
            let near = did_you_mean(text, TYPES);
            format!("`{}` is not a type: write {}{near}", shorten(text), one_of(TYPES.into_iter()))
        }
        (Some("pattern"), Some(_)) => {
            "`pattern` cannot be used as a regular expression: it has a syntax error, look-around or \
             back-references, or is too large"
                .to_owned()
        }
        (Some("$schema"), _) => {
            "`$schema` names an unknown draft: write `https://json-schema.org/draft/2020-12/schema` or \
             `http://json-schema.org/draft-07/schema#`, or leave it out"
                .to_owned()
        }
        _ if pointer.is_empty() && !is_mapping => {
            "a schema has to be a mapping, or `true` or `false`".to_owned()
        }
        _ => message,
    }
}

impl From<SchemaError> for Wrong {
    fn from(error: SchemaError) -> Self {
        Self { pointer: String::new(), message: error.to_string() }
    }
}
