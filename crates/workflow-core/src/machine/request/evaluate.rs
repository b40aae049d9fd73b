//! The nodes that make no call: `reduce`, `branch`, `export`, `set`, `end`, and the items of a `foreach`.

use foldhash::fast::RandomState;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde_json::Value;

use crate::data::Data;
use crate::definition::{self, ReduceStrategy};
use crate::exact;
use crate::expr::Template;
use crate::failure::{Failure, FailureClass};
use crate::machine::request::answer;
use crate::machine::request::scope::{RunScope, document_of};
use crate::machine::request::text::text;
use crate::plan::{ChildPlan, EndPlan, ForeachPlan, Items, NodeKind, Source};

/// The output of a node that makes no call.
pub(in crate::machine) fn output(
    kind: &NodeKind,
    scope: &RunScope<'_>,
    needs: &[usize],
) -> Result<Data, Failure> {
    match kind {
        NodeKind::Reduce { from, strategy } => reduce(*strategy, &values(from, scope)),
        NodeKind::Branch(arms) => {
            let document = document_of(scope, needs, arms.iter().map(|arm| &arm.condition));
            let taken = arms.iter().find(|arm| arm.condition.eval(&document));
            let names = taken.map(|arm| arm.then.iter().cloned().map(Value::String).collect());
            Ok(Data::new(&Value::Array(names.unwrap_or_default())))
        }
        NodeKind::Export { from, schema } => {
            let data = scope.source(from).unwrap_or_default();
            match schema {
                Some(schema) => answer::check(schema, data),
                None => Ok(data),
            }
        }
        NodeKind::End(end) => ending(end, scope),
        // Shared with what has it already: it can be large.
        NodeKind::Set(value) => match value.as_name().and_then(|name| scope.whole(name)) {
            Some(data) => Ok(data),
            None => match value.render(scope) {
                Ok(value) => Ok(Data::new(&value)),
                Err(error) => Err(failure(format!("value: {error}"))),
            },
        },
        NodeKind::Call(_)
        | NodeKind::Foreach(_)
        | NodeKind::Loop(_)
        | NodeKind::Body(_)
        | NodeKind::Ask(_)
        | NodeKind::Wait(_)
        | NodeKind::Workflow(_) => Ok(Data::NULL),
    }
}

/// What is stored of a node that ends the run: how it ends, why, and the output.
fn ending(end: &EndPlan, scope: &RunScope<'_>) -> Result<Data, Failure> {
    let mut ending = serde_json::Map::new();
    let status = serde_json::to_value(end.status).unwrap_or_default();
    ending.insert("status".to_owned(), status);
    if let Some(reason) = &end.reason {
        let reason = reason.render_text(scope).map_err(|error| failure(format!("reason: {error}")))?;
        ending.insert("reason".to_owned(), Value::String(reason));
    }
    if let Some(output) = &end.output {
        let output = output.render(scope).map_err(|error| failure(format!("output: {error}")))?;
        ending.insert("output".to_owned(), output);
    }
    Ok(Data::new(&Value::Object(ending)))
}

/// The items of a `foreach`: an array.
pub(in crate::machine) fn items(foreach: &ForeachPlan, scope: &RunScope<'_>) -> Result<Data, Failure> {
    let data = match &foreach.items {
        Items::Of(source) => scope.source(source).unwrap_or_default(),
        // Shared with what has it already: there can be many.
        Items::Value(template) => match template.as_name().and_then(|name| scope.whole(name)) {
            Some(data) => data,
            None => match template.render(scope) {
                Ok(value) => Data::new(&value),
                Err(error) => return Err(failure(format!("items: {error}"))),
            },
        },
    };
    if data.json().starts_with('[') {
        return Ok(data);
    }
    Err(failure(format!("items: must be a list, found {}", kind_of(&data.exact_value()))))
}

/// The variables that a node gives to the workflow that it runs.
pub(in crate::machine) fn vars(
    child: &ChildPlan,
    scope: &RunScope<'_>,
) -> Result<IndexMap<String, Data>, Failure> {
    let mut vars = IndexMap::with_capacity(child.vars.len());
    for (name, template) in &child.vars {
        // Shared with what has it already: it can be large.
        let value = match template.as_name().and_then(|name| scope.whole(name)) {
            Some(data) => data,
            None => match template.render(scope) {
                Ok(value) => Data::new(&value),
                Err(error) => return Err(failure(format!("vars.{name}: {error}"))),
            },
        };
        vars.insert(name.clone(), value);
    }
    Ok(vars)
}

/// The time until which a node waits.
pub(in crate::machine) fn until(template: &Template, scope: &RunScope<'_>) -> Result<Timestamp, Failure> {
    let text = template.render_text(scope).map_err(|error| failure(format!("until: {error}")))?;
    definition::time(&text).map_err(|error| failure(format!("until: {error}")))
}

/// The values that a `reduce` node combines.
pub(in crate::machine) fn values(from: &[Source], scope: &RunScope<'_>) -> Vec<Data> {
    let mut values: Vec<_> = from.iter().filter_map(|source| scope.source(source)).collect();
    if let ([_], [only]) = (from, values.as_slice())
        && let Some(elements) = only.elements()
    {
        values = (0..elements.len()).filter_map(|n| elements.get(n)).collect();
    }
    values
}

fn reduce(strategy: ReduceStrategy, values: &[Data]) -> Result<Data, Failure> {
    match strategy {
        ReduceStrategy::Concat => Ok(concat(values)),
        ReduceStrategy::Merge => {
            let mut merged = serde_json::Map::new();
            for value in values {
                match value.exact_value() {
                    Value::Object(members) if value.json().starts_with('{') => merged.extend(members),
                    other => {
                        let what = kind_of(&other);
                        return Err(failure(format!("`merge` combines objects only, found {what}")));
                    }
                }
            }
            Ok(Data::new(&Value::Object(merged)))
        }
        ReduceStrategy::First => Ok(values.first().cloned().unwrap_or_default()),
        ReduceStrategy::Last => Ok(values.last().cloned().unwrap_or_default()),
        ReduceStrategy::Vote => Ok(vote(values)),
        // A call: see `render`.
        ReduceStrategy::Summarize => Ok(Data::NULL),
    }
}

fn concat(values: &[Data]) -> Data {
    let arrays: Option<Vec<_>> = values.iter().map(Data::elements).collect();
    if let Some(arrays) = arrays.filter(|arrays| !arrays.is_empty()) {
        let elements: Vec<_> =
            arrays.iter().flat_map(|array| (0..array.len()).filter_map(|n| array.get(n))).collect();
        return Data::array(&elements);
    }
    let texts: Vec<_> = values.iter().map(|value| text(value.exact_value())).collect();
    Data::new(&Value::String(texts.join("\n\n")))
}

/// The value that occurs most often, or the first of those that do.
fn vote(values: &[Data]) -> Data {
    let mut votes: IndexMap<String, (&Data, usize), RandomState> = IndexMap::default();
    for data in values {
        let mut value = data.exact_value();
        value.sort_all_objects();
        exact::canonical(&mut value);
        votes.entry(value.to_string()).or_insert((data, 0)).1 += 1;
    }
    let most = votes.values().map(|(_, count)| *count).max();
    let winner = votes.values().find(|(_, count)| Some(*count) == most);
    winner.map(|(data, _)| (*data).clone()).unwrap_or_default()
}

fn failure(message: String) -> Failure {
    Failure::new(FailureClass::Expression, message)
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        value if exact::marked(value).is_some() => "a number",
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
