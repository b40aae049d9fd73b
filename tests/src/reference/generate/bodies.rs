//! Random graphs for the items of `foreach` nodes.

use serde_json::{Map, Value, json};

use crate::reference::chance::Chance;

/// The body of some `foreach` nodes becomes the first node of a graph.
pub(super) fn bodies(seed: u64, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "bodies");
    for profile in profiles.values_mut() {
        for node in profile["graph"].as_array_mut().unwrap() {
            // Arms of a branch name nodes of its graph.
            let fits = !matches!(node["run"]["type"].as_str(), Some("foreach" | "branch"));
            if node["type"] == "foreach" && fits && chance.percent(40) {
                let id = node["id"].as_str().unwrap().to_owned();
                node["run"] = body(chance, &id, node["run"].clone());
            }
        }
    }
}

/// Where a `foreach` continues after items that fail, the nodes in its graph run one after the other: of several that fail at
/// the same time it is open which one tells the class of the failure.
pub(super) fn in_order(profiles: &mut Map<String, Value>) {
    let graphs = profiles.values_mut().filter_map(|profile| profile["graph"].as_array_mut());
    let nodes = graphs.flatten().filter(|node| node["on_failure"] == "continue");
    for body in nodes.filter_map(|node| node.pointer_mut("/run/graph")?.as_array_mut()) {
        body.sort_by_key(|node| node["id"].to_string());
        for place in 1..body.len() {
            body[place].as_object_mut().unwrap().remove("join");
            body[place]["after"] = body[place - 1]["id"].clone();
        }
    }
}

fn body(chance: &mut Chance, id: &str, mut inner: Value) -> Value {
    let (first, second, third) = (format!("{id}i1"), format!("{id}i2"), format!("{id}i3"));
    let mut whole = json!({ "type": "graph" });
    if chance.percent(50)
        && let Some(when) = inner.as_object_mut().unwrap().remove("when")
    {
        whole["when"] = when;
    }
    inner["id"] = first.as_str().into();
    let mut nodes = vec![inner];
    if chance.percent(80) {
        nodes.push(another(chance, &first, &second));
    }
    if nodes.len() > 1 && chance.percent(40) {
        let mut node = another(chance, &second, &third);
        if chance.percent(30) {
            node["after"] = first.as_str().into();
        }
        nodes.push(node);
    }
    if nodes.len() == 3 && chance.percent(20) {
        // The second decides whether the third runs.
        let condition = comparison(chance, &first);
        nodes[1] = json!({
            "id": second, "type": "branch", "when": [{ "condition": condition, "then": [third] }],
        });
        nodes[2] = json!({ "id": third, "type": "run", "prompt": "Taken for ${item}" });
    }
    if nodes.len() == 3 && nodes[1]["type"] != "branch" && chance.percent(15) {
        nodes[2]["after"] = json!([first, second]);
        nodes[2]["join"] = (*chance.one(&["ended", "any"])).into();
    }
    for node in &mut nodes {
        if chance.percent(15) {
            node["on_failure"] = (*chance.one(&["continue", "continue", "retry"])).into();
        }
    }
    if nodes.len() > 1 && chance.percent(30) {
        nodes.swap(0, 1);
    }
    whole["graph"] = nodes.into();
    whole
}

/// Another node in a body that has the node `before`.
fn another(chance: &mut Chance, before: &str, id: &str) -> Value {
    let text = match chance.below(4) {
        0 => format!("${{item}} after ${{nodes.{before}.output:-gone}}"),
        1 => format!("${{nodes.{before}.status}} of ${{item}}"),
        2 => "${item} of ${iteration}".to_owned(),
        _ => format!("${{nodes.{before}.output:-gone}}"),
    };
    let mut node = match chance.below(10) {
        0 => json!({ "type": "set", "value": { "now": text, "score": chance.below(9) } }),
        1 => json!({ "type": "export", "from": *chance.one(&["item", before]) }),
        2 => json!({ "type": "ask", "question": text }),
        3 => json!({ "type": "foreach", "items": [1, 2], "run": { "type": "run", "prompt": text } }),
        4 => json!({ "type": "wait", "for": *chance.one(&["0s", "300ms", "20s", "2m"]) }),
        5 => json!({ "type": "reduce", "from": [before, "item"], "strategy": "last" }),
        _ => json!({ "type": "run", "prompt": text, "inputs": ["item"] }),
    };
    node["id"] = id.into();
    if node["type"] == "foreach" && chance.percent(60) {
        node["mode"] = "parallel".into();
    }
    if node["type"] == "run" && chance.percent(30) {
        node["output"] = "json".into();
    }
    if chance.percent(20) {
        node["when"] = comparison(chance, before).into();
    }
    node
}

fn comparison(chance: &mut Chance, before: &str) -> String {
    match chance.below(5) {
        0 => format!("$.nodes.{before}.output.score >= 5"),
        1 => "$.item != null".to_owned(),
        2 => format!("$.nodes.{before}.status != 'skipped'"),
        3 => "$.vars.flag == true".to_owned(),
        _ => format!("$.nodes.{before}.output.flag"),
    }
}
