//! Random workflows, their graphs and the events of their runs.

use std::sync::Arc;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::definition::{self, Defaults, VariableType, Workflow, WorkflowInput};

use super::answers::{NEVER, SIGNALS};
use super::case::Case;
use super::chance::Chance;
use super::play::PROVIDERS;

mod bodies;
mod failures;
mod graph;
mod loops;
mod texts;

use self::texts::Names;

/// The case of a seed.
///
/// # Panics
///
/// If it is not a definition that can be run.
pub fn generate(seed: u64) -> Case {
    let mut chance = Chance::new(seed);
    let chance = &mut chance;
    let count = 1 + chance.below(5);
    let (mut stages, mut profiles) = (Map::new(), Map::new());
    for number in 0..count {
        let (stage, profile) = stage(chance, number, count);
        if let Some(profile) = profile {
            profiles.insert(format!("s{number}"), profile);
        }
        stages.insert(format!("s{number}"), stage);
    }
    let mut workflow = json!({ "id": "random", "name": "Random", "stages": stages });
    if chance.percent(40) {
        workflow["loop"] = repeat(chance, count, &mut workflow["stages"]);
    }
    budgets(seed, &mut workflow, &mut profiles);
    interruptions(seed, &mut workflow, &mut profiles);
    defaults(seed, &mut workflow);
    output(seed, count, &mut workflow);
    templates(seed, &mut workflow, &mut profiles);
    orders(seed, &mut profiles);
    waits(seed, &mut profiles);
    let has_children = children(seed, &workflow, &mut profiles);
    ends(seed, count, &mut workflow, &mut profiles);
    loops::loops(seed, &mut profiles);
    bodies::bodies(seed, &mut profiles);
    failures::failures(seed, &mut profiles);
    bodies::in_order(&mut profiles);
    failures::joins(seed, &mut profiles);
    finally(seed, &mut workflow);
    let schemas = schemas();
    let stages = workflow["stages"].as_object_mut().unwrap().values_mut();
    let inline = &mut Chance::of(seed, "inline schemas");
    stages.chain(profiles.values_mut()).for_each(|part| inline_schemas(inline, part, &schemas));
    let workflow: Workflow = serde_json::from_value(workflow).unwrap();
    let workflow = definition::resolve(&workflow, &Defaults::default()).unwrap();
    let profiles = serde_json::from_value(profiles.into()).unwrap();
    let workflows = if has_children { super::children::workflows() } else { [].into() };
    let bundle = Bundle { profiles, schemas, workflows, ..Bundle::new(workflow) };
    let mut case = Case {
        seed,
        trouble: *chance.one(&[0, 0, 0, 3, 10, 30]),
        bundle: bundle.into(),
        vars: vars(chance),
        on_failure: None,
        interactive: false,
        tells: false,
        pauses: Vec::new(),
        deaths: Vec::new(),
    };
    if chance.percent(15) {
        case.on_failure = serde_json::from_value(on_failure(chance)).unwrap();
    }
    case.interactive = chance.percent(4);
    if chance.percent(12) {
        let mut at = 0;
        case.pauses = (0..2 * (1 + chance.below(2)))
            .map(|_| {
                at += chance.next() % 80;
                at
            })
            .collect();
    }
    if chance.percent(12) {
        case.deaths = (0..=chance.below(3)).map(|_| chance.next() % 24).collect();
    }
    inputs(&mut case);
    case
}

/// Some workflows have stages that run however the others end.
fn finally(seed: u64, workflow: &mut Value) {
    let chance = &mut Chance::of(seed, "finally");
    if !chance.percent(20) {
        return;
    }
    let ids: Vec<_> = (0..=chance.below(2)).map(|number| format!("last{number}")).collect();
    for id in &ids {
        let prompt = "Tidy after ${stages.s0.status:-none}, ${iteration}";
        let mut stage = json!({ "provider": chance.one(&PROVIDERS), "prompt": prompt });
        if chance.percent(50) {
            stage["on_failure"] = on_failure(chance);
        }
        if chance.percent(20) {
            stage["when"] = "$.stages.s0.status == 'failed'".into();
        }
        if chance.percent(30) {
            stage["set"] = json!({ "tidied": "${output}" });
        }
        workflow["stages"][id] = stage;
    }
    workflow["finally"] = json!(ids);
    workflow["finally_timeout"] = "1000h".into();
}

/// Some workflows declare their inputs, and leave some of the variables to defaults.
fn inputs(case: &mut Case) {
    let chance = &mut Chance::of(case.seed, "inputs");
    if !chance.percent(25) {
        return;
    }
    let mut inputs = IndexMap::new();
    for (name, value) in std::mem::take(&mut case.vars) {
        let kind = match value {
            Value::Bool(_) => VariableType::Boolean,
            Value::Number(_) => VariableType::Integer,
            Value::Array(_) => VariableType::Array,
            Value::Object(_) => VariableType::Object,
            Value::Null | Value::String(_) => VariableType::String,
        };
        let mut input = WorkflowInput::new(kind);
        if chance.percent(50) {
            input.default = Some(value);
        } else {
            case.vars.insert(name.clone(), value);
        }
        inputs.insert(name, input);
    }
    // What is named and not given: most of it is written by a stage or a node.
    let definition = serde_json::to_string(&*case.bundle).unwrap();
    for rest in definition.split("vars.").skip(1) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let name = rest.split(|c| !is_part(c)).next().unwrap_or_default();
        let optional = WorkflowInput { required: Some(false), ..WorkflowInput::default() };
        inputs.entry(name.trim_end_matches('-').to_owned()).or_insert(optional);
    }
    Arc::make_mut(&mut case.bundle).workflow.inputs = Some(inputs);
}

/// Some runs, stages and nodes have budgets; small ones, so that they are used up.
fn budgets(seed: u64, workflow: &mut Value, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "budgets");
    if chance.percent(10) {
        workflow["budget"] = budget(chance, 6);
    }
    for stage in workflow["stages"].as_object_mut().unwrap().values_mut() {
        if chance.percent(7) {
            stage["budget"] = budget(chance, 3);
        }
    }
    for node in calls(profiles) {
        if chance.percent(7) {
            node["budget"] = budget(chance, 1);
        }
    }
}

/// Some calls continue sessions, and for some a person is asked for the outcome.
fn interruptions(seed: u64, workflow: &mut Value, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "interruptions");
    for stage in workflow["stages"].as_object_mut().unwrap().values_mut() {
        if chance.percent(25) {
            stage["session"] = "continue".into();
        }
        if chance.percent(20) {
            stage["on_interrupt"] = "ask".into();
        }
    }
    for node in calls(profiles) {
        if chance.percent(10) {
            node["session"] = (*chance.one(&["new", "continue"])).into();
        }
    }
}

/// Some prompts have the grammar of roles.
fn templates(seed: u64, workflow: &mut Value, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "templates");
    let stages = workflow["stages"].as_object_mut().unwrap().values_mut();
    for call in stages.chain(calls(profiles)) {
        if call.get("prompt").is_some() && chance.percent(15) {
            call["prompt"] = texts::template(chance).into();
            call["template"] = "handlebars".into();
        }
    }
}

/// Some nodes come after others that they do not name, and some make values in place of calls.
fn orders(seed: u64, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "orders");
    for profile in profiles.values_mut() {
        let graph = profile["graph"].as_array_mut().unwrap();
        // Nodes name only those whose ids come before theirs.
        let ids: Vec<_> = graph.iter().map(|node| node["id"].as_str().unwrap().to_owned()).collect();
        for node in graph {
            let earlier: Vec<_> =
                ids.iter().filter(|id| id.as_str() < node["id"].as_str().unwrap()).collect();
            if !earlier.is_empty() && chance.percent(12) {
                node["after"] = json!([chance.one(&earlier)]);
            }
            let mut node = node;
            while node["type"] == "foreach" {
                node = &mut node["run"];
            }
            if node["type"] == "run" && node.get("approval").is_none() && chance.percent(12) {
                let kept = ["id", "out", "when", "set", "after"];
                let value = json!({ "said": node.get("prompt"), "score": chance.below(9), "flag": chance.percent(50) });
                let mut made = json!({ "type": "set", "value": value });
                for (field, value) in node.as_object().unwrap() {
                    if kept.contains(&field.as_str()) {
                        made[field] = value.clone();
                    }
                }
                *node = made;
            }
        }
    }
}

/// Some nodes wait for a time or for a signal in place of a call: in memory, or so long that the run waits in its store.
fn waits(seed: u64, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "waits");
    for profile in profiles.values_mut() {
        for node in profile["graph"].as_array_mut().unwrap() {
            let mut node = node;
            while node["type"] == "foreach" {
                node = &mut node["run"];
            }
            if node["type"] != "run" || node.get("approval").is_some() || !chance.percent(5) {
                continue;
            }
            let kept = ["id", "out", "when", "set", "after"];
            let mut made = json!({ "type": "wait" });
            match chance.below(9) {
                5..=7 => made["signal"] = (*chance.one(&SIGNALS)).into(),
                8 => {
                    made["signal"] = NEVER.into();
                    made["timeout"] = (*chance.one(&["5s", "2m"])).into();
                }
                0 => made["until"] = (*chance.one(&["2001-01-01T00:00:00Z", "${vars.n}"])).into(),
                1 => made["for"] = 0.into(),
                _ => made["for"] = (*chance.one(&["300ms", "20s", "31s", "2m"])).into(),
            }
            for (field, value) in node.as_object().unwrap() {
                if kept.contains(&field.as_str()) {
                    made[field] = value.clone();
                }
            }
            *node = made;
        }
    }
}

/// Some nodes run other workflows in place of calls. Returns whether there are any.
fn children(seed: u64, workflow: &Value, profiles: &mut Map<String, Value>) -> bool {
    let chance = &mut Chance::of(seed, "children");
    let stages = workflow["stages"].as_object().unwrap();
    // How much of a budget is left to them is not known.
    let has_budget =
        workflow.get("budget").is_some() || stages.values().any(|stage| stage.get("budget").is_some());
    let mut found = false;
    for profile in profiles.values_mut() {
        for node in profile["graph"].as_array_mut().unwrap() {
            let (mut node, mut in_body) = (node, false);
            while node["type"] == "foreach" {
                (node, in_body) = (&mut node["run"], true);
            }
            if node["type"] != "run" || node.get("approval").is_some() || !chance.percent(8) {
                continue;
            }
            let calls = !has_budget && chance.percent(40);
            let id = if calls { super::children::CALLS } else { *chance.one(&super::children::QUIET) };
            let given = match chance.below(4) {
                0 => None,
                1 if in_body => Some("${item}".into()),
                2 => Some("${vars.n}".into()),
                _ => node.get("prompt").cloned(),
            };
            let mut made = json!({ "type": "workflow", "workflow": id });
            if let Some(given) = given {
                made["vars"] = json!({ "x": given });
            }
            for (field, value) in node.as_object().unwrap() {
                if ["id", "out", "when", "set", "after"].contains(&field.as_str()) {
                    made[field] = value.clone();
                }
            }
            *node = made;
            found = true;
        }
    }
    found
}

/// Some runs end early: after a stage, or by a node.
fn ends(seed: u64, count: usize, workflow: &mut Value, profiles: &mut Map<String, Value>) {
    let chance = &mut Chance::of(seed, "ends");
    let names = Names { stage: count, stages: count, nodes: &[], own: &[], in_body: false };
    for stage in workflow["stages"].as_object_mut().unwrap().values_mut() {
        if chance.percent(8) {
            stage["end_when"] = names.condition(chance).into();
        }
    }
    for profile in profiles.values_mut() {
        if !chance.percent(15) {
            continue;
        }
        let graph = profile["graph"].as_array_mut().unwrap();
        let before = [graph[0]["out"].as_str().or(graph[0]["id"].as_str()).unwrap().to_owned()];
        let within = Names { nodes: &before, ..names };
        let mut node = json!({ "id": "z", "type": "end" });
        if chance.percent(60) {
            node["when"] = within.condition(chance).into();
        }
        if chance.percent(40) {
            node["after"] = before[0].as_str().into();
        }
        if chance.percent(50) {
            node["reason"] = within.text(chance).into();
        }
        if chance.percent(30) {
            node["status"] = "failed".into();
        } else if chance.percent(50) {
            node["output"] = within.value(chance);
        }
        graph.push(node);
    }
}

/// Some schemas are written where they are used.
fn inline_schemas(chance: &mut Chance, part: &mut Value, schemas: &IndexMap<String, Value>) {
    match part {
        Value::Array(parts) => parts.iter_mut().for_each(|part| inline_schemas(chance, part, schemas)),
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field.as_str().and_then(|name| schemas.get(name))) {
                    ("output_schema", Some(schema)) if chance.percent(40) => *field = schema.clone(),
                    _ => inline_schemas(chance, field, schemas),
                }
            }
        }
        _ => {}
    }
}

/// Some runs have an output of their own.
fn output(seed: u64, count: usize, workflow: &mut Value) {
    let chance = &mut Chance::of(seed, "output");
    if chance.percent(30) {
        // Outside of every stage: it names stages, variables and the run.
        let names = Names { stage: count, stages: count, nodes: &[], own: &[], in_body: false };
        let status = format!("${{stages.s{}.status}}", chance.below(count));
        workflow["output"] =
            json!({ "value": names.output(chance), "status": status, "list": ["${iteration}"] });
    }
}

/// Some workflows have values of their first stage for all stages.
fn defaults(seed: u64, workflow: &mut Value) {
    let chance = &mut Chance::of(seed, "defaults");
    if !chance.percent(20) {
        return;
    }
    let mut defaults = Map::new();
    for field in ["on_failure", "retries", "retry_backoff", "session", "prompt", "mode", "parallel_strategy"]
    {
        if let Some(value) = workflow["stages"]["s0"].get(field)
            && chance.percent(60)
        {
            defaults.insert(field.to_owned(), value.clone());
        }
    }
    for stage in workflow["stages"].as_object_mut().unwrap().values_mut() {
        stage.as_object_mut().unwrap().retain(|field, _| !defaults.contains_key(field) || chance.percent(50));
    }
    workflow["defaults"] = defaults.into();
}

/// The nodes that make calls, by themselves or for items.
fn calls(profiles: &mut Map<String, Value>) -> Vec<&mut Value> {
    let mut calls = Vec::new();
    for profile in profiles.values_mut() {
        for mut node in profile["graph"].as_array_mut().unwrap() {
            while node["type"] == "foreach" {
                node = &mut node["run"];
            }
            if node["type"] == "run" || node["strategy"] == "summarize" {
                calls.push(node);
            }
        }
    }
    calls
}

/// A budget of one to a few times the usage of this many calls.
fn budget(chance: &mut Chance, calls: u32) -> Value {
    let times = calls * chance.one(&[1, 2, 3]);
    match chance.below(8) {
        0..=2 => json!({ "cost_usd": f64::from(times) / 2.0 }),
        3 => json!({ "time": format!("{}ms", 20 * times) }),
        4..=5 => json!({ "tokens": 40 * times }),
        _ => json!({ "cost_usd": f64::from(times) / 2.0, "tokens": 40 * times }),
    }
}

fn vars(chance: &mut Chance) -> IndexMap<String, Value> {
    let xs = [json!([1, 2, 3]), json!([]), json!(["a", { "k": "v" }]), json!([[1, 2], [], [3]])];
    let mut vars = IndexMap::new();
    vars.insert("flag".to_owned(), chance.percent(50).into());
    vars.insert("n".to_owned(), chance.below(4).into());
    vars.insert("p".to_owned(), (*chance.one(&PROVIDERS)).into());
    vars.insert("xs".to_owned(), chance.one(&xs).clone());
    vars.insert("o".to_owned(), json!({ "k": "v ${vars.n}", "xs": [1, "b"] }));
    vars
}

fn schemas() -> IndexMap<String, Value> {
    let scored = json!({
        "type": "object",
        "required": ["score"],
        "properties": { "score": { "type": "integer", "minimum": 2 } },
    });
    let list = json!({ "type": "array" });
    let some = json!({ "type": ["object", "array", "string"] });
    [("scored.json", scored), ("list.json", list), ("some.json", some)]
        .map(|(name, schema)| (name.to_owned(), schema))
        .into()
}

/// The name of one of the schemas.
fn schema(chance: &mut Chance) -> Value {
    (*chance.one(&["scored.json", "scored.json", "list.json", "some.json", "some.json"])).into()
}

fn on_failure(chance: &mut Chance) -> Value {
    (*chance.one(&["stop", "continue", "retry", "retry"])).into()
}

fn repeat(chance: &mut Chance, count: usize, stages: &mut Value) -> Value {
    let max_iters = 1 + chance.below(4);
    let stop_when = *chance.one(&["$.done == true", "$.done", "$.score >= 6 || $.flag", "$[0].done == true"]);
    let mut repeat = json!({ "max_iters": max_iters, "stop_when": stop_when });
    if chance.percent(50) {
        repeat["on_exhausted"] = "complete".into();
    }
    if chance.percent(40) {
        repeat["fallback_next_stage"] = format!("s{}", chance.below(count)).into();
    }
    if chance.percent(30) {
        stages[format!("s{}", chance.below(count))]["min_iterations"] = chance.below(max_iters + 1).into();
    }
    repeat
}

/// A stage, and its profile if it has a graph.
fn stage(chance: &mut Chance, number: usize, count: usize) -> (Value, Option<Value>) {
    let id = format!("s{number}");
    let names = Names { stage: number, stages: count, nodes: &[], own: &[], in_body: false };
    let lanes = 1 + [0, 0, 1, 2][chance.below(4)];
    let providers: Vec<_> = (0..lanes)
        .map(|_| {
            let provider = match chance.below(40) {
                0 => "${vars.unknown}",
                1..=6 => "${vars.p}",
                _ => chance.one(&PROVIDERS),
            };
            json!({ "provider": provider, "weight": 1 + chance.below(3) })
        })
        .collect();
    let mut stage = json!({
        "providers": providers,
        "mode": *chance.one(&["sequential", "parallel", "parallel"]),
        "parallel_strategy": *chance.one(&["all", "race", "majority"]),
        "on_failure": on_failure(chance),
        "retries": chance.below(4),
        "retry_backoff": 1,
    });
    let constant = lanes > 1 && stage["mode"] == "parallel";
    if chance.percent(70) {
        stage["prompt"] = names.text(chance).into();
    }
    if chance.percent(25) {
        stage["when"] = names.condition(chance).into();
    }
    if chance.percent(6) {
        stage["approval"] = "Shall it?".into();
    }
    if chance.percent(30) {
        stage["inputs"] = (0..=chance.below(2)).map(|_| names.value(chance)).collect();
    }
    if chance.percent(40) {
        stage["set"] = json!({ format!("w_{id}"): names.set(chance, false) });
    }
    if chance.percent(45) {
        if chance.percent(25) {
            stage["output"] = "json".into();
        }
        if chance.percent(25) {
            stage["output_schema"] = schema(chance);
        }
        if chance.percent(30) {
            stage["repairs"] = chance.below(4).into();
        }
        return (stage, None);
    }
    stage["profile"] = "graph".into();
    let profile = graph::profile(chance, &names, constant);
    let exports = profile["graph"].as_array().unwrap().iter().filter(|node| node["type"] == "export").count();
    if exports == 1 && chance.percent(20) {
        stage["output_schema"] = schema(chance);
        stage["repairs"] = chance.below(4).into();
    }
    (stage, Some(profile))
}
