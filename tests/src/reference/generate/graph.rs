//! Random graphs.

use serde_json::{Value, json};

use super::schema;
use super::texts::Names;
use crate::reference::chance::Chance;
use crate::reference::play::PROVIDERS;

/// A profile of a stage. In parallel lanes, nodes set variables to the same values.
pub(super) fn profile(chance: &mut Chance, names: &Names<'_>, constant: bool) -> Value {
    let count = 1 + chance.below(6);
    let ids: Vec<_> = ["a", "b", "c", "d", "e", "f"][..count].iter().map(|id| (*id).to_owned()).collect();
    let outs: Vec<_> =
        ids.iter().map(|id| if chance.percent(20) { format!("{id}_out") } else { id.clone() }).collect();
    let mut nodes: Vec<Value> = Vec::new();
    let mut exported: Vec<String> = Vec::new();
    for number in 0..count {
        let within = Names { nodes: &outs[..number], ..*names };
        let mut node = node(chance, &within, 2, &outs[number + 1..]);
        node["id"] = ids[number].as_str().into();
        if outs[number] != ids[number] {
            node["out"] = outs[number].as_str().into();
        }
        if node["type"] == "export" {
            // If a node has two exports, only the first can attach its schema.
            let from = node["from"].as_str().unwrap().to_owned();
            if exported.contains(&from) {
                node.as_object_mut().unwrap().remove("output_schema");
            }
            exported.push(from);
        }
        if chance.percent(18) {
            let name = format!("w_s{}_{}", names.stage, ids[number]);
            node["set"] = json!({ name: within.set(chance, constant) });
        }
        nodes.push(node);
    }
    read_what_is_set(chance, &mut nodes);
    if chance.percent(30) {
        // Nodes are in random order.
        for n in (1..nodes.len()).rev() {
            nodes.swap(n, chance.below(n + 1));
        }
    }
    let mut profile = json!({ "graph": nodes });
    if chance.percent(30) {
        profile["concurrency"] = (1 + chance.below(3)).into();
    }
    profile
}

/// Some nodes that follow a node that sets a variable read it.
fn read_what_is_set(chance: &mut Chance, nodes: &mut [Value]) {
    for n in 1..nodes.len() {
        let before = chance.below(n);
        let Some(set) = nodes[before].get("set").and_then(Value::as_object) else { continue };
        let (name, id) = (set.keys().next().unwrap().clone(), nodes[before]["id"].clone());
        if nodes[n]["type"] == "run" {
            nodes[n]["inputs"] = json!([id, format!("${{vars.{name}:-unset}}")]);
        }
    }
}

/// The content of a node; `deeper` more levels of `foreach` are allowed, and the nodes `later` may be arms.
fn node(chance: &mut Chance, names: &Names<'_>, deeper: usize, later: &[String]) -> Value {
    let before = names.nodes;
    let has_source = !before.is_empty() || names.in_body;
    let mut node = match chance.below(100) {
        45..=64 if deeper > 0 => foreach(chance, names, deeper - 1),
        65..=78 if has_source => reduce(chance, names),
        79..=89 => {
            let mut arms: Vec<_> = (0..=chance.below(3)).map(|_| arm(chance, names, later)).collect();
            if chance.percent(30) {
                // An arm after it could never run.
                arms.last_mut().unwrap()["condition"] = "true".into();
            }
            return json!({ "type": "branch", "when": arms });
        }
        90..=99 if has_source => {
            let mut node = json!({ "type": "export", "from": source(chance, names) });
            if chance.percent(35) {
                node["output_schema"] = schema(chance);
                if chance.percent(40) {
                    node["repairs"] = chance.below(4).into();
                }
            }
            node
        }
        0..=5 => ask(chance, names),
        _ => {
            let mut node = json!({ "type": "run" });
            call(chance, names, &mut node);
            if chance.percent(6) {
                node["approval"] = "Shall it?".into();
            }
            node
        }
    };
    if chance.percent(20) {
        node["when"] = names.condition(chance).into();
    }
    node
}

fn arm(chance: &mut Chance, names: &Names<'_>, later: &[String]) -> Value {
    let condition = names.condition(chance);
    let mut then: Vec<_> = (0..=chance.below(2))
        .filter_map(|_| if later.is_empty() { None } else { Some(chance.one(later).clone()) })
        .collect();
    then.dedup();
    json!({ "condition": condition, "then": then })
}

/// The name of something that has an output.
fn source(chance: &mut Chance, names: &Names<'_>) -> String {
    if names.in_body && (names.nodes.is_empty() || chance.percent(60)) {
        return "item".to_owned();
    }
    chance.one(names.nodes).clone()
}

fn call(chance: &mut Chance, names: &Names<'_>, node: &mut Value) {
    if chance.percent(60) {
        node["prompt"] = names.text(chance).into();
    }
    if chance.percent(20) {
        let unknown = chance.percent(5);
        let provider =
            if unknown { "${vars.unknown}" } else { *chance.one(&["${stage.provider}", PROVIDERS[1]]) };
        node["provider"] = provider.into();
    }
    if chance.percent(60) {
        let inputs = (0..=chance.below(2)).map(|_| {
            let named = chance.percent(70) && (!names.nodes.is_empty() || names.in_body);
            if named { source(chance, names).into() } else { names.value(chance) }
        });
        node["inputs"] = inputs.collect();
    }
    if chance.percent(20) {
        node["output"] = "json".into();
    }
    if chance.percent(12) {
        node["output_schema"] = schema(chance);
        if chance.percent(50) {
            node["repairs"] = chance.below(4).into();
        }
    }
}

fn ask(chance: &mut Chance, names: &Names<'_>) -> Value {
    let mut node = json!({ "type": "ask", "question": names.text(chance) });
    if chance.percent(50) {
        node["choices"] = (0..=chance.below(3)).map(|_| names.value(chance)).collect();
    }
    node
}

fn reduce(chance: &mut Chance, names: &Names<'_>) -> Value {
    let count = 1 + chance.below(3);
    let mut from: Vec<_> = (0..count).map(|_| source(chance, names)).collect();
    from.dedup();
    let strategy = *chance.one(&["concat", "merge", "first", "last", "vote", "vote", "summarize"]);
    let mut node = json!({ "type": "reduce", "from": from, "strategy": strategy });
    if strategy == "summarize" {
        call(chance, names, &mut node);
    }
    node
}

fn foreach(chance: &mut Chance, names: &Names<'_>, deeper: usize) -> Value {
    let things =
        [json!(1), json!(2), json!("word or two"), json!({ "k": "v" }), json!([1, 2]), json!("${vars.n}")];
    let items: Value = match chance.below(10) {
        0..=2 if !names.nodes.is_empty() => chance.one(names.nodes).as_str().into(),
        3 if !names.nodes.is_empty() => format!("${{nodes.{}.output.xs}}", chance.one(names.nodes)).into(),
        4 if names.in_body => "item".into(),
        5..=6 => "${vars.xs}".into(),
        7 => "${vars.o.xs}".into(),
        _ => (0..chance.below(5)).map(|_| chance.one(&things).clone()).collect(),
    };
    let body = node(chance, &Names { in_body: true, ..*names }, deeper, &[]);
    let mut node = json!({ "type": "foreach", "items": items, "run": body });
    if chance.percent(60) {
        node["mode"] = "parallel".into();
        if chance.percent(50) {
            node["concurrency"] = (1 + chance.below(3)).into();
        }
    }
    node
}
