//! What a condition can read: `{ vars, stages: {id: {status, output, results}}, nodes, iteration }`.

use serde_json::{Map, Value, json};

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
            "provider": lane.provider,
            "role": lane.role,
            "status": lane.status,
            "output": lane.output,
            "error": lane.error,
            "duration": lane.duration_ms(),
        })
    });
    lanes.collect()
}
