//! Whether an output has the required form.

use std::fmt::Write as _;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::data::Data;
use crate::failure::{Failure, FailureClass};
use crate::ids::RoleId;
use crate::machine::request::text::text;
use crate::output_schema::OutputSchema;
use crate::plan::{CallPlan, Plan};
use crate::provider::Reply;

/// How much of a wrong output is written to the log, and sent back to the provider.
const SHOWN: usize = 4096;

/// The schema that the output of a call has to follow: its own, or its role's.
pub(in crate::machine) fn schema<'p>(
    plan: &'p Plan,
    call: &'p CallPlan,
    role: Option<&RoleId>,
) -> Option<&'p Arc<OutputSchema>> {
    call.schema.as_ref().or_else(|| plan.roles.get(role?)?.schema.as_ref())
}

/// A reply's output as the call wants it: parsed where it has to be JSON, checked where it has to follow
/// a schema.
pub(in crate::machine) fn output(
    call: &CallPlan,
    schema: Option<&Arc<OutputSchema>>,
    output: Data,
) -> Result<Data, Failure> {
    if !call.is_json && schema.is_none() {
        return Ok(output);
    }
    let parsed = match output.exact_value() {
        Value::String(text) => match Reply::parse_json(&text) {
            Ok(reply) => reply.output,
            // A schema can ask for a text.
            Err(_) if schema.is_some_and(|schema| schema.check(&Value::String(text.clone())).is_empty()) => {
                return Ok(output);
            }
            Err(error) => return Err(with_output(*error.failure, &output)),
        },
        _ => output,
    };
    match schema {
        Some(schema) => check(schema, parsed),
        None => Ok(parsed),
    }
}

/// The output of a failed call that has to return JSON: parsed if it is JSON.
pub(in crate::machine) fn partial(output: Data) -> Data {
    match output.exact_value() {
        Value::String(text) => Reply::parse_json(&text).map_or(output, |reply| reply.output),
        _ => output,
    }
}

/// Checks `output` against a schema.
pub(in crate::machine) fn check(schema: &OutputSchema, output: Data) -> Result<Data, Failure> {
    let violations = schema.check(&output.exact_value());
    if violations.is_empty() {
        return Ok(output);
    }
    let errors: Vec<_> = violations
        .iter()
        .map(|violation| json!({ "path": violation.path, "message": violation.message }))
        .collect();
    let shown: Vec<_> = violations
        .iter()
        .take(5)
        .map(|violation| match violation.path.as_str() {
            "" => violation.message.clone(),
            path => format!("{path}: {}", violation.message),
        })
        .collect();
    let more = violations.len() - shown.len();
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    let message = format!("the output does not follow its schema: {}{more}", shown.join("; "));
    let failure =
        Failure::new(FailureClass::InvalidOutput, message).with_details(json!({ "errors": errors }));
    Err(with_output(failure, &output))
}

/// Adds the wrong output to the details of `failure`.
fn with_output(mut failure: Failure, output: &Data) -> Failure {
    let text = text(output.exact_value());
    let shown: String = text.chars().take(SHOWN).collect();
    let cut = shown.len() < text.len();
    let mut details = failure.details.take().unwrap_or_else(|| json!({}));
    if let Value::Object(members) = &mut details {
        members.insert("output".into(), shown.into());
        if cut {
            members.insert("output_cut".into(), true.into());
        }
    }
    failure.details = Some(details);
    failure
}

/// The text that is sent to a provider whose last output was wrong.
#[cold]
pub(in crate::machine) fn correction(failure: &Failure) -> String {
    let mut text = String::from("Your last answer was not accepted.");
    let details = failure.details.as_ref();
    let errors = details.and_then(|details| details.get("errors")?.as_array());
    match errors {
        Some(errors) => {
            text.push_str(" It does not follow the schema:\n");
            for error in errors {
                let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
                let path = if part("path").is_empty() { "(the whole)" } else { part("path") };
                // Writing to a `String` cannot fail.
                let _ = write!(text, "\n- {path}: {}", part("message"));
            }
        }
        None => {
            let _ = write!(text, " {}", failure.message);
        }
    }
    if let Some(output) = details.and_then(|details| details.get("output")?.as_str()) {
        text.push_str("\n\nThe answer was:\n\n");
        text.push_str(output);
    }
    text.push_str("\n\nAnswer again, with nothing but the corrected answer.");
    text
}
