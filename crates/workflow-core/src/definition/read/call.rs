//! Reading the fields that stages, their providers and nodes have in common: how a provider is called.

use indexmap::IndexMap;
use serde_json::Value;

use super::fields::{Fields, wrong_type};
use crate::definition::model::{
    Budget, OnFailure, OnInterrupt, OutputFormat, Path, PromptTemplate, SchemaSource, SessionMode, shorten,
};
use crate::definition::report::Report;
use crate::definition::yaml::{Entry, Kind};
use crate::exact;

/// The limits of a call, a stage or a run.
pub(crate) fn budget(
    fields: &mut Fields<'_, '_>,
    parent: &Path<'_>,
    report: &mut Report<'_>,
) -> Option<Budget> {
    let path = parent.key("budget");
    let mut fields = Fields::of(fields.take("budget")?, &path, report);
    let budget = Budget {
        cost_usd: fields.amount("cost_usd", report),
        tokens: fields.count("tokens", report),
        time: fields.period("time", report),
    };
    fields.finish(report);
    Some(budget)
}

/// The variables of the environment. They become texts, so a number that would not read as it is
/// written (`0x10`) has to be one already.
pub(crate) fn env(
    fields: &mut Fields<'_, '_>,
    parent: &Path<'_>,
    report: &mut Report<'_>,
) -> IndexMap<String, Value> {
    let path = parent.key("env");
    let entries = fields.map("env", report).unwrap_or_default();
    for Entry { key, value, .. } in entries {
        let Kind::Scalar(_, Value::Number(number)) = &value.kind else { continue };
        if value.number.is_some() {
            continue;
        }
        let shown = number.to_string();
        let written = value.end.offset - value.start.offset;
        // A `+` in an exponent may be left out.
        if shown.len() != written && shown.replace("e+", "e").len() != written {
            let message =
                format!("`{}` would become {number}: put it in quotes to keep it as it is", shorten(key));
            report.error("ambiguous-number", &path.key(key), message);
        }
    }
    entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect()
}

/// The options of the provider.
pub(crate) fn options(
    fields: &mut Fields<'_, '_>,
    report: &mut Report<'_>,
) -> Option<serde_json::Map<String, Value>> {
    let entries = fields.map("with", report)?;
    Some(entries.iter().map(|entry| (entry.key.clone(), entry.value.to_value())).collect())
}

/// Whether the output is read as JSON.
pub(crate) fn output(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Option<OutputFormat> {
    fields.choice("output", &[("text", OutputFormat::Text), ("json", OutputFormat::Json)], report)
}

/// The grammar of the prompt.
pub(crate) fn template(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Option<PromptTemplate> {
    fields.choice("template", &[("handlebars", PromptTemplate::Handlebars)], report)
}

/// The schema of an output: the name of a file, or the schema itself.
pub(crate) fn output_schema(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Option<SchemaSource> {
    let node = fields.take("output_schema")?;
    let path = fields.path("output_schema");
    match &node.kind {
        Kind::Scalar(_, Value::String(name)) => return Some(SchemaSource::File(name.clone())),
        Kind::Map(_) => match exact::plain(node.to_value()) {
            Ok(Value::Object(schema)) => return Some(SchemaSource::Inline(schema)),
            Ok(_) => {}
            Err(error) => {
                let message = format!("{error}; what reads schemas keeps numbers of 64 bits");
                report.refuse("bad-schema", &path, message);
            }
        },
        _ => wrong_type(node, "the name of a schema file, or a schema as a mapping", &path, report),
    }
    None
}

/// Whether a call continues the session of the last one.
pub(crate) fn session(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Option<SessionMode> {
    let modes = [("new", SessionMode::New), ("continue", SessionMode::Continue)];
    fields.choice("session", &modes, report)
}

/// What a failure does.
pub(crate) fn on_failure(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Option<OnFailure> {
    let choices = [("stop", OnFailure::Stop), ("continue", OnFailure::Continue), ("retry", OnFailure::Retry)];
    fields.choice("on_failure", &choices, report)
}

/// What follows from the interruption of a call.
pub(crate) fn on_interrupt(fields: &mut Fields<'_, '_>, report: &mut Report<'_>) -> Option<OnInterrupt> {
    fields.choice("on_interrupt", &[("rerun", OnInterrupt::Rerun), ("ask", OnInterrupt::Ask)], report)
}
