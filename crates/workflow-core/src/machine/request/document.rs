//! What a condition can read: `{ vars, stages: {id: {status, output, error, results}}, nodes: {id: {status,
//! output, error, errors, iterations}}, iteration, item, previous: {id: output} }`.

use serde_json::{Map, Value, json};

use crate::expr::Condition;
use crate::machine::request::graph::Graph;
use crate::machine::state::State;
use crate::machine::state::node::LoopState;
use crate::machine::state::stage::StageResult;
use crate::role::RoleTemplate;

/// The parts of a document that are read: only those are put into it, so that the cost does not grow with the
/// data of the run.
#[derive(Default)]
pub(in crate::machine) struct Parts<'p>(Vec<Vec<&'p str>>);

impl<'p> Parts<'p> {
    /// The parts that conditions read.
    pub(in crate::machine) fn of(conditions: impl IntoIterator<Item = &'p Condition>) -> Self {
        let queries = conditions.into_iter().flat_map(Condition::queries);
        Self(queries.map(Iterator::collect).collect())
    }

    /// Those that a role's templates name.
    pub(in crate::machine) fn of_role(template: &'p RoleTemplate) -> Self {
        Self(template.names().map(Iterator::collect).collect())
    }

    /// The members of what is at `path` that are read, each once; `None` if all can be.
    pub(in crate::machine) fn members(&self, path: &[&str]) -> Option<Vec<&'p str>> {
        let mut members = Vec::new();
        let found = self.0.iter().filter(|found| found.iter().zip(path).all(|(name, other)| name == other));
        for found in found {
            let member = *found.get(path.len())?;
            if !members.contains(&member) {
                members.push(member);
            }
        }
        Some(members)
    }

    /// Whether what is at `path`, or a part of it, is read.
    pub(in crate::machine) fn have(&self, path: &[&str]) -> bool {
        self.members(path).is_none_or(|members| !members.is_empty())
    }
}

/// The members `names` of something, as `one` finds them, or all of them.
fn pick(
    names: Option<Vec<&str>>,
    one: impl Fn(&str) -> Option<Value>,
    all: impl FnOnce() -> Map<String, Value>,
) -> Value {
    let Some(names) = names else { return all().into() };
    names.into_iter().filter_map(|name| Some((name.to_owned(), one(name)?))).collect()
}

/// The document for a condition that is evaluated before a stage of `iteration` starts.
pub(in crate::machine) fn of(state: &State, iteration: u32, parts: &Parts<'_>) -> Value {
    json!({ "vars": vars(state, parts), "stages": stages(state, parts), "nodes": {}, "iteration": iteration })
}

/// The variables of a run.
pub(in crate::machine) fn vars(state: &State, parts: &Parts<'_>) -> Value {
    pick(
        parts.members(&["vars"]),
        |name| Some(state.vars.get(name)?.exact_value()),
        || state.vars.iter().map(|(name, value)| (name.clone(), value.exact_value())).collect(),
    )
}

/// The stages that have begun, by their ids.
pub(in crate::machine) fn stages(state: &State, parts: &Parts<'_>) -> Value {
    let one = |id: &str, result| stage_with(result, |part| parts.have(&["stages", id, part]));
    pick(
        parts.members(&["stages"]),
        |id| Some(one(id, state.results.get(id)?)),
        || state.results.iter().map(|(id, result)| (id.to_string(), one(id.as_str(), result))).collect(),
    )
}

/// One stage, as conditions and `${stages.x}` see it.
pub(in crate::machine) fn stage(result: &StageResult) -> Value {
    stage_with(result, |_| true)
}

fn stage_with(result: &StageResult, wanted: impl Fn(&str) -> bool) -> Value {
    let mut members = Map::new();
    members.insert("status".into(), json!(result.status));
    if let Some(output) = result.output().filter(|_| wanted("output")) {
        members.insert("output".into(), output.exact_value());
    }
    if let Some(error) = result.error.as_ref().filter(|_| wanted("error")) {
        members.insert("error".into(), json!(error));
    }
    if wanted("results") {
        members.insert("results".into(), results(result));
    }
    Value::Object(members)
}

/// The lanes of a stage, as conditions and `${stages.x.results}` see them.
pub(in crate::machine) fn results(result: &StageResult) -> Value {
    let lanes = result.lanes.iter().map(|lane| {
        json!({
            "provider": lane.whole.provider,
            "role": lane.whole.role,
            "status": lane.whole.status,
            "output": lane.whole.output.exact_value(),
            "error": lane.whole.error,
            "duration": lane.whole.duration_ms(),
        })
    });
    lanes.collect()
}

/// The nodes that have events, by all their names: of those at `places`, or of all.
pub(in crate::machine) fn nodes(graph: Graph<'_>, places: Option<&[usize]>, parts: &Parts<'_>) -> Value {
    let one = |name: &str| {
        let place = graph.place(name)?;
        let known = places.is_none_or(|places| places.contains(&place));
        node_with(graph, place, |part| parts.have(&["nodes", name, part])).filter(|_| known)
    };
    pick(parts.members(&["nodes"]), one, || {
        let names = graph.plan.names.iter();
        let mut names: Vec<_> = names.map(|(name, place)| (*place, name.as_str())).collect();
        names.sort_unstable();
        names.into_iter().filter_map(|(_, name)| Some((name.to_owned(), one(name)?))).collect()
    })
}

/// The outputs of the nodes of a loop in the iteration before, by all their names.
pub(in crate::machine) fn previous(graph: Graph<'_>, repeat: &LoopState, parts: &Parts<'_>) -> Value {
    let one = |name: &str| Some(graph.previous(repeat, name).exact_value());
    pick(parts.members(&["previous"]), one, || {
        let known = graph.plan.names.iter();
        let known = known.filter_map(|(name, place)| Some((name, &graph.plan.nodes.get(*place)?.id)));
        let known = known.filter(|(_, id)| repeat.previous.contains_key(*id));
        known.filter_map(|(name, _)| Some((name.to_string(), one(name.as_str())?))).collect()
    })
}

/// One node, as conditions and `${nodes.x}` see it.
pub(in crate::machine) fn node(graph: Graph<'_>, place: usize) -> Option<Value> {
    node_with(graph, place, |_| true)
}

fn node_with(graph: Graph<'_>, place: usize, wanted: impl Fn(&str) -> bool) -> Option<Value> {
    let node = graph.node(place)?;
    let mut members = Map::new();
    members.insert("status".into(), json!(node.status));
    if let Some(output) = graph.output(place).filter(|_| wanted("output")) {
        members.insert("output".into(), output.exact_value());
    }
    if let Some(error) = graph.error(place).filter(|_| wanted("error")) {
        members.insert("error".into(), json!(error));
    }
    if wanted("errors")
        && let Some(errors) = graph.errors(place)
    {
        members.insert("errors".into(), errors);
    }
    if let Some(iterations) = graph.iterations(place).filter(|_| wanted("iterations")) {
        members.insert("iterations".into(), iterations.into());
    }
    Some(Value::Object(members))
}
