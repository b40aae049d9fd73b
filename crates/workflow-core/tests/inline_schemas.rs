//! Schemas that are written where they are used.

#![cfg(feature = "json-schema")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot continue has failed")]

use serde_json::{Value, json};
use workflow_core::bundle::Bundle;
use workflow_core::catalog::{Part, Text, Version};
use workflow_core::definition::{self, CheckedBundle, Defaults, Draft, SchemaSource};
use workflow_core::plan::Plan;

fn host() -> Defaults {
    Defaults { provider: Some("codex".to_owned()), ..Defaults::default() }
}

/// A draft of a workflow with one stage, and what it is given by its name.
fn draft(stage: &str, files: &[(&str, &str)]) -> Draft {
    let text = format!("workflow: {{ id: demo, name: Demo, stages: [plan] }}\nplan: {stage}\n");
    let mut draft = definition::read(text.as_bytes(), None);
    loop {
        let wanted = draft.wanted(&host(), &[]);
        if wanted.is_empty() {
            return draft;
        }
        for part in wanted {
            let name = match &part {
                Part::Schema(name) => name.clone(),
                Part::Profile(stage, profile) => format!("{stage}.{profile}"),
                _ => String::new(),
            };
            let found = files.iter().find(|(file, _)| *file == name).map(|(file, text)| Text {
                origin: (*file).to_owned(),
                text: (*text).to_owned(),
                version: Version("1".to_owned()),
            });
            draft.give(&part, Ok(found));
        }
    }
}

fn problems(mut draft: Draft) -> Vec<String> {
    draft.resolve(&host());
    draft.finish().iter().map(ToString::to_string).collect()
}

#[test]
fn a_schema_is_checked_where_it_is_written() {
    for (stage, expected) in [
        ("{ output_schema: { type: object, required: [done] } }", &[][..]),
        ("{ output_schema: {} }", &[]),
        (
            "{ output_schema: { type: objct } }",
            &[
                "2:32: error[bad-schema]: `objct` is not a type: write `string`, `number`, `integer`, `boolean`, `array`, `object` or `null`; did you mean `object`?",
            ],
        ),
        (
            "{ output_schema: { properties: { 'a b': { pattern: '(' } } } }",
            &[
                "2:58: error[bad-schema]: `pattern` cannot be used as a regular expression: it has a syntax error, look-around or back-references, or is too large",
            ],
        ),
        (
            "{ output_schema: [a] }",
            &[
                "2:9: error[wrong-type]: `output_schema` has to be the name of a schema file, or a schema as a mapping, not a list",
            ],
        ),
        (
            "{ output_schema: { items: { $ref: lost.json } } }",
            &["2:9: error[missing-schema]: there is no schema file `lost.json` in the home"],
        ),
    ] {
        assert_eq!(problems(draft(stage, &[])), expected, "{stage}");
    }
    let outside = problems(draft("{ output_schema: { $ref: ../x.json } }", &[]));
    assert!(matches!(&outside[..], [only] if only.starts_with("2:9: error[bad-schema]")), "{outside:?}");
}

#[test]
fn a_schema_of_a_node_is_checked_in_the_file_of_its_profile() {
    let profile = "graph:\n  - { id: a, type: run, prompt: x, output_schema: { type: [string, nil] } }\n";
    let found = problems(draft("{ profile: deep }", &[("plan.deep", profile)]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("plan.deep:2:") && found[0].contains("`nil` is not a type"), "{found:?}");
}

#[test]
fn it_refers_to_files_of_the_home_and_outputs_have_to_follow_both() {
    let file = "{ \"type\": \"string\", \"minLength\": 2 }";
    let stage = "{ output_schema: { type: array, items: { $ref: schemas/word.json } } }";
    let mut draft = draft(stage, &[("schemas/word.json", file)]);
    let bundle = draft.resolve(&host()).expect("no errors");
    assert_eq!(bundle.schemas.keys().collect::<Vec<_>>(), ["schemas/word.json"]);
    let schema = bundle.workflow.stages["plan"].output_schema.clone().unwrap();
    let compiled = schema.compile(&bundle.schemas).unwrap();
    assert!(compiled.check(&json!(["ab", "abc"])).is_empty());
    assert!(!compiled.check(&json!(["ab", "a"])).is_empty());
    // What is stored is what was written, and is checked again when it is loaded.
    let stored: Bundle = serde_json::from_value(serde_json::to_value(&*bundle).unwrap()).unwrap();
    assert_eq!(CheckedBundle::check(stored).unwrap(), bundle);
    Plan::compile(bundle).unwrap();
}

#[test]
fn a_name_is_a_file_and_a_mapping_is_a_schema() {
    let read = |value: Value| serde_json::from_value::<SchemaSource>(value).unwrap();
    assert_eq!(read(json!("a.json")), SchemaSource::from("a.json"));
    assert_eq!(read(json!("a.json")).file(), Some("a.json"));
    let inline = read(json!({ "type": "object" }));
    assert_eq!((inline.file(), serde_json::to_value(&inline).unwrap()), (None, json!({ "type": "object" })));
}
