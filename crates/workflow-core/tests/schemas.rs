//! The JSON Schema of workflow files matches the parser, as far as a schema can.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use jsonschema::Validator;
use serde_json::{Value, json};
use workflow_core::definition;

fn schema() -> Validator {
    jsonschema::validator_for(&workflow_core::schema::workflow_file()).unwrap()
}

fn files(folder: &str) -> impl Iterator<Item = (String, Vec<u8>)> + use<> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml"))
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
}

/// `cargo xtask schemas` runs this test to write them.
#[test]
fn the_schemas_are_committed_as_they_are_generated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas");
    let generated = workflow_core::schema::schemas()
        .into_iter()
        .map(|(name, schema)| (format!("{name}.schema.json"), format!("{schema:#}\n")))
        .collect::<BTreeMap<_, _>>();
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        for (name, text) in &generated {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let committed = std::fs::read_dir(&folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap())
    });
    let committed = committed.collect::<BTreeMap<_, _>>();
    assert!(committed.keys().eq(generated.keys()), "{:?} are committed", committed.keys());
    for (name, text) in generated {
        assert!(committed[&name] == text, "{name} is out of date: run `cargo xtask schemas`");
    }
}

fn files_of(kind: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(kind).join("good");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> =
        paths.map(|path| (path.display().to_string(), std::fs::read_to_string(&path).unwrap())).collect();
    assert!(!files.is_empty());
    files
}

/// Extracts the part of a file that its schema describes.
type Part<'a> = &'a dyn Fn(&str) -> String;

#[test]
fn good_files_of_a_home_follow_their_schemas() {
    let front_matter = |text: &str| match text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---"))
    {
        Some((front, _)) => front.to_owned(),
        None => String::new(),
    };
    let whole = |text: &str| text.to_owned();
    let kinds: [(&str, &str, Part<'_>); 5] = [
        ("profiles", "profile", &whole),
        ("roles", "role", &front_matter),
        ("assignments", "assignments", &whole),
        ("providers", "providers", &whole),
        ("notifications", "notify", &whole),
    ];
    for (kind, name, part) in kinds {
        let (_, schema) =
            workflow_core::schema::schemas().into_iter().find(|(known, _)| *known == name).unwrap();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let examples = (kind == "profiles").then(|| files("../../../../examples/graphs/workflows/stages"));
        let examples = examples.into_iter().flatten();
        let examples = examples.map(|(file, text)| (file, String::from_utf8(text).unwrap()));
        for (file, text) in files_of(kind).into_iter().chain(examples) {
            let value: Value = serde_yaml::from_str(&part(&text)).unwrap();
            let wrong = schema.validate(&value).map_err(|error| error.to_string());
            assert_eq!(wrong, Ok(()), "{file}");
        }
        for wrong in [json!(1), json!({ "graph": [{ "id": "no id", "type": "run" }], "name": 1, "plan": 1 })]
        {
            assert!(!schema.is_valid(&wrong), "{name}: {wrong}");
        }
    }
}

#[test]
fn good_files_and_examples_follow_the_schema() {
    let examples = ["workflows", "graphs/workflows"].into_iter();
    let examples = examples.flat_map(|folder| files(&format!("../../../../examples/{folder}")));
    for (name, text) in files("good").chain(examples) {
        let file: Value = serde_yaml::from_slice(&text).unwrap();
        let wrong = schema().validate(&file).map_err(|error| error.to_string());
        assert_eq!(wrong, Ok(()), "{name}");
    }
}

/// An editor that uses the schema marks nothing that the parser accepts without a diagnostic.
#[test]
fn what_the_schema_refuses_the_reader_does_not_accept_in_silence() {
    let schema = schema();
    let mut refused = Vec::new();
    for (name, text) in files("bad") {
        if let Ok(file) = serde_yaml::from_slice::<Value>(&text)
            && !schema.is_valid(&file)
        {
            assert_ne!(definition::parse(&text, None).diagnostics, [], "{name}");
            refused.push(name);
        }
    }
    assert!(refused.len() > 20, "{refused:?}");
}

#[test]
fn wrong_types_and_ranges_do_not_follow_the_schema() {
    let good: Value =
        serde_yaml::from_str(include_str!("definitions/good/every-field.workflow.yml")).unwrap();
    let schema = schema();
    for (place, value) in [
        ("/workflow", json!("text")),
        ("/workflow/id", json!("no id")),
        ("/workflow/name", json!("N")),
        ("/workflow/stages", json!([])),
        ("/workflow/stages", json!(["plan", "plan"])),
        ("/workflow/loop/max_iters", json!(21)),
        ("/workflow/loop/max_iters", json!(0)),
        ("/workflow/loop", json!({ "max_iters": 2 })),
        ("/workflow/loop/on_exhausted", json!("stop")),
        ("/workflow/budget/cost_usd", json!(0)),
        ("/code", json!("no profile")),
        ("/code", json!(["simple"])),
        ("/test/mode", json!("both")),
        ("/test/retries", json!(11)),
        ("/test/retry_backoff", json!(-1)),
        ("/test/min_iterations", json!(101)),
        ("/test/providers/0", json!({ "role": "tester" })),
        ("/test/providers/0/weight", json!(-1)),
        ("/test/skills", json!("review")),
        ("/check/with", json!([])),
        ("/check/env/JOBS", json!([])),
        ("/check/timeout", json!(true)),
        ("/check/budget/tokens", json!(0)),
    ] {
        let mut file = good.clone();
        *file.pointer_mut(place).unwrap() = value;
        assert!(!schema.is_valid(&file), "{place}");
    }
}
