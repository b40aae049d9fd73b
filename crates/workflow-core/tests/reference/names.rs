//! The names in expressions, according to what the parser of definitions accepts.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use workflow_core::definition;

/// The names, and their meanings.
const NAMES: &[(&str, &str)] = &[
    ("vars.NAME", "a variable of the run"),
    (
        "stages.STAGE.output",
        "the output of a stage; of one that failed with `on_failure: continue`, what its failed attempt gave",
    ),
    (
        "stages.STAGE.error",
        "the failure of a stage that failed: `{ class, message, details }`; absent otherwise",
    ),
    ("stages.STAGE.status", "`completed`, `failed`, `skipped`, …"),
    ("stages.STAGE.results", "the lanes of a stage: provider, role, status, output, error, duration"),
    ("nodes.NODE.output", "the output of a node of the same graph"),
    ("nodes.NODE.status", "its status"),
    ("nodes.NODE.error", "the failure of a node with `on_failure: continue`: `class`, `message`, `details`"),
    ("nodes.NODE.errors", "the failures of the items of such a `foreach`, each also with its `index`"),
    ("item", "the item of the innermost `foreach`; `item.x` is a part of it"),
    ("stage.id", "the stage"),
    ("stage.provider", "the provider of the lane"),
    ("stage.role", "the role of the lane"),
    ("iteration", "the iteration, counted from 1"),
    ("run.id", "the run"),
    ("run.workflow", "the workflow"),
    ("output", "the output of the stage or node; `output.x` is a part of it"),
    ("secrets.NAME", "a secret; replaced when the call begins, and never stored"),
];

/// A place with expressions: a title, and whether a text is accepted there.
type Place = (&'static str, fn(&str) -> bool);

const PLACES: &[Place] = &[
    ("`provider`, `role`, `approval` of a stage", |text| of_stage("provider", text)),
    ("`prompt`, `inputs`, `with`, `env`, `cwd` of a stage", |text| of_stage("prompt", text)),
    ("`set` of a stage", |text| of_stage("set", text)),
    ("`prompt`, … of a node", |text| {
        of_graph(&format!("{{ id: n, type: run, inputs: [NODE], prompt: \"{text}\" }}"))
    }),
    ("the `run` of a `foreach`", |text| {
        of_graph(&format!("{{ id: n, type: foreach, items: [1], run: {{ type: run, prompt: \"{text}\" }} }}"))
    }),
];

fn of_stage(field: &str, text: &str) -> bool {
    let value = if field == "set" { format!("{{ x: \"{text}\" }}") } else { format!("\"{text}\"") };
    let provider = if field == "provider" { "" } else { "provider: p, " };
    let yaml = format!(
        "workflow: {{ name: Names, stages: [STAGE, s] }}\nSTAGE: {{ provider: p }}\n\
         s: {{ {provider}{field}: {value} }}\n"
    );
    definition::parse(yaml.as_bytes(), Some(&"names".parse().unwrap())).diagnostics.is_empty()
}

fn of_graph(node: &str) -> bool {
    let yaml = format!(
        "graph:\n  - {{ id: NODE, type: foreach, items: [1], on_failure: continue, run: {{ type: run }} }}\n  - {node}\n"
    );
    definition::parse_profile(yaml.as_bytes(), None).diagnostics.is_empty()
}

/// A row for each name, with the places that know it.
pub(crate) fn table() -> String {
    let mut text = String::from("| name | stands for | known in |\n|---|---|---|\n");
    for (name, meaning) in NAMES {
        let known: Vec<_> =
            (1..).zip(PLACES).filter(|(_, (_, accepts))| accepts(&format!("${{{name}}}"))).collect();
        assert!(!known.is_empty(), "{name} is known nowhere");
        let all = known.len() == PLACES.len();
        let places: Vec<_> = known.iter().map(|(number, _)| number.to_string()).collect();
        let places = if all { "all".to_owned() } else { places.join(", ") };
        let _ = writeln!(text, "| `${{{name}}}` | {meaning} | {places} |");
    }
    text.push_str("\nPlaces:\n\n");
    for (number, (title, _)) in (1..).zip(PLACES) {
        let _ = writeln!(text, "{number}. {title}");
    }
    text
}

/// The names in the parser's message are those of the table.
#[test]
fn the_table_has_every_name_that_the_reader_knows() {
    let told = |yaml: &str, is_graph: bool| {
        let found = if is_graph {
            definition::parse_profile(yaml.as_bytes(), None).diagnostics
        } else {
            definition::parse(yaml.as_bytes(), Some(&"names".parse().unwrap())).diagnostics
        };
        let message = &found.iter().find(|found| found.code == "unknown-name").unwrap().message;
        let listed = message.split_once("write ").unwrap().1.split(';').next().unwrap().to_owned();
        listed.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let stage = |field: &str| {
        let provider = if field.starts_with("provider") { "" } else { "provider: p, " };
        told(&format!("workflow: {{ name: Names, stages: [s] }}\ns: {{ {provider}{field} }}\n"), false)
    };
    let mut roots = stage("provider: \"${zzzz.x}\"");
    roots.extend(stage("prompt: \"${zzzz.x}\""));
    roots.extend(stage("set: { x: \"${zzzz.x}\" }"));
    let body = "graph: [{ id: n, type: foreach, items: [1], run: { type: run, prompt: \"${zzzz.x}\" } }]";
    roots.extend(told(body, true));
    let listed: BTreeSet<_> =
        NAMES.iter().map(|(name, _)| name.split('.').next().unwrap().to_owned()).collect();
    assert_eq!(roots, listed);
}
