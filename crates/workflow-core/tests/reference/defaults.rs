//! The defaults of fields that a definition omits.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use workflow_core::definition::{self, Exhausted, OutputFormat};

/// The defaults of a stage and of a loop that resolving fills in, and of fields whose type has one.
pub(crate) fn of(definition: &str) -> BTreeMap<String, String> {
    let text = "workflow: { name: Defaults, stages: [s], loop: { max_iters: 2, stop_when: \"true\" } }\n\
                s: { provider: p }\n";
    let parsed =
        definition::parse(text.as_bytes(), Some(&"defaults".parse().unwrap())).into_workflow().unwrap();
    let resolved = definition::resolve(&parsed, &definition::Defaults::default()).unwrap();
    let known = match definition {
        "Stage" => {
            let mut stage = serde_json::to_value(&resolved.stages["s"]).unwrap();
            stage["output"] = json!(OutputFormat::default());
            stage
        }
        "Lane" => serde_json::to_value(&resolved.stages["s"].providers[0]).unwrap(),
        "LoopSpec" | "LoopNode" => json!({ "on_exhausted": Exhausted::default() }),
        "RunNode" => json!({
            "output": OutputFormat::default(),
            "session": resolved.stages["s"].session,
            "on_interrupt": resolved.stages["s"].on_interrupt,
        }),
        "ForeachNode" => json!({ "mode": resolved.stages["s"].mode }),
        _ => json!({}),
    };
    let shown = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let members = known.as_object().unwrap().iter();
    members.filter_map(|(name, value)| Some((name.clone(), shown(value)?))).collect()
}
