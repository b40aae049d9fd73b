//! JSON Schemas that outputs have to follow.
//!
//! A schema is a file of the home. It may refer to other files there, relative to itself, and to nothing
//! else: nothing is ever fetched. The draft is what its `$schema` says, 2020-12 where it says nothing.
//! A file's name is its identity, so an `$id` at its top is not looked at.
//!
//! How much work checking can be is estimated from the schema, and for each value from its size: a schema that
//! fans out too far is refused when it is compiled ([`SchemaError::TooComplex`]), and a value for which a recursive
//! schema multiplies too often is a [`Violation`].
//!
//! Schemas are checked with the feature `json-schema`; without it, compiling one is an error that says so.

#[cfg(feature = "json-schema")]
mod check;
#[cfg(not(feature = "json-schema"))]
#[path = "without.rs"]
mod check;
#[cfg(feature = "json-schema")]
mod cost;
mod error;
mod references;
#[cfg(feature = "json-schema")]
mod whole;

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::Value;

use crate::exact;

pub(crate) use error::Wrong;
pub use error::{SchemaError, Violation};
pub use references::references;

/// A schema, compiled.
#[derive(Debug)]
pub struct OutputSchema {
    value: Arc<Value>,
    checker: check::Checker,
}

/// What is wrong with the schema file `name`; nothing where schemas cannot be checked.
pub(crate) fn problems(name: &str, schemas: &IndexMap<String, Value>) -> Vec<Wrong> {
    check::problems(name, schemas)
}

impl OutputSchema {
    /// Compiles the schema file `name`, one of `schemas`, which are known by their names in the home and
    /// hold all that it refers to.
    ///
    /// # Errors
    ///
    /// [`SchemaError`] says what is missing or wrong.
    pub fn compile(name: &str, schemas: &IndexMap<String, Value>) -> Result<Self, SchemaError> {
        let (checker, value) = check::Checker::new(name, schemas)?;
        Ok(Self { value: Arc::new(value), checker })
    }

    /// The schema with all that it refers to in one, as a provider can be given it.
    pub fn value(&self) -> &Arc<Value> {
        &self.value
    }

    /// Everything that is wrong with `value`, at most 100 things; none when it follows the schema.
    ///
    /// `value` may be an [exact](crate::data::Data::exact_value) one. A number that 64 bits do not hold follows the
    /// schema if its neighbours do that they can hold, the one below it and the one above it.
    pub fn check(&self, value: &Value) -> Vec<Violation> {
        let Some((below, above)) = exact::bounds(value) else { return self.checker.check(value) };
        let mut violations = self.checker.check(&below);
        for violation in self.checker.check(&above) {
            if !violations.contains(&violation) {
                violations.push(violation);
            }
        }
        violations
    }
}
