//! What the failures of nodes do, and when nodes start that wait for several.

use serde_json::{Map, Value, json};

use crate::reference::chance::Chance;

/// Some nodes say what their failures do, and some tell of the failures of others.
pub(super) fn failures(seed: u64, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "failures of nodes");
    for profile in profiles.values_mut() {
        let graph = profile["graph"].as_array_mut().unwrap();
        let mut continuing = Vec::new();
        for node in graph.iter_mut() {
            if !chance.percent(30) {
                continue;
            }
            node["on_failure"] = (*chance.one(&["continue", "continue", "continue", "retry", "stop"])).into();
            if chance.percent(30) {
                node["retries"] = chance.below(4).into();
            }
            if chance.percent(20) {
                node["retry_backoff"] = 2.into();
            }
            if node["on_failure"] == "continue" {
                continuing.push((node["id"].as_str().unwrap().to_owned(), node["type"] == "foreach"));
            }
        }
        for node in graph {
            let id = node["id"].as_str().unwrap();
            // Nodes name only those whose ids come before theirs.
            let earlier: Vec<_> = continuing.iter().filter(|(before, _)| before.as_str() < id).collect();
            if earlier.is_empty() || !chance.percent(50) {
                continue;
            }
            let (failing, has_items) = chance.one(&earlier);
            let told = match chance.below(4) {
                0 | 1 if *has_items => format!(
                    "${{nodes.{failing}.errors[0].index:-none}} of ${{nodes.{failing}.errors[1].class:-none}}"
                ),
                0 => format!("${{nodes.{failing}.error.class:-fine}}"),
                1 => format!("${{nodes.{failing}.status}}"),
                _ => format!("${{nodes.{failing}.status}}: ${{nodes.{failing}.error.class:-fine}}"),
            };
            match node["type"].as_str() {
                Some("run") => node["inputs"] = json!([told]),
                Some("set") => node["value"] = json!([told]),
                Some("branch") => {}
                _ if node.get("when").is_none() => {
                    let failed = if *has_items {
                        format!("$.nodes.{failing}.errors[0].class == 'permanent'")
                    } else {
                        format!("$.nodes.{failing}.error.class != 'permanent'")
                    };
                    node["when"] = failed.into();
                }
                _ => {}
            }
        }
    }
}

/// Some nodes start also if all that they need was skipped, or after any of several nodes.
pub(super) fn joins(seed: u64, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "joins");
    for profile in profiles.values_mut() {
        let graph = profile["graph"].as_array_mut().unwrap();
        let arms = serde_json::to_string(
            &graph
                .iter()
                .filter(|node| node["type"] == "branch")
                .map(|node| &node["when"])
                .collect::<Vec<_>>(),
        );
        let arms = arms.unwrap();
        let ids: Vec<_> = graph.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
        for node in graph {
            let is_arm =
                |name: &str| node[name].as_str().is_some_and(|name| arms.contains(&format!("\"{name}\"")));
            let earlier: Vec<_> =
                ids.iter().filter(|id| id.as_str() < node["id"].as_str().unwrap()).collect();
            if is_arm("id") || is_arm("out") || earlier.is_empty() || !chance.percent(20) {
                continue;
            }
            if node["type"] != "run" || node.get("set").is_some() || chance.percent(30) {
                node["join"] = "ended".into();
                continue;
            }
            // What it would read of a node that has not ended is not defined.
            for field in ["inputs", "when", "provider"] {
                node.as_object_mut().unwrap().remove(field);
            }
            let mut after: Vec<_> = (0..=chance.below(3)).map(|_| *chance.one(&earlier)).collect();
            after.sort();
            after.dedup();
            (node["prompt"], node["after"], node["join"]) = ("Go".into(), json!(after), "any".into());
        }
    }
}
