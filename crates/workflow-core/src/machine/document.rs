//! What a condition can read: `{ vars, stages: {id: {status, output, results}}, nodes: {id: {status,
//! output}}, iteration, item }`.

use serde_json::{Map, Value, json};

use super::scope::Graph;
use super::state::{StageResult, State};

/// The document for a condition that is evaluated before a stage of `iteration` starts.
pub(super) fn of(state: &State, iteration: u32) -> Value {
    let vars: Map<_, _> = state.vars.iter().map(|(name, value)| (name.clone(), value.value())).collect();
    let stages: Map<_, _> =
        state.results.iter().map(|(id, result)| (id.as_str().to_owned(), stage(result))).collect();
    json!({ "vars": vars, "stages": stages, "nodes": {}, "iteration": iteration })
}

/// One stage, as conditions and `${stages.x}` see it.
pub(super) fn stage(result: &StageResult) -> Value {
    let mut members = Map::new();
    members.insert("status".into(), json!(result.status));
    if let Some(output) = result.output() {
        members.insert("output".into(), output.value());
    }
    members.insert("results".into(), results(result));
    Value::Object(members)
}

/// The lanes of a stage, as conditions and `${stages.x.results}` see them.
pub(super) fn results(result: &StageResult) -> Value {
    let lanes = result.lanes.iter().map(|lane| {
        json!({
            "provider": lane.whole.provider,
            "role": lane.whole.role,
            "status": lane.whole.status,
            "output": lane.whole.output,
            "error": lane.whole.error,
            "duration": lane.whole.duration_ms(),
        })
    });
    lanes.collect()
}

/// The nodes at `places` that something has happened to, by all their names.
pub(super) fn nodes(graph: Graph<'_>, places: &[usize]) -> Value {
    let mut members = Map::new();
    for place in places {
        let (Some(plan), Some(node)) = (graph.plan.nodes.get(*place), node(graph, *place)) else { continue };
        for name in plan.out.iter().chain([&plan.id]) {
            members.insert(name.to_string(), node.clone());
        }
    }
    Value::Object(members)
}

/// One node, as conditions and `${nodes.x}` see it.
pub(super) fn node(graph: Graph<'_>, place: usize) -> Option<Value> {
    let node = graph.state.nodes.get(&graph.plan.nodes.get(place)?.id)?;
    let mut members = Map::new();
    members.insert("status".into(), json!(node.status));
    if let Some(output) = graph.output(place) {
        members.insert("output".into(), output.value());
    }
    Some(Value::Object(members))
}
