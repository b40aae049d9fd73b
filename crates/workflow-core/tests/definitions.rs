//! Parsing, checking and resolving definitions.

#![allow(clippy::unwrap_used, reason = "a test that cannot continue has failed")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use workflow_core::definition::{self, Defaults, Diagnostic, Lane, LoopSpec, Stage, Workflow};
use workflow_core::ids::WorkflowId;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn listed(diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        writeln!(text, "{diagnostic}    ({})", diagnostic.path).unwrap();
    }
    text
}

#[test]
fn every_bad_file_gets_its_exact_diagnostics() {
    let files = files("bad");
    assert!(files.len() >= 60, "{} files", files.len());
    let mut table = String::new();
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let parsed = definition::parse(&std::fs::read(&file).unwrap(), None);
        assert!(!parsed.diagnostics.is_empty(), "{name}");
        writeln!(table, "{name}\n{}", listed(&parsed.diagnostics)).unwrap();
    }
    insta::assert_snapshot!("bad_files", table);
}

#[test]
fn good_files_have_at_most_warnings() {
    let mut table = String::new();
    for file in files("good") {
        let name = file.file_name().unwrap().to_str().unwrap();
        let id = name.strip_suffix(".workflow.yml").unwrap().parse().unwrap();
        let parsed = definition::parse(&std::fs::read(&file).unwrap(), Some(&id));
        let warnings = listed(&parsed.diagnostics);
        assert!(parsed.workflow.is_some(), "{name}\n{warnings}");
        let workflow = serde_json::to_string_pretty(&parsed.workflow).unwrap();
        writeln!(table, "{name}\n{warnings}{workflow}\n").unwrap();
    }
    insta::assert_snapshot!("good_files", table);
}

#[test]
fn ten_mistakes_give_ten_errors_with_their_places() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions/bad/ten-mistakes.yml");
    let parsed = definition::parse(&std::fs::read(file).unwrap(), None);
    let places: Vec<_> =
        parsed.diagnostics.iter().filter(|d| d.is_error()).map(|d| (d.line, d.column)).collect();
    let expected =
        [(3, 9), (4, 30), (6, 16), (8, 26), (12, 12), (15, 34), (16, 7), (17, 9), (20, 12), (22, 32)];
    assert_eq!(places, expected);
}

#[test]
fn the_name_of_the_file_gives_the_id() {
    let parse = |text: &str, file| definition::parse(text.as_bytes(), Some(&WorkflowId::new(file).unwrap()));
    let without = "workflow: { name: Demonstration, stages: [plan] }";
    assert_eq!(parse(without, "demo").workflow.unwrap().id.as_str(), "demo");

    let with = "workflow: { id: demo, name: Demonstration, stages: [plan] }";
    assert_eq!(parse(with, "demo").diagnostics, []);
    let parsed = parse(with, "other");
    assert_eq!(parsed.workflow, None);
    insta::assert_snapshot!(
        listed(&parsed.diagnostics),
        @"1:17: error[id-mismatch]: the file's name says `other`: write that, or leave the id out    (workflow.id)"
    );
}

#[test]
fn unknown_keys_are_errors_for_who_asks_for_strictness() {
    let text = b"workflow: { id: demo, name: Demonstration, stages: [plan], isDefault: true }";
    let parsed = definition::parse(text, None);
    assert!(parsed.workflow.is_some());
    let strict = parsed.strict();
    assert_eq!(strict.workflow, None);
    assert!(strict.into_workflow().unwrap_err().has_errors());
}

#[test]
fn definitions_built_in_rust_keep_the_same_rules() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/definitions/bad/rust.yml");
    let workflow = Workflow::new("demo".parse().unwrap(), "N")
        .stage(
            "plan".parse().unwrap(),
            Stage { retries: Some(11), min_iterations: Some(7), ..Stage::new("codex") },
        )
        .stage(
            "test".parse().unwrap(),
            Stage::with_lanes([Lane { weight: Some(1001), ..Lane::new("codex") }]),
        )
        .stage(
            "check".parse().unwrap(),
            Stage::new("command").option("command", json!(["sh", "-c", "${vars.x}"])),
        )
        .repeat(LoopSpec {
            fallback_next_stage: Some("paln".parse().unwrap()),
            ..LoopSpec::new(6, "$.done")
        });
    let built = definition::validate(&workflow);
    let parsed = definition::parse(&std::fs::read(file).unwrap(), None);

    let facts = |diagnostics: &[Diagnostic]| -> BTreeSet<_> {
        diagnostics.iter().map(|d| (d.code, d.path.clone(), d.message.clone())).collect()
    };
    assert_eq!(built.len(), 6);
    assert_eq!(facts(&built), facts(&parsed.diagnostics));
    assert!(built.iter().all(|d| d.line == 0) && parsed.diagnostics.iter().all(|d| d.line > 0));
}

#[test]
fn resolving_fills_in_what_is_absent() {
    let workflow = Workflow::new("demo".parse().unwrap(), "Demonstration")
        .stage("plan".parse().unwrap(), Stage::default())
        .stage("code".parse().unwrap(), Stage { retries: Some(0), ..Stage::new("codex") })
        .repeat(LoopSpec::new(2, "$.done"));
    let defaults = Defaults { provider: Some("claude-code".to_owned()), ..Defaults::default() };
    let resolved = definition::resolve(&workflow, &defaults).unwrap();
    insta::assert_yaml_snapshot!("resolved", resolved);
    assert_eq!(definition::resolve(&resolved, &Defaults::default()).unwrap(), resolved);
    assert_eq!(definition::validate(&resolved), []);
}

#[test]
fn a_run_without_provider_does_not_start() {
    let workflow = Workflow::new("demo".parse().unwrap(), "Demonstration")
        .stage("plan".parse().unwrap(), Stage::default())
        .stage("test".parse().unwrap(), Stage::new("codex"));
    let refused = definition::resolve(&workflow, &Defaults::default()).unwrap_err();
    insta::assert_snapshot!(
        refused,
        @"plan: error[no-provider]: stage `plan` names no provider, and there is no default: write `provider: NAME` there"
    );
}

#[test]
fn what_a_host_says_gets_its_place_in_the_text() {
    let text = "workflow: { name: Demonstration, stages: [plan, code] }
plan:
  providers: [{ provider: one }, { provider: two }]
  retries: 99
code: { with: {} }
";
    let demo = WorkflowId::new("demo").unwrap();
    let mut draft = definition::read(text.as_bytes(), Some(&demo));
    assert_eq!(draft.workflow().unwrap().stages.len(), 2);
    let paths = [
        "plan.providers[1].provider",
        "plan.providers[7]",
        "plan.set.x",
        "plan.retries",
        "code.with",
        "nowhere",
    ];
    draft.report(paths.map(|path| Diagnostic::error("host", path, format!("`{path}`"))).into());
    let parsed = draft.into_parsed();
    assert_eq!(parsed.workflow, None);
    insta::assert_snapshot!(definition::Diagnostics(parsed.diagnostics), @r"
    1:1: error[host]: `nowhere`
    2:1: error[host]: `plan.set.x`
    3:3: error[host]: `plan.providers[7]`
    3:46: error[host]: `plan.providers[1].provider`
    4:12: error[out-of-range]: `retries` has to be a whole number from 0 to 10
    5:9: error[host]: `code.with`
    ");
}
