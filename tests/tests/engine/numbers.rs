//! Numbers keep their exact notation in runs.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use serde_json::json;
use workflow_core::bundle::Bundle;
use workflow_core::data::Data;
use workflow_core::definition::{self, Defaults, Profile, parse};
use workflow_core::failure::FailureClass;
use workflow_core::ids::StageId;
use workflow_core::plan::Plan;
use workflow_core::provider::Reply;
use workflow_core::status::RunStatus;
use workflow_core::store::{MemoryStore, RunStore};
use workflow_exec::{Engine, StartRun};
use workflow_providers::{CommandProvider, FunctionProvider};
use workflow_store::{FileStore, SqliteStore};

use crate::host::{Host, id};

const NUMBERS: &str = "[23000000000000000001,1e400,-0.0,-0,1.0,1e2,0.1000,-1.50E-3,12,18446744073709551616]";

/// A plan whose last stage has a graph.
fn plan(yaml: &str, graph: &serde_json::Value) -> Arc<Plan> {
    let workflow = parse(yaml.as_bytes(), Some(&"numbers".parse().unwrap())).workflow.unwrap();
    let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default()).unwrap());
    let profile: Profile = serde_json::from_value(json!({ "graph": graph })).unwrap();
    bundle.profiles.insert(StageId::new("graph").unwrap(), profile);
    Arc::new(Plan::load(bundle).unwrap())
}

const YAML: &str = r#"
workflow: { name: Numbers, stages: [make, pass, graph] }
make:
  provider: says
  output: json
  prompt: "{ \"all\": NUMBERS, \"big\": 23000000000000000001 }"
  set: { all: "${output.all}", big: "${output.big}", nested: { in: ["${output.all[1]}", "${vars.given}"] }, text: "${output.all}" }
pass:
  provider: says
  inputs: ["${vars.all}", "is ${vars.big}, ${vars.nested}"]
graph: { provider: says, profile: graph }
"#;

fn graph() -> serde_json::Value {
    json!([
        { "id": "each", "type": "foreach", "items": "${vars.all}",
          "run": { "type": "run", "prompt": "${item}", "output": "json" } },
        { "id": "merged", "type": "reduce", "from": ["object", "other"], "strategy": "merge" },
        { "id": "object", "type": "run", "prompt": "{\"a\":${vars.big},\"b\":1e2}", "output": "json" },
        { "id": "other", "type": "run", "prompt": "{\"b\":0.1000}", "output": "json" },
        { "id": "vote", "type": "reduce", "from": "each", "strategy": "vote" },
        { "id": "route", "type": "branch", "when": [
            { "condition": "$.vars.big > 23000000000000000000 && $.nodes.each.output[1] == 1e400", "then": "yes" },
            { "condition": "true", "then": "no" } ] },
        { "id": "yes", "type": "reduce", "from": ["each", "merged", "vote"], "strategy": "concat" },
        { "id": "no", "type": "run", "prompt": "no" },
    ])
}

/// The result of its run, in each store.
fn check(store: impl RunStore + 'static, reopened: impl FnOnce() -> Box<dyn RunStore>) {
    let says = FunctionProvider::from_fn(|request| Ok(Reply::text(request.prompt)));
    let engine = Engine::builder().store(store).provider("says", says).build().unwrap();
    let plan = plan(&YAML.replace("NUMBERS", NUMBERS), &graph());
    let start = StartRun::plan(&plan).run_id(id("r1")).var_data("given", Data::parse("-0.50").unwrap());
    let view = futures::executor::block_on(engine.run(start)).unwrap();
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
    drop(engine);
    let engine = Engine::builder().store(reopened()).build().unwrap();
    let view = futures::executor::block_on(engine.handle(&id("r1")).view()).unwrap();
    let var = |name: &str| view.context.vars[name].json().to_owned();
    assert_eq!(var("all"), NUMBERS);
    assert_eq!(var("big"), "23000000000000000001");
    assert_eq!(var("nested"), r#"{"in":[1e400,-0.50]}"#);
    assert_eq!(var("text"), NUMBERS);
    let output = |stage: &str| view.context.stages[stage].output.clone().unwrap();
    let told = format!("{NUMBERS}\n\nis 23000000000000000001, {{\"in\":[1e400,-0.50]}}");
    assert_eq!(output("pass"), Data::from(json!(told)));
    assert_eq!(output("make").json(), format!("{{\"all\":{NUMBERS},\"big\":23000000000000000001}}"));
    let merged = r#"{"a":23000000000000000001,"b":0.1000}"#;
    // Two of them are the same number.
    let graph = format!("{NUMBERS}\n\n{merged}\n\n-0.0");
    let (given, graph) = (output("graph").value(), json!(graph));
    assert_eq!(given.get("yes").unwrap_or(&given), &graph);
}

#[test]
fn numbers_of_a_run_stay_as_they_were_written_in_memory() {
    let store = MemoryStore::new();
    check(store.clone(), || Box::new(store.reopen()));
}

#[test]
fn numbers_of_a_run_stay_as_they_were_written_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let open = || SqliteStore::open(folder.path().join("runs.db")).unwrap();
    check(open(), || Box::new(open()));
}

#[test]
fn numbers_of_a_run_stay_as_they_were_written_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FileStore::open(folder.path()).unwrap();
    check(open(), || Box::new(open()));
}

#[test]
fn a_command_gets_and_prints_numbers_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let commands = CommandProvider::builder().work_root(folder.path()).build();
    let engine = Engine::builder().provider("command", commands).build().unwrap();
    let yaml = r#"
workflow: { name: Commands, stages: [print, lines, args] }
print: { provider: command, with: { command: [cat], stdin: "${vars.all}", output: json } }
lines: { provider: command, with: { command: [printf, '%s\n', "1e2", "${vars.all[0]}"], output: json-lines } }
args:
  provider: command
  env: { N: "${vars.all[6]}" }
  with: { command: [sh, -c, 'echo "$1 $2 $N"', sh, "${vars.all[1]}", "${vars.all}"] }
"#;
    let plan = engine.parse(yaml, "commands").unwrap();
    let start = StartRun::plan(&plan).var_data("all", Data::parse(NUMBERS).unwrap());
    let view = futures::executor::block_on(engine.run(start)).unwrap();
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
    let output = |stage: &str| view.context.stages[stage].output.clone().unwrap();
    assert_eq!(output("print").json(), NUMBERS);
    assert_eq!(output("lines").json(), "[1e2,23000000000000000001]");
    assert_eq!(output("args").value(), json!(format!("1e400 {NUMBERS} 0.1000")));
}

#[test]
fn an_option_that_a_provider_cannot_hold_fails_with_its_path() {
    let agent = FunctionProvider::from_fn(|request| Ok(Reply::json(&request.options)));
    let host = Host::with(|builder| builder.provider("agent", agent));
    let yaml = r#"
workflow: { name: Options, stages: [fits, breaks] }
fits: { provider: agent, with: { a: "${vars.all[6]}", b: ["${vars.all[5]}"] } }
breaks: { provider: agent, with: { a: { b: ["${vars.all[0]}"] } } }
"#;
    let plan = host.engine.parse(yaml, "options").unwrap();
    let start = StartRun::plan(&plan).var_data("all", Data::parse(NUMBERS).unwrap());
    let view = host.sim.block_on(host.engine.run(start)).unwrap();
    assert_eq!(
        view.context.stages["fits"].output.as_ref().unwrap().value(),
        json!({ "a": 0.1, "b": [100.0] })
    );
    let error = view.error.unwrap();
    assert_eq!(error.class, FailureClass::Expression);
    let expected = "breaks.with: at /a/b/0: the number 23000000000000000001 cannot be kept exactly here: pass it as a text";
    assert!(error.message.contains(expected), "{error}");
}

#[test]
fn numbers_of_a_definition_stay_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let commands = CommandProvider::builder().work_root(folder.path()).build();
    let says = FunctionProvider::from_fn(|request| Ok(Reply::text(request.prompt)));
    let builder = Engine::builder().provider("command", commands).provider("says", says);
    let engine = builder.build().unwrap();
    let yaml = r#"
workflow: { name: Definition, stages: [set, args] }
set:
  provider: says
  prompt: x
  set: { all: [23000000000000000001, 1e400, -0.0, 1.0, 1e2, 0.1000, 12], one: 0.10 }
args:
  provider: command
  env: { VERSION: 1.10 }
  with: { command: [sh, -c, 'echo "$1 $2 $3 $VERSION"', sh, 1e2, 1e400, "${vars.all}"] }
"#;
    let parsed = parse(yaml.as_bytes(), Some(&"definition".parse().unwrap()));
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let workflow = parsed.workflow.unwrap();
    let written = workflow.to_yaml().unwrap();
    assert!(written.contains("- 23000000000000000001\n") && written.contains("one: 0.10\n"), "{written}");
    assert_eq!(parse(written.as_bytes(), None).workflow.as_ref(), Some(&workflow));
    let plan = engine.parse(&written, "definition").unwrap();
    let view = futures::executor::block_on(engine.run(StartRun::plan(&plan))).unwrap();
    assert_eq!(view.status, RunStatus::Completed, "{:?}", view.error);
    let all = "[23000000000000000001,1e400,-0.0,1.0,1e2,0.1000,12]";
    assert_eq!(view.context.vars["all"].json(), all);
    assert_eq!(view.context.vars["one"].json(), "0.10");
    let output = view.context.stages["args"].output.clone().unwrap();
    assert_eq!(output.value(), json!(format!("1e2 1e400 {all} 1.10")));
}

/// A number in any notation that JSON allows.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,4})?",
        1 => prop::sample::select(vec!["23000000000000000001", "1e400", "-0.0", "-0", "1.0", "1e2", "0.1000"])
            .prop_map(str::to_owned),
    ]
}

const GENERATED: &str = r#"
workflow: { name: Generated, stages: [make, graph, told] }
make:
  provider: says
  output_schema: schemas/numbers.json
  prompt: "NUMBERS"
  set: { all: "${output}", first: "${output[0]}", deep: { a: [{ b: "${output}" }] } }
graph: { provider: says, profile: graph }
told: { provider: says, inputs: ["${vars.deep}", "is ${vars.first} and ${vars.given}"] }
"#;

/// Runs a workflow with these numbers in a store, and reads the result again.
fn survive(numbers: &[String], store: impl RunStore + 'static, reopened: impl FnOnce() -> Box<dyn RunStore>) {
    let says = FunctionProvider::from_fn(|request| Ok(Reply::text(request.prompt)));
    let engine = Engine::builder().store(store).provider("says", says).build().unwrap();
    let all = format!("[{}]", numbers.join(","));
    let first = &numbers[0];
    let yaml = GENERATED.replace("NUMBERS", &all);
    let workflow = parse(yaml.as_bytes(), Some(&"numbers".parse().unwrap())).workflow.unwrap();
    let mut bundle = Bundle::new(definition::resolve(&workflow, &Defaults::default()).unwrap());
    let graph = json!([
        { "id": "each", "type": "foreach", "items": "${vars.all}", "mode": "parallel",
          "run": { "type": "run", "prompt": "${item}", "output": "json" } },
        { "id": "twice", "type": "reduce", "from": ["each", "each"], "strategy": "concat" },
        { "id": "object", "type": "run", "prompt": "{\"a\":${vars.first}}", "output": "json", "set": { "of_node": "${output.a}" } },
        { "id": "other", "type": "run", "prompt": "{\"b\":${vars.given}}", "output": "json" },
        { "id": "merged", "type": "reduce", "from": ["object", "other"], "strategy": "merge" },
        { "id": "last", "type": "reduce", "from": "each", "strategy": "last" },
        { "id": "won", "type": "reduce", "from": ["first", "first", "last"], "strategy": "vote" },
        { "id": "first", "type": "reduce", "from": "each", "strategy": "first" },
        { "id": "out", "type": "run", "output": "json",
          "prompt": "[${nodes.twice.output},${nodes.merged.output},${nodes.last.output},${nodes.won.output}]" },
    ]);
    let profile: Profile = serde_json::from_value(json!({ "graph": graph })).unwrap();
    bundle.profiles.insert(StageId::new("graph").unwrap(), profile);
    let schema = json!({ "type": "array", "items": { "type": "number" } });
    bundle.schemas.insert("schemas/numbers.json".to_owned(), schema);
    let plan = Arc::new(Plan::load(bundle).unwrap());
    let start = StartRun::plan(&plan).run_id(id("r1")).var_data("given", Data::parse(first).unwrap());
    let view = futures::executor::block_on(engine.run(start)).unwrap();
    assert_eq!(view.status, RunStatus::Completed, "{all}: {:?}", view.error);
    drop(engine);

    let engine = Engine::builder().store(reopened()).build().unwrap();
    let view = futures::executor::block_on(engine.handle(&id("r1")).view()).unwrap();
    for (name, expected) in [
        ("all", all.clone()),
        ("first", first.clone()),
        ("given", first.clone()),
        ("of_node", first.clone()),
        ("deep", format!("{{\"a\":[{{\"b\":{all}}}]}}")),
    ] {
        assert_eq!(view.context.vars[name].json(), expected, "{name}");
    }
    let output = |stage: &str| view.context.stages[stage].output.clone().unwrap();
    assert_eq!(output("make").json(), all);
    let twice = format!("[{0},{0}]", numbers.join(","));
    let last = &numbers[numbers.len() - 1];
    let expected = format!("[{twice},{{\"a\":{first},\"b\":{first}}},{last},{first}]");
    assert_eq!(output("graph").json(), expected);
    let told = format!("{{\"a\":[{{\"b\":{all}}}]}}\n\nis {first} and {first}");
    assert_eq!(output("told"), Data::from(json!(told)));
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40, failure_persistence: None, rng_seed: RngSeed::Fixed(8), ..ProptestConfig::default()
    })]

    #[test]
    fn generated_numbers_survive_items_reductions_variables_schemas_and_stores(
        numbers in prop::collection::vec(number(), 1..6)
    ) {
        let store = MemoryStore::new();
        survive(&numbers, store.clone(), || Box::new(store.reopen()));
        let folder = tempfile::tempdir().unwrap();
        let database = || SqliteStore::open(folder.path().join("runs.db")).unwrap();
        survive(&numbers, database(), || Box::new(database()));
        let files = || FileStore::open(folder.path().join("files")).unwrap();
        survive(&numbers, files(), || Box::new(files()));
    }
}
