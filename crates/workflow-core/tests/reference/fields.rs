//! The fields of definition files, from their JSON Schemas.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::defaults;

/// The titles of the sections. A definition without one uses its own title.
const TITLES: &[(&str, &str)] = &[
    ("Header", "`workflow`"),
    ("WorkflowInput", "An entry of `workflow.inputs`"),
    ("LoopSpec", "`workflow.loop`"),
    ("Budget", "`budget`"),
    ("WorktreeSpec", "`workflow.worktree`"),
    ("Concurrency", "`workflow.concurrency`"),
    ("Stage", "A stage"),
    ("Lane", "An entry of `providers`"),
    ("Profile", "The file"),
    ("Include", "An entry of `include`"),
    ("GraphNode", "Every node"),
    ("RunNode", "Type `run`"),
    ("ForeachNode", "Type `foreach`"),
    ("GraphBody", "The `graph` of a `foreach`"),
    ("LoopNode", "Type `loop`"),
    ("ReduceNode", "Type `reduce`"),
    ("BranchNode", "Type `branch`"),
    ("Arm", "An entry of `when` of a branch"),
    ("ExportNode", "Type `export`"),
    ("SetNode", "Type `set`"),
    ("WaitNode", "Type `wait`"),
    ("EndNode", "Type `end`"),
    ("AskNode", "Type `ask`"),
    ("Role", "The front matter"),
    ("Variable", "An entry of `variables`"),
];

/// A table for each of the definitions of a schema; the empty name is the schema itself.
pub(crate) fn tables(schema: &Value, definitions: &[&str]) -> String {
    let mut text = String::new();
    for name in definitions {
        let part = if name.is_empty() { schema } else { &schema["$defs"][name] };
        let name = if name.is_empty() { part["title"].as_str().unwrap() } else { name };
        let title = TITLES.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}")).1;
        let _ = write!(text, "### {title}\n\n{}\n\n", sentence(part));
        text.push_str("| field | value | default | meaning |\n|---|---|---|---|\n");
        let required: BTreeSet<&str> =
            part["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let defaults = defaults::of(name);
        // A node of the type `reduce` has the fields of a call too, which are described there.
        let of_run = schema["$defs"]["RunNode"]["properties"].as_object();
        for (field, about) in part["properties"].as_object().unwrap() {
            if name == "ReduceNode" && field != "when" && of_run.is_some_and(|run| run.contains_key(field)) {
                continue;
            }
            let (meaning, said) = split_default(&sentence(about));
            let default = match (required.contains(&**field), defaults.get(field), said) {
                (true, ..) => "**required**".to_owned(),
                (_, Some(known), said) => {
                    // If the description names the default too, both are equal.
                    let same = said.as_ref().is_none_or(|said| {
                        said.trim_matches('`') == known.trim_end_matches('s') || !is_value(said)
                    });
                    assert!(same, "{name}.{field}: {said:?}, and {known}");
                    format!("`{known}`")
                }
                (_, None, said) => said.unwrap_or_else(|| "–".to_owned()),
            };
            let _ = writeln!(text, "| `{field}` | {} | {default} | {meaning} |", value(schema, about));
        }
        if name == "GraphNode" {
            let kinds = part["oneOf"].as_array().unwrap().iter();
            let kinds: Vec<_> = kinds.map(|kind| kind["properties"]["type"]["const"].to_string()).collect();
            let kinds = kinds.join(", ").replace('"', "`");
            let _ = writeln!(
                text,
                "| `type` | {kinds} | `run` | What the node does; its other fields are below. |"
            );
        }
        if name == "ReduceNode" {
            text.push_str(
                "\nWith `strategy: summarize` it also has the fields of a [`run`](#type-run) node.\n",
            );
        }
        text.push('\n');
    }
    text
}

/// Tables of the values of enumerated fields.
pub(crate) fn choices(workflow: &Value, profile: &Value) -> String {
    let mut text = String::new();
    for (title, schema, name) in [
        ("`mode`", workflow, "Mode"),
        ("`parallel_strategy`", workflow, "ParallelStrategy"),
        ("`on_failure`", workflow, "OnFailure"),
        ("`on_exhausted`", workflow, "Exhausted"),
        ("`output`", workflow, "OutputFormat"),
        ("`session`", workflow, "SessionMode"),
        ("`on_interrupt`", workflow, "OnInterrupt"),
        ("`join`", profile, "Join"),
        ("`strategy` of `reduce`", profile, "ReduceStrategy"),
    ] {
        let _ = write!(text, "### {title}\n\n| value | meaning |\n|---|---|\n");
        for choice in schema["$defs"][name]["oneOf"].as_array().unwrap() {
            let _ = writeln!(text, "| `{}` | {} |", choice["const"].as_str().unwrap(), sentence(choice));
        }
        text.push('\n');
    }
    text
}

/// A description in one line of a table.
fn sentence(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

/// Splits `; default: …` or a sentence `Default: …` off a description.
fn split_default(text: &str) -> (String, Option<String>) {
    for mark in ["; default: ", "; default ", " Default: "] {
        if let Some((before, rest)) = text.split_once(mark) {
            let (default, after) = rest.split_once(". ").unwrap_or((rest.trim_end_matches('.'), ""));
            let end = if before.ends_with('.') { "" } else { "." };
            let after = if after.is_empty() { String::new() } else { format!(" {after}") };
            return (format!("{before}{end}{after}"), Some(default.to_owned()));
        }
    }
    (text.to_owned(), None)
}

/// Whether the default in a description is a literal value.
fn is_value(default: &str) -> bool {
    !default.contains(' ')
}

/// The type of a value, and its limits.
fn value(root: &Value, schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return referred(root, name);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let kinds: Vec<_> = choices
            .iter()
            .filter(|choice| choice["type"] != "null")
            .map(|choice| value(root, choice))
            .collect();
        return kinds.join(", or ");
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).filter(|kind| *kind != "null").collect()
        }
        _ => return "any value".to_owned(),
    };
    let mut words: Vec<String> = Vec::new();
    for kind in kinds {
        words.push(match kind {
            "string" if schema["pattern"].is_string() => "an id".to_owned(),
            "string" => "text".to_owned(),
            "integer" => "a whole number".to_owned(),
            "number" => "a number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => list(root, schema),
            "object" => match &schema["additionalProperties"] {
                Value::Object(of) if of.contains_key("type") || of.contains_key("$ref") => {
                    format!("a mapping of names to {}", value(root, &schema["additionalProperties"]))
                }
                _ => "a mapping".to_owned(),
            },
            other => panic!("a value of the type {other}"),
        });
    }
    let last = words.pop().unwrap_or_default();
    let before = if words.is_empty() { String::new() } else { format!("{} or ", words.join(", ")) };
    format!("{before}{last}{}", limits(schema))
}

fn list(root: &Value, schema: &Value) -> String {
    let mut text = match &schema["items"] {
        Value::Object(_) => {
            format!(
                "a list of {}",
                value(root, &schema["items"]).replace("an id", "ids").replace("text", "texts")
            )
        }
        _ => "a list".to_owned(),
    };
    if schema["minItems"].is_number() {
        text.push_str(", not empty");
    }
    if schema["uniqueItems"] == true {
        text.push_str(", no value twice");
    }
    text
}

/// The limits of a number or of the length of a text.
fn limits(schema: &Value) -> String {
    let of = |name: &str| schema[name].as_f64();
    match (of("minLength"), of("maxLength"), of("minimum"), of("maximum"), of("exclusiveMinimum")) {
        (Some(least), Some(most), ..) => format!(", {least}–{most} characters"),
        (.., Some(least), Some(most), _) => format!(", {least}–{most}"),
        (.., Some(least), None, _) if least > 0.0 => format!(", at least {least}"),
        (.., Some(above)) => format!(", more than {above}"),
        _ => String::new(),
    }
}

/// A value with its own definition.
fn referred(root: &Value, reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap_or_default();
    match name {
        "Period" => "a [length of time](#lengths-of-time)".to_owned(),
        "NamesForm" => "a name, or a list of names".to_owned(),
        "IncludesForm" => {
            "the name of a profile, as `check.lint`, or a mapping: [`include`](#an-entry-of-include); or a list of these".to_owned()
        }
        "Node" => "a node, without `id`".to_owned(),
        "LoopSpec" => "a mapping: [`workflow.loop`](#workflowloop)".to_owned(),
        "InputEntry" => "a type, or a mapping: [`inputs`](#an-entry-of-workflowinputs)".to_owned(),
        "PriorityEntry" => "a whole number, -9–9, or `low`, `normal`, `high`".to_owned(),
        "SchemaSource" => "the name of a file, or a JSON Schema".to_owned(),
        "Stage" => "a mapping: [a stage](#a-stage)".to_owned(),
        "Budget" => "a mapping: [`budget`](#budget)".to_owned(),
        "Concurrency" => "a mapping: [`workflow.concurrency`](#workflowconcurrency)".to_owned(),
        "WorktreeSpec" => "a mapping: [`workflow.worktree`](#workflowworktree)".to_owned(),
        "Lane" => "entries: [`providers`](#an-entry-of-providers)".to_owned(),
        "GraphNode" => "nodes: [Every node](#every-node)".to_owned(),
        "Arm" => "entries: [`when`](#an-entry-of-when-of-a-branch)".to_owned(),
        "Variable" => "entries: [`variables`](#an-entry-of-variables)".to_owned(),
        name => {
            let choices =
                root["$defs"][name]["oneOf"].as_array().unwrap_or_else(|| panic!("{name} has no words"));
            let names: Vec<_> =
                choices.iter().map(|choice| format!("`{}`", choice["const"].as_str().unwrap())).collect();
            names.join(", ")
        }
    }
}
