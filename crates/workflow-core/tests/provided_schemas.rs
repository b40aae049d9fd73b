//! Schemas in the form that providers receive.

#![cfg(test)]
#![cfg(feature = "json-schema")]

use indexmap::IndexMap;
use serde_json::{Value, json};
use workflow_core::output_schema::OutputSchema;

fn compile(name: &str, files: &[(&str, Value)]) -> OutputSchema {
    let files: IndexMap<_, _> =
        files.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    OutputSchema::compile(name, &files).unwrap()
}

#[test]
fn a_schema_of_several_files_is_whole_where_there_are_no_files() {
    let files = [
        (
            "schemas/plan.json",
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "$id": "https://example.org/plan",
                "type": "object",
                "required": ["name", "parts", "owner"],
                "properties": {
                    "name": { "$ref": "#/$defs/name" },
                    "parts": { "type": "array", "items": { "$ref": "sub/part.json" } },
                    "owner": { "$ref": "people.json#/$defs/person" },
                    "note": { "const": { "$ref": "is data.json" } },
                },
                "$defs": { "name": { "type": "string", "minLength": 2 } },
            }),
        ),
        (
            "schemas/sub/part.json",
            json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "name": { "$ref": "../plan.json#/$defs/name" },
                    "size": { "$ref": "#/$defs/size" },
                    "parts": { "type": "array", "items": { "$ref": "#" } },
                    "by": { "$ref": "../people.json#person" },
                },
                "$defs": { "size": { "type": "integer" } },
            }),
        ),
        (
            "schemas/people.json",
            json!({ "$defs": { "person": { "$anchor": "person", "required": ["mail"] } } }),
        ),
    ];
    let schema = compile("schemas/plan.json", &files);
    let alone = jsonschema::validator_for(schema.value()).unwrap();
    let (mail, none) = (json!({ "mail": "x" }), json!({}));
    let plan =
        |name: &str, part: Value, owner: &Value| json!({ "name": name, "parts": [part], "owner": owner });
    for (value, is_good) in [
        (plan("ab", json!({ "name": "cd", "size": 1, "by": mail }), &mail), true),
        (plan("a", json!({}), &mail), false),
        (plan("ab", json!({ "name": "c" }), &mail), false),
        (plan("ab", json!({ "size": "large" }), &mail), false),
        (plan("ab", json!({ "parts": [{ "parts": [{ "size": 1 }] }] }), &mail), true),
        (plan("ab", json!({ "parts": [{ "parts": [{ "size": "large" }] }] }), &mail), false),
        (plan("ab", json!({}), &none), false),
        (plan("ab", json!({ "by": none }), &mail), false),
    ] {
        assert_eq!(alone.is_valid(&value), is_good, "{value}");
        assert_eq!(schema.check(&value).is_empty(), is_good, "{value}");
    }
    assert_eq!(schema.value()["properties"]["note"], json!({ "const": { "$ref": "is data.json" } }));
}
