//! Checking values, with the `jsonschema` crate.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use indexmap::IndexMap;
use jsonschema::error::ValidationErrorKind;
use jsonschema::{PatternOptions, Retrieve, Uri, ValidationError, ValidationOptions, Validator};
use serde_json::Value;

use super::cost::{Cost, TooComplex};
use super::whole::whole;
use super::{SchemaError, Violation, Wrong, references};

/// At most this many problems of one value are listed.
const MOST: usize = 100;
/// A message is cut at this length: it can contain the value that is wrong.
const LONGEST: usize = 300;
/// The prefix of file names that makes them absolute.
const HOME: &str = "home:///";

#[derive(Debug)]
pub(super) struct Checker {
    validator: Validator,
    cost: Cost,
}

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
        let cost = cost(name, &whole)?;
        let validator = options(name, files).build(&schema).map_err(|error| {
            let Wrong { pointer, message } = wrong(&error);
            let message = if pointer.is_empty() { message } else { format!("{pointer}: {message}") };
            SchemaError::Invalid { file: name.to_owned(), message }
        })?;
        Ok((Self { validator, cost }, whole))
    }

    pub(super) fn check(&self, value: &Value) -> Vec<Violation> {
        if !self.cost.allows(value) {
            let message =
                "the value is too deep or too large for this schema, which takes more evaluations with \
                           each level: make it smaller"
                    .to_owned();
            return vec![Violation { path: String::new(), message }];
        }
        let mut errors = self.validator.iter_errors(value);
        let mut violations: Vec<_> = errors
            .by_ref()
            .take(MOST)
            .map(|error| Violation { path: error.instance_path().to_string(), message: shorten(&error) })
            .collect();
        if errors.next().is_some() {
            violations.push(Violation { path: String::new(), message: "and more".to_owned() });
        }
        violations
    }
}

/// Everything that is wrong with the schema file `name` as a schema.
pub(super) fn problems(name: &str, schemas: &IndexMap<String, Value>) -> Vec<Wrong> {
    let files = match files(name, schemas) {
        Ok(files) => files,
        Err(error) => return vec![error.into()],
    };
    let schema = files.get(name).cloned().unwrap_or_default();
    match jsonschema::meta::validator_for(&schema) {
        Ok(validator) => {
            let errors = validator.iter_errors(&schema).take(MOST);
            let mut found: Vec<Wrong> = Vec::new();
            for wrong in errors.map(|error| wrong(deepest(&error))) {
                // The metaschema is one of several that say the same.
                if !found.iter().any(|known| known.pointer == wrong.pointer) {
                    found.push(wrong);
                }
            }
            if !found.is_empty() {
                return found;
            }
        }
        // There is no such draft.
        Err(error) => return vec![Wrong { pointer: "/$schema".to_owned(), message: shorten(&error) }],
    }
    if let Err(error) = cost(name, &whole(name, &files)) {
        return vec![error.into()];
    }
    // What is well-formed can still refer to what is not there.
    options(name, files).build(&schema).err().map(|error| wrong(&error)).into_iter().collect()
}

fn cost(file: &str, whole: &Value) -> Result<Cost, SchemaError> {
    Cost::of(whole).map_err(|problem| {
        let message = match problem {
            TooComplex::FansOut => {
                "its definitions refer to each other so often that one value needs more than \
                                    100,000 evaluations: refer to each definition once"
            }
            TooComplex::Chain => {
                "more than 400 of its references and subschemas follow one another: shorten the chain"
            }
            TooComplex::Circles => {
                "its references lead back to where they began in several ways: let them go into \
                                    the value, with `properties` or `items`"
            }
        };
        SchemaError::TooComplex { file: file.to_owned(), message }
    })
}

fn options(name: &str, files: BTreeMap<String, Value>) -> ValidationOptions<'static> {
    jsonschema::options()
        .with_base_uri(format!("{HOME}{name}"))
        .with_retriever(Files(files))
        // In linear time, whatever the pattern and the text.
        .with_pattern_options(PatternOptions::regex())
}

/// Of the ways in which a value could have been right, what is wrong with the one that it follows furthest.
fn deepest<'e>(error: &'e ValidationError<'e>) -> &'e ValidationError<'e> {
    let ValidationErrorKind::AnyOf { context } = error.kind() else { return error };
    let depth = |error: &ValidationError<'_>| error.instance_path().as_str().matches('/').count();
    let inner = context.iter().flatten().map(|error| deepest(error)).max_by_key(|error| depth(error));
    inner.filter(|inner| depth(inner) > depth(error)).unwrap_or(error)
}

fn wrong(error: &ValidationError<'_>) -> Wrong {
    Wrong { pointer: error.instance_path().to_string(), message: shorten(error) }
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

/// A message up to a length. What is longer is not written at all: it can hold a value of many MiB.
fn shorten(message: &dyn fmt::Display) -> String {
    struct Short {
        text: String,
        rest: usize,
    }
    impl fmt::Write for Short {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            let end = part.char_indices().nth(self.rest).map_or(part.len(), |(end, _)| end);
            self.text.push_str(&part[..end]);
            self.rest -= part[..end].chars().count();
            if end < part.len() {
                self.text.push('…');
                return Err(fmt::Error);
            }
            Ok(())
        }
    }
    let mut short = Short { text: String::new(), rest: LONGEST };
    // An error says that it was cut.
    let _ = fmt::write(&mut short, format_args!("{message}"));
    short.text
}
