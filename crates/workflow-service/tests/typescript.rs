//! The JSON Schema from which the types of the TypeScript client are generated.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::path::Path;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use workflow_service::{MessageKind, PROTOCOL, ServiceError, Subscribe, camel_schema, operations};

/// Moves the definitions of one direction to the document. A type that has different members in requests than in
/// responses would need two names.
fn add(definitions: &mut Map<String, Value>, generator: &mut SchemaGenerator) {
    for (name, mut schema) in generator.take_definitions(true) {
        camel_schema(<&mut Schema>::try_from(&mut schema).unwrap());
        if let Some(other) = definitions.get(&name) {
            assert_eq!(*other, schema, "{name} is different in requests and in responses");
        }
        definitions.insert(name, schema);
    }
}

fn camel(mut schema: Schema) -> Schema {
    camel_schema(&mut schema);
    schema
}

/// The members of all requests, responses and messages, and by which operations they are used.
fn document() -> Value {
    let mut requests = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let mut responses = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut properties = Map::new();
    for operation in operations() {
        let request = camel(operation.request_schema(&mut requests));
        let response = camel(operation.response_schema(&mut responses));
        properties.insert(
            operation.meta.name.to_owned(),
            json!({
                "description": format!("{} Needs the scope `{}`.", operation.meta.about, operation.meta.scope),
                "type": "object",
                "properties": { "request": request, "response": response },
                "required": ["request", "response"],
                "additionalProperties": false,
            }),
        );
    }
    requests.subschema_for::<Subscribe>();
    responses.subschema_for::<ServiceError>();
    let mut definitions = Map::new();
    definitions.insert(
        "Protocol".to_owned(),
        json!({ "description": "The version of the protocol that these types are of.", "const": PROTOCOL }),
    );
    definitions.insert("Message".to_owned(), camel(MessageKind::json_schema(&mut responses)).to_value());
    add(&mut definitions, &mut requests);
    add(&mut definitions, &mut responses);
    definitions.sort_keys();
    let names: Vec<_> = properties.keys().cloned().collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Operations",
        "description": "The request and the response of each operation.",
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
        "$defs": definitions,
    })
}

/// `cargo xtask typescript` runs this test to write it.
#[test]
fn the_schema_of_the_typescript_client_is_committed_as_it_is_generated() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../clients/typescript/service.schema.json");
    let generated = format!("{:#}\n", document());
    if std::env::var_os("UPDATE_TYPESCRIPT").is_some() {
        std::fs::write(&path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(committed == generated, "service.schema.json is out of date: run `cargo xtask typescript`");
}
