//! The schema of an output: a file, or written where it is used.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::output_schema::{OutputSchema, SchemaError, Wrong, problems, references};

/// What stands for a schema without a file where files have their names. It is in no folder, so that what it refers to is
/// named from the home on; and no file is called so.
const INLINE: &str = "output_schema";

/// The JSON Schema that an output has to follow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum SchemaSource {
    /// The name of a schema file in the home.
    File(String),
    /// The schema itself.
    Inline(Map<String, Value>),
}

impl SchemaSource {
    /// The name of the file, if it is one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::File(name) => Some(name),
            Self::Inline(_) => None,
        }
    }

    /// The schema files that it needs: itself, or those that it refers to.
    pub(crate) fn files(&self) -> Result<Vec<String>, SchemaError> {
        match self {
            Self::File(name) => Ok(vec![name.clone()]),
            Self::Inline(schema) => references(INLINE, &Value::Object(schema.clone())),
        }
    }

    /// Compiles it. `files` are the schema files, which hold all that it refers to.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] says what is missing or wrong.
    pub fn compile(&self, files: &IndexMap<String, Value>) -> Result<OutputSchema, SchemaError> {
        match self {
            Self::File(name) => OutputSchema::compile(name, files),
            Self::Inline(schema) => OutputSchema::compile(INLINE, &with(schema, files)),
        }
    }

    /// What is wrong with a schema that is written where it is used; nothing of a file.
    pub(crate) fn problems(&self, files: &IndexMap<String, Value>) -> Vec<Wrong> {
        match self {
            Self::File(_) => Vec::new(),
            Self::Inline(schema) => problems(INLINE, &with(schema, files)),
        }
    }
}

fn with(schema: &Map<String, Value>, files: &IndexMap<String, Value>) -> IndexMap<String, Value> {
    let mut files = files.clone();
    files.insert(INLINE.to_owned(), Value::Object(schema.clone()));
    files
}

impl From<&str> for SchemaSource {
    fn from(name: &str) -> Self {
        Self::File(name.to_owned())
    }
}
