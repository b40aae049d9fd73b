//! The interface as OpenAPI 3.1.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::camel::camel_schema;
use crate::code::Code;
use crate::error::ServiceError;
use crate::table::operations;

/// The statuses of failures, each with the codes that have it.
fn failures() -> BTreeMap<u16, Vec<Code>> {
    let mut statuses = BTreeMap::<_, Vec<_>>::new();
    for code in Code::ALL {
        statuses.entry(code.http_status()).or_default().push(code);
    }
    statuses
}

/// The name of the response with that status.
fn component(status: u16) -> String {
    format!("Status{status}")
}

fn reference(status: u16) -> Value {
    json!({ "$ref": format!("#/components/responses/{}", component(status)) })
}

/// The response of a failure with one of these codes.
fn failure(codes: &[Code]) -> Value {
    let codes: Vec<_> = codes.iter().map(|code| format!("`{code}`")).collect();
    json!({
        "description": format!("Failure: {}.", codes.join(", ")),
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Failure" } } },
    })
}

/// The interface as OpenAPI 3.1, generated from the operations.
///
/// ```
/// let openapi = workflow_service::http::openapi();
/// assert!(openapi["paths"]["/api/v1/workflow:runs:get"]["post"].is_object());
/// ```
pub fn openapi() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
    });
    let mut generator = settings.into_generator();
    let error = generator.subschema_for::<ServiceError>();
    let failures = failures();
    let mut paths = Map::new();
    for operation in operations() {
        let mut request = operation.request_schema(&mut generator);
        let mut response = operation.response_schema(&mut generator);
        camel_schema(&mut request);
        camel_schema(&mut response);
        let meta = operation.meta;
        let mut responses: Map<_, _> =
            failures.keys().map(|status| (status.to_string(), reference(*status))).collect();
        let envelope = json!({
            "type": "object",
            "properties": { "success": { "const": true }, "data": response },
            "required": ["success", "data"],
        });
        responses.insert(
            "200".to_owned(),
            json!({ "description": "Success.", "content": { "application/json": { "schema": envelope } } }),
        );
        paths.insert(
            format!("/api/v1/{}", meta.name),
            json!({ "post": {
                "operationId": meta.name,
                "summary": meta.about,
                "description": format!("Needs the scope `{}`.", meta.scope),
                "requestBody": { "content": { "application/json": { "schema": request } }, "required": true },
                "responses": responses,
            } }),
        );
    }
    let mut schemas = generator.take_definitions(true);
    for schema in schemas.values_mut() {
        if let Ok(schema) = <&mut schemars::Schema>::try_from(schema) {
            camel_schema(schema);
        }
    }
    schemas.insert(
        "Failure".to_owned(),
        json!({
            "type": "object",
            "properties": { "success": { "const": false }, "error": error },
            "required": ["success", "error"],
        }),
    );
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Workflow service",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Operations on workflows and runs. The stream of events is at `/api/v1/stream`.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": failures.iter().map(|(status, codes)| (component(*status), failure(codes))).collect::<Map<_, _>>(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
        "security": [{ "token": [] }],
    })
}
