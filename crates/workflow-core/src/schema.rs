//! JSON Schemas of what this crate reads and writes, for editors and other programs.
//!
//! They are generated from the Rust types. They describe types and ranges; rules that involve more than one
//! value, like the names of stages, are checked only by [`parse`](crate::definition::parse()).

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::definition::{AssignmentsFile, NotificationsFile, Profile, ProvidersFile, Role, WorkflowFile};
use crate::event::Event;

/// All schemas, by the names of their files: `workflow` is in `schemas/workflow.schema.json`.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("workflow", workflow_file()),
        ("profile", profile_file()),
        ("role", role_front_matter()),
        ("assignments", assignments_file()),
        ("providers", providers_file()),
        ("notify", notifications_file()),
        ("run-event", run_event()),
    ]
}

/// The schema of a workflow file.
pub fn workflow_file() -> Value {
    schema::<WorkflowFile<'_>>()
}

/// The schema of a profile of a stage.
pub fn profile_file() -> Value {
    let mut schema = schema::<Profile>();
    allow_no_type(&mut schema);
    schema
}

/// A node without a type is one that calls a provider, or a graph if it has nodes.
fn allow_no_type(schema: &mut Value) {
    let name = schema.pointer("/properties/type/const").and_then(Value::as_str);
    let (is_run, is_graph) = (name == Some("run"), name == Some("graph"));
    if is_run {
        schema["not"] = json!({ "required": ["graph"] });
    }
    if (is_run || is_graph)
        && let Some(required) = schema["required"].as_array_mut()
    {
        required.retain(|name| name != "type");
        required.extend(is_graph.then(|| json!("graph")));
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(allow_no_type),
        Value::Array(items) => items.iter_mut().for_each(allow_no_type),
        _ => {}
    }
}

/// The schema of the front matter of a role. Its template follows behind, and its id is the name of the file.
pub fn role_front_matter() -> Value {
    let mut schema = schema::<Role>();
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.shift_remove("id");
        properties.shift_remove("body");
        // A variable may be written as its name alone.
        if let Some(items) = properties.get_mut("variables").and_then(|variables| variables.get_mut("items"))
        {
            *items = json!({ "anyOf": [{ "type": "string" }, items.take()] });
        }
        // Both ways of writing it are read.
        if let Some(provider) = properties.get("recommended_provider").cloned() {
            properties.insert("recommendedProvider".to_owned(), provider);
        }
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.shift_remove("required");
        // Front matter may be empty.
        schema.insert("type".to_owned(), json!(["object", "null"]));
    }
    schema
}

/// The schema of `config/assignments.yml`.
pub fn assignments_file() -> Value {
    schema::<AssignmentsFile>()
}

/// The schema of `config/providers.yml`.
pub fn providers_file() -> Value {
    schema::<ProvidersFile>()
}

/// The schema of `config/notify.yml`.
pub fn notifications_file() -> Value {
    schema::<NotificationsFile>()
}

/// The schema of an event of a run, as it is stored and shown.
pub fn run_event() -> Value {
    schema::<Event>()
}

fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
