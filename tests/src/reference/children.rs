//! The workflows that nodes of random workflows run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, Workflow};
use workflow_core::ids::WorkflowId;

use super::play::PROVIDERS;

/// Those that use nothing: one makes a value at once, one after a time, and one fails.
pub(super) const QUIET: [&str; 4] = ["echo", "echo", "slow", "fails"];
/// One that calls a provider.
pub(super) const CALLS: &str = "calls";

/// All of them.
pub(super) fn workflows() -> BTreeMap<WorkflowId, Arc<Bundle>> {
    let given = "${vars.x:-none}";
    let echo = json!({ "id": "a", "type": "set", "value": { "got": given } });
    let pause = json!({ "id": "p", "type": "wait", "for": "2m" });
    let after = json!({ "id": "a", "type": "set", "value": given, "after": "p" });
    let end = json!({ "id": "e", "type": "end", "status": "failed", "reason": "in vain" });
    let of = |id: &str, graph: Option<Value>| {
        let stage =
            json!({ "provider": PROVIDERS[0], "prompt": format!("Do {given}"), "on_failure": "stop" });
        let workflow =
            json!({ "id": id, "name": "Child", "stages": { "c": stage }, "output": ["${stages.c.output}"] });
        let workflow: Workflow = serde_json::from_value(workflow).unwrap();
        let workflow = definition::resolve(&workflow, &Defaults::default()).unwrap();
        let profiles = match graph {
            Some(graph) => serde_json::from_value(json!({ "c": { "graph": graph } })).unwrap(),
            None => [].into(),
        };
        (WorkflowId::new(id).unwrap(), Arc::new(Bundle { profiles, ..Bundle::new(workflow) }))
    };
    BTreeMap::from([
        of("echo", Some(json!([echo]))),
        of("slow", Some(json!([pause, after]))),
        of("fails", Some(json!([end]))),
        of(CALLS, None),
    ])
}
