//! The tools, and the operations that they stand for.

use std::sync::LazyLock;

use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::camel::camel_schema;
use crate::operation::Operation;
use crate::runs::{AnswerRun, CancelRun, GetRun, RunLogs};
use crate::table::find;
use crate::workflows::{ListInputs, ListWorkflows, RunWorkflow};

/// How many seconds a tool waits for a run at most.
pub(super) const LONGEST_WAIT: u32 = 3_600;
/// The argument of tools that wait for a run.
pub(super) const WAIT: &str = "waitSeconds";

/// A tool.
pub(super) struct Entry {
    /// Its name.
    pub name: &'static str,
    /// The operation that it carries out.
    pub operation: &'static str,
    title: &'static str,
    about: &'static str,
    /// Whether it can wait for a run.
    pub waits: bool,
    kind: Kind,
}

/// What a tool does, for clients that ask a person before they call some tools.
#[derive(Clone, Copy)]
enum Kind {
    /// Changes nothing.
    Reads,
    /// Lets a workflow work, which may change anything that its definition says.
    Works,
    /// Ends work.
    Ends,
}

/// All tools.
pub(super) const TOOLS: &[Entry] = &[
    Entry {
        name: "list_workflows",
        operation: ListWorkflows::NAME,
        title: "List workflows",
        about: "Lists the workflows that can be run: id, name, description, stages, last run, and problems of their \
                definitions.",
        waits: false,
        kind: Kind::Reads,
    },
    Entry {
        name: "describe_workflow",
        operation: ListInputs::NAME,
        title: "Describe a workflow",
        about: "Reads a workflow: its YAML text, and the variables that a run can be given, with types, defaults and \
                which are required. Call it before `run_workflow`.",
        waits: false,
        kind: Kind::Reads,
    },
    Entry {
        name: "run_workflow",
        operation: RunWorkflow::NAME,
        title: "Run a workflow",
        about: "Starts a run of a workflow and returns its `runId`. The run continues by itself, also when this session \
                ends, as long as some process drives it. With `waitSeconds`, the result also has the run once it has \
                ended, waits for a person, or that time is over.",
        waits: true,
        kind: Kind::Works,
    },
    Entry {
        name: "run_status",
        operation: GetRun::NAME,
        title: "Read the status of a run",
        about: "Reads a run: status, current stage, outputs of stages, errors, usage, and in `waits` what it asks a \
                person, which `answer_run` answers. With `waitSeconds`, returns once the run has ended, waits for a \
                person, or that time is over.",
        waits: true,
        kind: Kind::Reads,
    },
    Entry {
        name: "run_logs",
        operation: RunLogs::NAME,
        title: "Read the log of a run",
        about: "Reads what providers wrote during a run: the newest entries, or those before or after a number; by \
                level, stage, node, attempt and text.",
        waits: false,
        kind: Kind::Reads,
    },
    Entry {
        name: "answer_run",
        operation: AnswerRun::NAME,
        title: "Answer a question of a run",
        about: "Answers an approval or a question that a run waits for: `wait` is the number and `value` follows the \
                schema of an entry in `waits` of the run. Ask the user before you approve something on their behalf.",
        waits: false,
        kind: Kind::Works,
    },
    Entry {
        name: "cancel_run",
        operation: CancelRun::NAME,
        title: "Cancel a run",
        about: "Cancels a run: its calls are told to stop, and killed after a grace period. It cannot be resumed.",
        waits: false,
        kind: Kind::Ends,
    },
];

/// The tools as the protocol describes them.
pub(super) fn tools() -> &'static [Tool] {
    static DESCRIBED: LazyLock<Vec<Tool>> = LazyLock::new(|| TOOLS.iter().map(described).collect());
    &DESCRIBED
}

fn described(entry: &Entry) -> Tool {
    let annotations = ToolAnnotations::with_title(entry.title);
    let annotations = match entry.kind {
        Kind::Reads => annotations.read_only(true).open_world(false),
        Kind::Works => annotations.read_only(false).destructive(true).idempotent(false).open_world(true),
        Kind::Ends => annotations.read_only(false).destructive(true).idempotent(true).open_world(false),
    };
    Tool::new(entry.name, entry.about, schema(entry)).with_title(entry.title).with_annotations(annotations)
}

/// The JSON Schema of a tool's arguments: that of the operation's request, without references to other schemas, which
/// not every agent follows.
fn schema(entry: &Entry) -> JsonObject {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut generator = settings.into_generator();
    let mut schema = match find(entry.operation) {
        Ok(operation) => operation.request_schema(&mut generator),
        Err(_) => schemars::Schema::default(),
    };
    camel_schema(&mut schema);
    let Value::Object(mut schema) = schema.to_value() else { return JsonObject::new() };
    schema.shift_remove("title");
    schema.shift_remove("description");
    schema.entry("properties").or_insert_with(|| json!({}));
    if let (true, Some(Value::Object(properties))) = (entry.waits, schema.get_mut("properties")) {
        let wait = json!({
            "description": "How long to wait for the run, in seconds; 0 unless given.",
            "type": "number",
            "minimum": 0,
            "maximum": LONGEST_WAIT,
        });
        properties.insert(WAIT.to_owned(), wait);
    }
    schema
}
