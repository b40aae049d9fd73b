//! The reference chapters of the book are generated from the JSON Schemas, from what the parser of
//! definitions accepts and refuses, and from the defaults that it fills in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot continue has failed")]

mod defaults;
mod fields;
mod limits;
mod names;

use std::fmt::Write as _;
use std::path::Path;

const BEGIN: &str = "<!-- Written by `cargo xtask reference`: -->\n";
const END: &str = "<!-- until here. -->";

/// Inserts the generated text between the markers of a chapter, and compares it with the committed one.
/// `cargo xtask reference` runs this to write it.
#[track_caller]
fn check(chapter: &str, generated: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/reference").join(chapter);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut parts = text.split(BEGIN);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    let mut generated = generated.iter();
    for part in parts {
        let (_, after) =
            part.split_once(END).unwrap_or_else(|| panic!("{chapter} has a mark that is not closed"));
        let new = generated.next().unwrap_or_else(|| panic!("{chapter} has too many marks"));
        let _ = write!(whole, "{BEGIN}\n{}\n\n{END}{after}", new.trim_end());
    }
    assert_eq!(generated.next(), None, "{chapter} has too few marks");
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &whole).unwrap();
        return;
    }
    assert!(text == whole, "docs/src/reference/{chapter} is out of date: run `cargo xtask reference`");
}

#[test]
fn the_reference_of_definitions_is_committed_as_it_is_generated() {
    let schema = |wanted: &str| {
        workflow_core::schema::schemas()
            .into_iter()
            .find(|(name, _)| *name == wanted)
            .unwrap_or_else(|| panic!("{wanted}"))
            .1
    };
    let (workflow, profile) = (schema("workflow"), schema("profile"));
    let parts = [
        fields::tables(
            &workflow,
            &["Header", "WorkflowInput", "LoopSpec", "WorktreeSpec", "Concurrency", "Budget"],
        ),
        fields::tables(&workflow, &["Stage", "Lane"]),
        fields::tables(
            &profile,
            &[
                "",
                "Include",
                "GraphNode",
                "RunNode",
                "ForeachNode",
                "GraphBody",
                "LoopNode",
                "ReduceNode",
                "BranchNode",
                "Arm",
                "ExportNode",
                "SetNode",
                "WaitNode",
                "EndNode",
                "AskNode",
            ],
        ),
        fields::tables(&schema("role"), &["", "Variable"]),
        fields::choices(&workflow, &profile),
        limits::table(),
    ];
    check("definition.md", &parts);
}

#[test]
fn the_reference_of_expressions_is_committed_as_it_is_generated() {
    check("expressions.md", &[names::table(), limits::table_of_conditions()]);
}
