//! What stands under `with` for a demo.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use workflow_core::definition::Period;
use workflow_core::expr::Template;
use workflow_core::failure::FailureClass;
use workflow_core::usage::Usage;

use crate::options;

/// The options of the `demo` provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of options")]
#[schemars(rename = "demo")]
pub(super) struct DemoOptions {
    /// How long an answer takes; default: no time.
    pub(super) delay: Option<Period>,
    /// What is answered: the first in the first iteration, and so on; the last one is repeated.
    pub(super) answers: Vec<Value>,
    /// What a call says that it used; default: nothing is known.
    pub(super) usage: Option<Used>,
    /// The session that a call begins, unless it is to go on in one.
    pub(super) session: Option<String>,
    /// What the first attempts of each iteration do, one each; those after them answer.
    pub(super) attempts: Vec<Attempt>,
}

/// What one attempt does in another way than the rest.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping with what one attempt does")]
pub(super) struct Attempt {
    /// How long it takes.
    pub(super) delay: Option<Period>,
    /// What it says that it used.
    pub(super) usage: Option<Used>,
    /// How it fails; default: it does not.
    pub(super) fail: Option<Fail>,
    /// What it says when it fails.
    pub(super) message: Option<String>,
    /// In how long the quota is refilled, where it fails with `rate_limited`; default: nothing is known.
    pub(super) again_in: Option<Period>,
}

/// The failures that can be played.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "the name of a failure")]
pub(super) enum Fail {
    Transient,
    RateLimited,
    InvalidOutput,
    Permanent,
}

/// Tokens and US dollars; what is left out is not known.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a mapping with `input_tokens`, `output_tokens` and `cost_usd`"
)]
pub(super) struct Used {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cost_usd: Option<f64>,
}

impl From<Used> for Usage {
    fn from(Used { input_tokens, output_tokens, cost_usd }: Used) -> Self {
        Self { input_tokens, output_tokens, cost_usd }
    }
}

impl Fail {
    pub(super) fn class(self) -> FailureClass {
        match self {
            Self::Transient => FailureClass::Transient,
            Self::RateLimited => FailureClass::RateLimited,
            Self::InvalidOutput => FailureClass::InvalidOutput,
            Self::Permanent => FailureClass::Permanent,
        }
    }
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
        options::read(options).map_err(|wrong| match wrong.path.as_str() {
            "." => format!(
                "write an object with `delay`, `answers`, `usage`, `session` or `attempts`: {}",
                wrong.problem
            ),
            _ => wrong.told(),
        })
    }

    /// Checks options in which `${…}` may still stand for what is not known yet.
    ///
    /// # Errors
    ///
    /// What to write instead.
    pub(super) fn check(options: &Value) -> Result<(), String> {
        let mut likely = options.clone();
        leave_out(&mut likely, &["delay", "answers", "usage", "session", "attempts"]);
        for attempt in likely.get_mut("attempts").and_then(Value::as_array_mut).into_iter().flatten() {
            leave_out(attempt, &["delay", "usage", "fail", "message", "again_in"]);
        }
        Self::read(&likely).map(drop)
    }
}

/// Leaves out those of the members that are not known yet. None is required.
fn leave_out(options: &mut Value, names: &[&str]) {
    if let Some(options) = options.as_object_mut() {
        options.retain(|name, value| !names.contains(&name.as_str()) || !holds_expression(value));
    }
}

/// Whether `value` is text with a `${…}` in it; text that is not well-formed has an error of its own.
fn holds_expression(value: &Value) -> bool {
    value.as_str().is_some_and(|text| Template::parse(text).map_or(true, |text| !text.is_literal()))
}
