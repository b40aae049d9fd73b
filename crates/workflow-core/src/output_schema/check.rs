//! Checking values, with the `jsonschema` crate.

use std::collections::BTreeMap;
use std::error::Error;

use indexmap::IndexMap;
use jsonschema::{PatternOptions, Retrieve, Uri, Validator};
use serde_json::Value;

use super::whole::whole;
use super::{SchemaError, Violation, references};

/// What is wrong with one value is told up to here.
const MOST: usize = 100;
/// A message is told up to here: it can hold the value that is wrong.
const LONGEST: usize = 300;
/// Stands before the names of files, so that they are absolute.
const HOME: &str = "home:///";

#[derive(Debug)]
pub(super) struct Checker(Validator);

/// The files that a schema can refer to.
struct Files(BTreeMap<String, Value>);

impl Retrieve for Files {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        let name = uri.as_str().strip_prefix(HOME).unwrap_or(uri.as_str());
        self.0.get(name).cloned().ok_or_else(|| SchemaError::Missing(name.to_owned()).into())
    }
}

impl Checker {
    /// The checker, and the schema with all that it refers to in one.
    pub(super) fn new(name: &str, schemas: &IndexMap<String, Value>) -> Result<(Self, Value), SchemaError> {
        let files = files(name, schemas)?;
        let schema = files.get(name).cloned().unwrap_or_default();
        let whole = whole(name, &files);
        let options = jsonschema::options()
            .with_base_uri(format!("{HOME}{name}"))
            .with_retriever(Files(files))
            // In linear time, whatever the pattern and the text.
            .with_pattern_options(PatternOptions::regex());
        let invalid = |message: String| SchemaError::Invalid { file: name.to_owned(), message };
        let checker = options.build(&schema).map_err(|error| {
            invalid(match error.instance_path().as_str() {
                "" => shorten(&error.to_string()),
                path => format!("{path}: {}", shorten(&error.to_string())),
            })
        })?;
        Ok((Self(checker), whole))
    }

    pub(super) fn check(&self, value: &Value) -> Vec<Violation> {
        let mut errors = self.0.iter_errors(value);
        let mut violations: Vec<_> = errors
            .by_ref()
            .take(MOST)
            .map(|error| Violation {
                path: error.instance_path().to_string(),
                message: shorten(&error.to_string()),
            })
            .collect();
        if errors.next().is_some() {
            violations.push(Violation { path: String::new(), message: "and more".to_owned() });
        }
        violations
    }
}

/// The file `name` and all that it refers to, by their names.
fn files(name: &str, schemas: &IndexMap<String, Value>) -> Result<BTreeMap<String, Value>, SchemaError> {
    let mut files = BTreeMap::new();
    let mut open = vec![name.to_owned()];
    while let Some(name) = open.pop() {
        if files.contains_key(&name) {
            continue;
        }
        let mut schema = schemas.get(&name).cloned().ok_or_else(|| SchemaError::Missing(name.clone()))?;
        open.extend(references(&name, &schema)?);
        if let Value::Object(members) = &mut schema {
            members.shift_remove("$id");
        }
        files.insert(name, schema);
    }
    Ok(files)
}

fn shorten(message: &str) -> String {
    let mut short: String = message.chars().take(LONGEST).collect();
    if short.len() < message.len() {
        short.push('…');
    }
    short
}
