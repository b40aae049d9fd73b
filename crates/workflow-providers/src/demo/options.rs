//! The options of a demo under `with`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use workflow_core::definition::Period;
use workflow_core::failure::FailureClass;
use workflow_core::usage::Usage;

use crate::options::{self, holds_expression};

/// The options of the `demo` provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping of options")]
#[schemars(rename = "demo")]
pub(super) struct DemoOptions {
    /// How long an answer takes; default: no time.
    pub(super) delay: Option<Period>,
    /// The answers: the first in the first iteration (of the loop in whose body the node is, or else of the run), or for
    /// the first item in whose graph the node is, and so on; the last one is repeated.
    pub(super) answers: Vec<Value>,
    /// The usage that a call reports; default: unknown.
    pub(super) usage: Option<Used>,
    /// The session that a call begins, unless it is to resume one.
    pub(super) session: Option<String>,
    /// The behaviour of the first attempts of each iteration, one entry each; later attempts answer.
    pub(super) attempts: Vec<Attempt>,
}

/// The behaviour of one attempt that differs from the others.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a mapping with what one attempt does")]
pub(super) struct Attempt {
    /// How long it takes.
    pub(super) delay: Option<Period>,
    /// The usage that it reports.
    pub(super) usage: Option<Used>,
    /// How it fails; default: it does not.
    pub(super) fail: Option<Fail>,
    /// The message of the failure.
    pub(super) message: Option<String>,
    /// When the quota is reset, for a failure with `rate_limited`; default: unknown.
    pub(super) again_in: Option<Period>,
}

/// The failures that can be simulated.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", expecting = "the name of a failure")]
pub(super) enum Fail {
    Transient,
    RateLimited,
    InvalidOutput,
    Permanent,
}

/// Tokens and US dollars; omitted values are unknown.
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
    /// A message with what to write instead.
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

    /// Checks options in which a `${…}` may still stand for an unknown value.
    ///
    /// # Errors
    ///
    /// A message with what to write instead.
    pub(super) fn check(options: &Value) -> Result<(), String> {
        let mut likely = options.clone();
        leave_out(&mut likely, &["delay", "answers", "usage", "session", "attempts"]);
        for attempt in likely.get_mut("attempts").and_then(Value::as_array_mut).into_iter().flatten() {
            leave_out(attempt, &["delay", "usage", "fail", "message", "again_in"]);
        }
        Self::read(&likely).map(drop)
    }
}

/// Removes those of the fields that are not known yet. None is required.
fn leave_out(options: &mut Value, names: &[&str]) {
    if let Some(options) = options.as_object_mut() {
        options.retain(|name, value| !names.contains(&name.as_str()) || !holds_expression(value));
    }
}
