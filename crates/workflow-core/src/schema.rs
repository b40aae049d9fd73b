//! JSON Schemas of what this crate reads and writes, for editors and other programs.
//!
//! They are generated from the Rust types. They say what types and ranges are; what depends on
//! more than one value, like the names of stages, only [`parse`](crate::definition::parse()) knows.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::definition::WorkflowFile;
use crate::event::Event;

/// All schemas, by the names of their files: `workflow` is in `schemas/workflow.schema.json`.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![("workflow", workflow_file()), ("run-event", run_event())]
}

/// The schema of a workflow file.
pub fn workflow_file() -> Value {
    schema::<WorkflowFile<'_>>()
}

/// The schema of an event of a run, as it is stored and shown.
pub fn run_event() -> Value {
    schema::<Event>()
}

fn schema<T: JsonSchema>() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}
