//! The inputs that a workflow declares: what uses an undeclared variable, and what a run may be given.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot continue has failed")]

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::data::Data;
use workflow_core::definition::{
    self, CheckedBundle, Defaults, Stage, VariableType, Workflow, WorkflowInput, parse_profile, parse_role,
};
use workflow_core::plan::Plan;

const HEADER: &str = "workflow:
  id: demo
  name: Demonstration
  stages: [plan, code]
  inputs:
    topic: string
    depth: { type: integer, enum: [1, 2, 3], default: 2 }
    files: { type: array, required: false }
    key: { secret: true }
";

/// The problems of a workflow with those inputs and these stages.
fn problems(stages: &str) -> Vec<String> {
    let mut draft = definition::read(format!("{HEADER}{stages}").as_bytes(), None);
    draft.check_alone(&Defaults { provider: Some("codex".to_owned()), ..Defaults::default() });
    draft.finish().iter().map(ToString::to_string).collect()
}

fn plan(workflow: &str) -> Plan {
    let mut draft = definition::read(workflow.as_bytes(), None);
    let bundle = draft.resolve(&Defaults { provider: Some("codex".to_owned()), ..Defaults::default() });
    Plan::compile(bundle.expect("no errors")).unwrap()
}

fn vars(values: &Value) -> IndexMap<String, Data> {
    let values = values.as_object().unwrap().iter();
    values.map(|(name, value)| (name.clone(), Data::new(value))).collect()
}

#[test]
fn a_variable_that_a_handlebars_prompt_always_shows_is_required() {
    let plan = plan(
        "workflow: { id: demo, stages: [plan, code] }
plan:
  template: handlebars
  prompt: 'About {{vars.topic}}. {{#if vars.tone}}Be {{vars.tone}}.{{else}}{{vars.mood}}{{/if}} {{#each inputs}}{{this}}{{/each}}'
  set: { found: '${output}' }
code: { template: handlebars, prompt: '{{vars.found}} {{json vars.size}}' }
",
    );
    let inputs = plan.inputs();
    let required: Vec<_> = inputs.iter().map(|input| (input.name.as_str(), input.required)).collect();
    assert_eq!(
        required,
        [("found", false), ("mood", false), ("size", false), ("tone", false), ("topic", true)]
    );
    let used: Vec<_> = inputs.iter().map(|input| input.used_in.join(", ")).collect();
    assert_eq!(used, ["code.prompt", "plan.prompt", "code.prompt", "plan.prompt", "plan.prompt"]);
}

#[test]
fn what_is_neither_declared_nor_written_is_an_error_where_it_is_used() {
    for (stages, expected) in [
        ("plan: { prompt: 'About ${vars.topic}, ${vars.depth}, ${vars.files:-[]}' }\ncode:\n", &[][..]),
        ("plan: { set: { found: '${output}' } }\ncode: { prompt: '${vars.found}' }\n", &[]),
        // Also before the stage that writes it: that may be a later iteration.
        ("plan: { prompt: '${vars.found:-nothing}' }\ncode: { set: { found: x } }\n", &[]),
        (
            "plan: { prompt: 'About ${vars.topc}' }\ncode:\n",
            &[
                "10:17: error[unknown-name]: `topc` is neither an input of the workflow nor written by a `set`; \
               did you mean `topic`?",
            ],
        ),
        (
            "plan: { with: { a: [{ b: '${vars.x:-1}' }] } }\ncode: { when: '$.vars.y == 1' }\n",
            &[
                "10:26: error[unknown-name]: `x` is neither an input of the workflow nor written by a `set`",
                "11:15: error[unknown-name]: `y` is neither an input of the workflow nor written by a `set`",
            ],
        ),
        (
            "plan: { prompt: '${vars.key}' }\ncode: { env: { KEY: '${secrets.key}' } }\n",
            &["10:17: error[unknown-name]: `key` is declared as a secret: write `${secrets.key}`"],
        ),
    ] {
        assert_eq!(problems(stages), expected, "{stages}");
    }
}

#[test]
fn without_inputs_every_variable_may_be_given() {
    let text = "workflow: { id: demo, name: Demonstration, stages: [plan] }\nplan: { prompt: '${vars.x}' }\n";
    let plan = plan(text);
    assert_eq!(plan.check_variables(&vars(&json!({ "x": 1, "y": 2 }))), [""; 0]);
    assert_eq!(plan.start_variables(vars(&json!({ "y": 2 }))), vars(&json!({ "y": 2 })));
}

#[test]
fn profiles_and_roles_use_declared_variables_alone() {
    let workflow = Workflow::new("demo".parse().unwrap(), "Demonstration")
        .input("topic", WorkflowInput::new(VariableType::String))
        .stage("plan".parse().unwrap(), Stage { profile: Some("deep".to_owned()), ..Stage::new("codex") });
    let workflow = definition::resolve(&workflow, &Defaults::default()).unwrap();
    let profile = "vars: { own: 1 }\ngraph:\n  - { id: a, type: run, prompt: '${vars.topic} ${vars.own} ${vars.b}', set: { c: '${output}' } }\n  - { id: d, type: run, prompt: '${vars.c} ${vars.e}' }\n";
    let profile = parse_profile(profile.as_bytes(), None).profile.unwrap();
    let mut bundle = Bundle::new(workflow);
    bundle.profiles.insert("plan".parse().unwrap(), profile);
    let wrong = CheckedBundle::check(bundle).unwrap_err();
    let wrong: Vec<_> =
        wrong.iter().map(|problem| (problem.path.as_str(), problem.message.as_str())).collect();
    assert_eq!(
        wrong,
        [
            (
                "profile plan.deep: graph[0].prompt",
                "`b` is neither an input of the workflow nor written by a `set`"
            ),
            (
                "profile plan.deep: graph[1].prompt",
                "`e` is neither an input of the workflow nor written by a `set`"
            ),
        ]
    );
}

#[test]
fn a_role_needs_no_variable_that_is_not_declared() {
    let text = "---\nid: planner\nvariables: [{ name: topic, required: true }, { name: tone, required: true }, { name: size }]\n---\nPlan.";
    let role = parse_role(text.as_bytes(), None).role.unwrap();
    let text = format!("{HEADER}plan: {{ role: planner }}\ncode:\n");
    let mut draft = definition::read(text.as_bytes(), None);
    let defaults = Defaults {
        provider: Some("codex".to_owned()),
        roles: BTreeMap::from([(role.id.clone(), role)]),
        ..Defaults::default()
    };
    assert!(draft.resolve(&defaults).is_none());
    let found: Vec<_> = draft.finish().iter().map(ToString::to_string).collect();
    let expected = "5:3: error[unknown-name]: the role `planner` needs the variable `tone`: declare it here, or write it \
                    with `set`";
    assert_eq!(found, [expected]);
}

#[test]
fn a_run_is_given_declared_variables_of_their_types_alone() {
    let plan = plan(&format!("{HEADER}plan:\ncode: {{ set: {{ found: '${{output}}' }} }}\n"));
    for (given, expected) in [
        (json!({ "topic": "x" }), &[][..]),
        (json!({ "topic": "x", "depth": 3, "files": ["a"] }), &[]),
        (json!({}), &["the input `topic` is missing: it must be a text"]),
        (json!({ "topic": 1 }), &["the input `topic` must be a text"]),
        (json!({ "topic": "x", "depth": 4 }), &["the input `depth` must be `1`, `2` or `3`"]),
        (json!({ "topic": "x", "depth": 1.5 }), &["the input `depth` must be a whole number"]),
        (json!({ "topic": "x", "depth": 2.0 }), &["the input `depth` must be `1`, `2` or `3`"]),
        (json!({ "topic": "x", "file": [] }), &["the workflow has no input `file`; did you mean `files`?"]),
        (
            json!({ "topic": "x", "key": "k" }),
            &["the input `key` is a secret: the host holds it, and no run is given it"],
        ),
        // What a stage writes is not given at the start.
        (
            json!({ "topic": "x", "found": 1 }),
            &["the workflow has no input `found`: write `topic`, `depth` or `files`"],
        ),
    ] {
        assert_eq!(plan.check_variables(&vars(&given)), expected, "{given}");
    }
    // A fork may replace it.
    assert_eq!(plan.check_edited(&vars(&json!({ "found": 1, "depth": 1 }))), [""; 0]);
    assert_eq!(
        plan.check_edited(&vars(&json!({ "depth": 9 }))),
        ["the input `depth` must be `1`, `2` or `3`"]
    );
}

fn with_default(kind: VariableType, default: Value) -> WorkflowInput {
    WorkflowInput { default: Some(default), ..WorkflowInput::new(kind) }
}

#[test]
fn an_input_with_a_default_is_not_missing_as_the_items_of_a_foreach_or_for_a_role() {
    let role = "---\nid: writer\nvariables: [{ name: topic, required: true }]\n---\nWrite.";
    let role = parse_role(role.as_bytes(), None).role.unwrap();
    let defaults =
        Defaults { roles: BTreeMap::from([(role.id.clone(), role.clone())]), ..Defaults::default() };
    let workflow = Workflow::new("demo".parse().unwrap(), "Demonstration")
        .input("files", with_default(VariableType::Array, json!(["a", "b"])))
        .input("topic", with_default(VariableType::String, json!("tea")))
        .stage(
            "code".parse().unwrap(),
            Stage {
                profile: Some("each".to_owned()),
                role: Some("writer".to_owned()),
                ..Stage::new("codex")
            },
        );
    let profile = "graph:\n  - { id: each, type: foreach, items: '${vars.files}', run: { type: run, inputs: ['${item}'] } }\n";
    let mut bundle = Bundle::new(definition::resolve(&workflow, &defaults).unwrap());
    bundle.profiles.insert("code".parse().unwrap(), parse_profile(profile.as_bytes(), None).profile.unwrap());
    bundle.roles.insert(role.id.clone(), role);
    let plan = Plan::compile(CheckedBundle::check(bundle).unwrap()).unwrap();
    assert_eq!(plan.check_variables(&IndexMap::new()), [""; 0]);
}

#[test]
fn a_run_starts_with_the_defaults_of_what_it_is_not_given() {
    let plan = plan(&format!("{HEADER}plan:\ncode:\n"));
    for (given, expected) in [
        (json!({ "topic": "x" }), json!({ "topic": "x", "depth": 2 })),
        (json!({ "topic": "x", "depth": 1, "files": [] }), json!({ "topic": "x", "depth": 1, "files": [] })),
    ] {
        assert_eq!(plan.start_variables(vars(&given)), vars(&expected), "{given}");
    }
}

#[test]
fn the_inputs_of_a_plan_are_those_that_are_declared() {
    let plan = plan(&format!("{HEADER}plan: {{ prompt: '${{vars.topic}} ${{vars.depth}}' }}\ncode:\n"));
    let inputs: Vec<_> = plan
        .inputs()
        .into_iter()
        .map(|input| {
            (input.name, input.kind.unwrap().name(), input.required, input.choices.len(), input.used_in)
        })
        .collect();
    let used = |places: &[&str]| places.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        inputs,
        [
            ("topic".to_owned(), "string", true, 0, used(&["plan.prompt"])),
            ("depth".to_owned(), "integer", false, 3, used(&["plan.prompt"])),
            ("files".to_owned(), "array", false, 0, used(&[])),
        ]
    );
}

#[test]
fn a_text_is_read_by_the_type_of_the_input() {
    for (kind, text, expected) in [
        (VariableType::String, "3", Ok(json!("3"))),
        (VariableType::String, "", Ok(json!(""))),
        (VariableType::Integer, "3", Ok(json!(3))),
        (VariableType::Integer, " 3 ", Ok(json!(3))),
        (VariableType::Integer, "3.5", Err("must be a whole number")),
        (VariableType::Number, "3.5", Ok(json!(3.5))),
        (VariableType::Number, "many", Err("must be a number")),
        (VariableType::Boolean, "true", Ok(json!(true))),
        (VariableType::Boolean, "yes", Err("must be true or false")),
        (VariableType::Array, "[1, \"b\"]", Ok(json!([1, "b"]))),
        (VariableType::Array, "a,b", Err("must be a list")),
        (VariableType::Object, "{\"a\": 1}", Ok(json!({ "a": 1 }))),
        (VariableType::Object, "[]", Err("must be an object")),
    ] {
        let expected = expected.map_err(str::to_owned);
        assert_eq!(WorkflowInput::new(kind).read(text), expected, "{kind:?} {text}");
    }
}
