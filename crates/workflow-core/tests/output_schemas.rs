//! Validation of a value: every violation, with its place as a JSON Pointer.

#![cfg(feature = "json-schema")]
#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::output_schema::{OutputSchema, SchemaError, references};

fn compile(schema: Value) -> OutputSchema {
    OutputSchema::compile("schemas/it.json", &files([("schemas/it.json", schema)])).unwrap()
}

fn files<const N: usize>(files: [(&str, Value); N]) -> IndexMap<String, Value> {
    files.map(|(name, schema)| (name.to_owned(), schema)).into_iter().collect()
}

const DRAFT_7: &str = "http://json-schema.org/draft-07/schema#";
const DRAFT_2020: &str = "https://json-schema.org/draft/2020-12/schema";

#[test]
fn every_violation_is_told_with_its_place() {
    let person = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "minLength": 2, "pattern": "^[A-Z]" },
            "age": { "type": "integer", "minimum": 0, "maximum": 150 },
            "tags": { "type": "array", "items": { "enum": ["a", "b"] }, "maxItems": 2, "uniqueItems": true },
            "a/b~c": { "const": 1 }
        },
        "required": ["name", "age"],
        "additionalProperties": false
    });
    let tree = json!({ "required": ["n"], "properties": { "n": { "type": "number" }, "children": { "items": { "$ref": "#" } } } });
    let table: Vec<(Value, Value)> = vec![
        (person.clone(), json!({ "name": "Ada", "age": 36 })),
        (person.clone(), json!({ "name": "a", "age": -1, "tags": ["a", "c", "a"], "a/b~c": 2, "x": 1 })),
        (person.clone(), json!({ "age": 1.5 })),
        (person.clone(), json!([])),
        (person.clone(), json!(null)),
        (person, json!("{\"name\": \"Ada\"}")),
        (json!(true), json!({ "anything": 1 })),
        (json!(false), json!(1)),
        (json!({}), json!(null)),
        (json!({ "anyOf": [{ "type": "string" }, { "type": "number" }] }), json!([])),
        (json!({ "oneOf": [{ "minimum": 1 }, { "maximum": 9 }] }), json!(5)),
        (json!({ "not": { "type": "string" } }), json!("x")),
        (json!({ "if": { "required": ["a"] }, "then": { "required": ["b"] } }), json!({ "a": 1 })),
        (tree, json!({ "n": 1, "children": [{ "n": "x" }, { "n": 2, "children": [{}] }] })),
        (json!({ "$ref": "#" }), json!(1)),
        (
            json!({ "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } }, "$ref": "#/$defs/a" }),
            json!(1),
        ),
        (json!({ "pattern": "^(a+)+$" }), json!("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")),
        // The same keyword in two drafts.
        (
            json!({ "$schema": DRAFT_7, "items": [{ "type": "string" }], "additionalItems": false }),
            json!([1, 2]),
        ),
        (
            json!({ "$schema": DRAFT_2020, "prefixItems": [{ "type": "string" }], "items": false }),
            json!([1, 2]),
        ),
        (json!({ "$schema": DRAFT_7, "prefixItems": [{ "type": "string" }] }), json!([1])),
        (
            json!({ "$schema": DRAFT_7, "definitions": { "s": { "type": "string" } }, "properties": { "a": { "$ref": "#/definitions/s" } } }),
            json!({ "a": 1 }),
        ),
        (json!({ "$schema": DRAFT_7, "dependencies": { "a": ["b"] } }), json!({ "a": 1 })),
        (
            json!({ "dependentRequired": { "a": ["b"] }, "unevaluatedProperties": false, "properties": { "a": {} } }),
            json!({ "a": 1, "c": 2 }),
        ),
        (
            json!({ "$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": true }),
            json!(3),
        ),
    ];
    let mut shown = String::new();
    for (schema, value) in table {
        writeln!(shown, "{schema}\n{value}").unwrap();
        for violation in compile(schema).check(&value) {
            writeln!(shown, "  {:?} {}", violation.path, violation.message).unwrap();
        }
        writeln!(shown).unwrap();
    }
    insta::assert_snapshot!("violations", shown);
}

#[test]
fn a_schema_of_several_files_is_one_for_a_provider() {
    for (draft, place) in [(DRAFT_2020, "$defs"), (DRAFT_7, "definitions")] {
        let file = format!("parts/file.json#/{place}/file");
        let files = files([
            (
                "schemas/plan.json",
                json!({ "$schema": draft, "items": { "$ref": file }, "minItems": 1, place: {} }),
            ),
            (
                "schemas/parts/file.json",
                json!({ "$schema": draft, "$id": "https://example.org/x", place: { "file": { "$ref": "../name.json" } } }),
            ),
            (
                "schemas/name.json",
                json!({ "$schema": draft, "type": "string", "not": { "$ref": "never.json" } }),
            ),
            ("schemas/never.json", json!(false)),
        ]);
        let schema = OutputSchema::compile("schemas/plan.json", &files).unwrap();
        let violations = schema.check(&json!(["a", 1]));
        assert_eq!((violations.len(), violations[0].path.as_str()), (1, "/1"));
        // The schema that the provider receives has the same meaning on its own.
        let whole = jsonschema::validator_for(schema.value()).unwrap();
        for (value, is_valid) in [(json!(["a"]), true), (json!(["a", 1]), false), (json!([]), false)] {
            assert_eq!(whole.is_valid(&value), is_valid, "{value} {}", schema.value());
            assert_eq!(schema.check(&value).is_empty(), is_valid, "{value}");
        }
    }
    let alone = json!({ "$schema": DRAFT_7, "type": "string" });
    assert_eq!(**compile(alone.clone()).value(), alone);
}

#[test]
fn files_that_refer_to_each_other_are_followed_once() {
    let files = files([
        ("a.json", json!({ "properties": { "b": { "$ref": "b.json" } }, "required": ["n"] })),
        ("b.json", json!({ "properties": { "a": { "$ref": "a.json#" } } })),
    ]);
    let schema = OutputSchema::compile("a.json", &files).unwrap();
    let violations = schema.check(&json!({ "n": 1, "b": { "a": { "b": { "a": { "n": 1 } } } } }));
    assert_eq!((violations.len(), violations[0].path.as_str()), (1, "/b/a"));
}

#[test]
fn a_reference_leads_to_a_file_of_the_home_and_nowhere_else() {
    let found = |name: &str, reference: &str| references(name, &json!({ "not": [{ "$ref": reference }] }));
    for (name, reference, file) in [
        ("schemas/a.json", "b.json", "schemas/b.json"),
        ("schemas/a.json", "./b.json#/x", "schemas/b.json"),
        ("schemas/a.json", "../b.json", "b.json"),
        ("schemas/x/y/a.json", "../../b.json#", "schemas/b.json"),
        ("a.json", "x/../b.json", "b.json"),
    ] {
        assert_eq!(found(name, reference).unwrap(), [file], "{name} {reference}");
    }
    for reference in ["#", "#/$defs/x", "a.json", "./a.json#/x", ""] {
        assert_eq!(found("schemas/a.json", reference).unwrap(), [""; 0], "{reference}");
    }
    for reference in [
        "../../b.json",
        "x/../../../b.json",
        "/etc/passwd",
        "//host/x.json",
        "http://example.org/x.json",
        "file:///etc/passwd",
        "C:\\x.json",
        "..\\b.json",
        "%2e%2e/b.json",
        "b.json?x=1",
        "urn:x:y",
    ] {
        let error = found("schemas/a.json", reference).unwrap_err();
        assert!(matches!(&error, SchemaError::Outside { .. }), "{reference}: {error}");
    }
    // Data is not a reference.
    let data = json!({ "const": { "$ref": "/x" }, "enum": [{ "$ref": "/x" }], "default": { "$ref": "/x" }, "examples": [{ "$ref": "/x" }] });
    assert_eq!(references("a.json", &data).unwrap(), [""; 0]);
}

#[test]
fn a_file_that_is_missing_or_outside_is_named() {
    let error = |schema: Value| {
        OutputSchema::compile("a.json", &files([("a.json", schema)])).unwrap_err().to_string()
    };
    assert_eq!(error(json!({ "$ref": "lost.json" })), "there is no schema file `lost.json`");
    assert!(error(json!({ "$ref": "../x.json" })).starts_with("`a.json` refers to `../x.json`: "));
    assert!(
        error(json!({ "$dynamicRef": "https://example.org/x" }))
            .starts_with("`a.json` is not a valid JSON Schema: ")
    );
    let absent = OutputSchema::compile("b.json", &IndexMap::new()).unwrap_err();
    assert_eq!(absent, SchemaError::Missing("b.json".to_owned()));
}

#[test]
fn what_is_said_of_a_value_has_a_limit() {
    let many =
        compile(json!({ "items": { "type": "string" } })).check(&json!((0..10_000).collect::<Vec<_>>()));
    assert_eq!((many.len(), many[99].path.as_str(), many[100].message.as_str()), (101, "/99", "and more"));
    let hundred =
        compile(json!({ "items": { "type": "string" } })).check(&json!((0..100).collect::<Vec<_>>()));
    assert_eq!(hundred.len(), 100);

    // A message can contain the value.
    let large = json!("é".repeat(1 << 13));
    let all = compile(json!({ "allOf": vec![json!({ "type": "number" }); 20] })).check(&large);
    assert_eq!(all.len(), 20);
    assert!(all.iter().all(|violation| violation.message.chars().count() <= 301), "{}", all[0].message.len());
    assert!(all[0].message.ends_with('…'));
}

#[test]
fn a_value_as_deep_as_json_is_read_is_checked() {
    let nested = |depth| (0..depth).fold(json!(1), |value, _| json!([value]));
    let schema = compile(json!({ "type": "array", "items": { "$ref": "#" } }));
    let found = schema.check(&nested(127));
    assert_eq!((found.len(), found[0].path.len()), (1, 254));
}

/// The check of a single value would need 2^60 steps.
#[test]
fn a_schema_that_fans_out_is_refused() {
    let mut defs = serde_json::Map::new();
    for n in 0..60 {
        let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
        defs.insert(format!("d{n}"), json!({ "anyOf": [{ "not": next }, next] }));
    }
    defs.insert("d60".to_owned(), json!({ "type": "string" }));
    let schema = json!({ "$ref": "#/$defs/d0", "$defs": defs });
    let error = OutputSchema::compile("a.json", &[("a.json".to_owned(), schema)].into()).unwrap_err();
    assert!(matches!(error, SchemaError::TooComplex { .. }), "{error}");
}

/// Each level of the value doubles the steps.
#[test]
fn a_value_that_is_too_deep_for_a_recursive_schema_is_refused() {
    let back = json!({ "properties": { "a": { "$ref": "#" } } });
    let schema = json!({ "anyOf": [{ "not": back }, { "not": { "not": back } }] });
    let schema = OutputSchema::compile("a.json", &[("a.json".to_owned(), schema)].into()).unwrap();
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "a": inner }));
    assert_eq!(schema.check(&nested(5)), []);
    let violations = schema.check(&nested(60));
    assert!(violations[0].message.starts_with("the value is too deep or too large"), "{violations:?}");
}

#[test]
fn numbers_that_64_bits_do_not_hold_are_checked_on_both_sides() {
    let value = |text: &str| workflow_core::data::Data::parse(text).unwrap().exact_value();
    for (schema, number, follows) in [
        (json!({ "type": "integer" }), "23000000000000000001", true),
        (json!({ "type": "number", "minimum": 0 }), "1e400", true),
        (json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 1 }), "1e-400", false),
        (json!({ "maximum": 23e18 }), "23000000000000000001", false),
        (json!({ "minimum": 23e18 }), "23000000000000000001", true),
        (json!({ "const": 23e18 }), "23000000000000000001", false),
        (json!({ "type": "integer" }), "1.00000000000000000001", false),
        (json!({ "type": "integer", "const": 100 }), "1e2", true),
        (json!({ "enum": [0.1] }), "0.1000", true),
        (json!({ "type": "string" }), "1e400", false),
        (json!({ "type": "object" }), "1e400", false),
    ] {
        let shown = format!("{number} {schema}");
        let nested = json!({ "properties": { "n": schema } });
        let violations = compile(nested).check(&value(&format!("{{ \"n\": {number} }}")));
        assert_eq!(violations.is_empty(), follows, "{shown}: {violations:?}");
        assert!(violations.iter().all(|violation| violation.path == "/n"), "{shown}: {violations:?}");
    }
}
