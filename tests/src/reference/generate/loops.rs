//! Random loops in graphs.

use serde_json::{Map, Value, json};

use crate::reference::chance::Chance;

/// What stays at a node that becomes a loop.
const OF_NODE: [&str; 5] = ["id", "out", "after", "set", "when"];

/// Some nodes become the first node in the body of a loop, which has their names.
pub(super) fn loops(seed: u64, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "loops");
    for profile in profiles.values_mut() {
        for node in profile["graph"].as_array_mut().unwrap() {
            if !matches!(node["type"].as_str(), Some("branch" | "end" | "export")) && chance.percent(9) {
                *node = repeat(chance, node);
            }
        }
    }
}

fn repeat(chance: &mut Chance, node: &Value) -> Value {
    let id = node["id"].as_str().unwrap();
    let (first, second, third) = (format!("{id}1"), format!("{id}2"), format!("{id}3"));
    let mut repeat = json!({ "type": "loop", "max_iters": 1 + chance.below(4) });
    let mut inner = json!({ "id": first });
    let inside = chance.percent(40);
    for (field, value) in node.as_object().unwrap() {
        let stays = OF_NODE.contains(&field.as_str()) && !(field == "when" && inside);
        (if stays { &mut repeat } else { &mut inner })[field] = value.clone();
    }
    let mut body = vec![inner];
    if chance.percent(70) {
        body.push(another(chance, &first, &second));
    }
    if body.len() > 1 && chance.percent(40) {
        let mut node = another(chance, &second, &third);
        if chance.percent(30) {
            node["after"] = first.as_str().into();
        }
        body.push(node);
    }
    if body.len() == 3 && chance.percent(20) {
        // The second decides whether the third runs.
        let condition = comparison(chance, &first, &first);
        body[1] = json!({
            "id": second, "type": "branch", "when": [{ "condition": condition, "then": [third] }],
        });
        body[2] = json!({ "id": third, "type": "run", "prompt": "Taken" });
    }
    for node in &mut body {
        if chance.percent(15) {
            node["on_failure"] = (*chance.one(&["continue", "continue", "retry"])).into();
        }
    }
    let last = if body.len() > 1 { &second } else { &first };
    if chance.percent(80) {
        repeat["stop_when"] = comparison(chance, &first, last).into();
        if chance.percent(70) {
            repeat["on_exhausted"] = (*chance.one(&["complete", "complete", "fail"])).into();
        }
    }
    if body.len() > 1 && chance.percent(30) {
        body.swap(0, 1);
    }
    repeat["graph"] = body.into();
    repeat
}

/// Another node in a body that has the node `before`.
fn another(chance: &mut Chance, before: &str, id: &str) -> Value {
    let text = match chance.below(5) {
        0 => format!("Again ${{previous.{before}:-first}}"),
        1 => format!("${{previous.{id}}} then ${{nodes.{before}.output:-gone}}"),
        2 => format!("${{previous.{id}.score:-0}} and ${{previous.{before}.score:-0}}"),
        3 => format!("${{nodes.{before}.status}} of ${{iteration}}"),
        _ => format!("${{nodes.{before}.output:-gone}}"),
    };
    let mut node = match chance.below(10) {
        0 => json!({ "type": "set", "value": { "now": text, "score": chance.below(9) } }),
        1 => json!({ "type": "export", "from": before }),
        2 => json!({ "type": "ask", "question": text }),
        3 => json!({ "type": "foreach", "items": [1, 2], "run": { "type": "run", "prompt": text } }),
        4 => json!({ "type": "wait", "for": *chance.one(&["0s", "300ms", "20s", "2m"]) }),
        5 => json!({ "type": "reduce", "from": [before], "strategy": "last" }),
        _ => json!({ "type": "run", "prompt": text }),
    };
    node["id"] = id.into();
    if node["type"] == "foreach" && chance.percent(60) {
        node["mode"] = "parallel".into();
    }
    if node["type"] == "run" && chance.percent(30) {
        node["output"] = "json".into();
    }
    if chance.percent(20) {
        node["when"] = comparison(chance, before, id).into();
    }
    node
}

fn comparison(chance: &mut Chance, first: &str, last: &str) -> String {
    match chance.below(7) {
        0 => format!("$.nodes.{first}.output.score >= 5"),
        1 => format!("$.previous.{last} == null"),
        2 => format!("$.previous.{first}.flag"),
        3 => format!("$.nodes.{first}.status != 'skipped'"),
        4 => format!("$.previous.{first} != $.nodes.{first}.output"),
        5 => "$.vars.flag == true".to_owned(),
        _ => format!("$.nodes.{first}.output.flag"),
    }
}
