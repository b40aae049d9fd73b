//! What stands under `with` for a demo.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use workflow_core::definition::Period;
use workflow_core::expr::Template;

/// The options of the `demo` provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "demo")]
pub(super) struct DemoOptions {
    /// How long an answer takes; default: no time.
    pub(super) delay: Option<Period>,
    /// What is answered: the first in the first iteration, and so on; the last one is repeated.
    pub(super) answers: Vec<Value>,
}

impl DemoOptions {
    /// Reads options in which all `${…}` are resolved.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub(super) fn read(options: &Value) -> Result<Self, String> {
        if options.is_null() {
            return Ok(Self::default());
        }
        serde_path_to_error::deserialize(options).map_err(|error| {
            let (path, problem) = (error.path().to_string(), error.inner().to_string());
            match path.as_str() {
                "." => format!("write an object with `delay` or `answers`: {problem}"),
                _ if problem.starts_with("unknown field") => problem,
                _ => format!("`{path}`: {problem}"),
            }
        })
    }

    /// Checks options in which `${…}` may still stand for what is not known yet.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub(super) fn check(options: &Value) -> Result<(), String> {
        let mut likely = options.clone();
        for (name, value) in [("delay", json!(0)), ("answers", json!([]))] {
            if let Some(option) = likely.get_mut(name).filter(|option| holds_expression(option)) {
                *option = value;
            }
        }
        Self::read(&likely).map(drop)
    }
}

/// Whether `value` is text with a `${…}` in it; text that is not well-formed has an error of its own.
fn holds_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| Template::parse(text).map_or(true, |text| !text.is_literal()))
}
