//! A folder in the formats of an earlier program: it is valid, and runs unchanged.

use std::path::Path;

use super::home::{Home, copy, stable};

fn home() -> Home {
    let home = Home::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/older-home"), &home.path(".orch"));
    home
}

#[test]
fn every_workflow_is_valid_and_what_means_nothing_is_warned_of() {
    let home = home();
    let listed = home.run(&["list", "--json"]).json();
    let ids: Vec<_> = listed.iter().map(|workflow| workflow["id"].as_str().unwrap()).collect();
    let checked = home.run(&[&["validate"], &ids[..]].concat());
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
    insta::assert_snapshot!(checked.stdout, @"
    .orch/workflows/feature-development.workflow.yml:5:3: warning[unknown-key]: `isDefault` is not known here and is ignored
    .orch/workflows/feature-development.workflow.yml:7:3: warning[unknown-key]: `source` is not known here and is ignored
    .orch/workflows/feature-development.workflow.yml:12:12: warning[missing-skill]: there is no skill `planning`: it is left out
    .orch/workflows/feature-development.workflow.yml:23:25: warning[missing-skill]: there is no skill `test-runner`: it is left out
    .orch/workflows/feature-development.workflow.yml:24:3: warning[unknown-key]: `source` is not known here and is ignored
    .orch/roles/auditor.md:4:1: warning[unknown-key]: `protected` is not known here and is ignored
    .orch/roles/planner.md:4:1: warning[unknown-key]: `source` is not known here and is ignored
    .orch/workflows/stages/plan.committee.yml:3:1: warning[unknown-key]: `isDefault` is not known here and is ignored
    .orch/workflows/feature-development.workflow.yml: valid, 8 warnings
    .orch/workflows/notes.workflow.yaml:3:3: warning[unknown-key]: `isDefault` is not known here and is ignored
    .orch/workflows/stages/collect.simple.yml:2:1: warning[unknown-key]: `protected` is not known here and is ignored
    .orch/workflows/notes.workflow.yaml: valid, 2 warnings
    ");
}

#[test]
fn every_workflow_runs_to_its_end() {
    let home = home();
    let sources = home.own_files();
    let reviewers =
        r#"reviewers:=[{"provider":"demo","role":"reviewer"},{"provider":"demo","role":"auditor"}]"#;
    for (id, vars) in [("feature-development", &["input_file=spec.md", reviewers][..]), ("notes", &[])] {
        let vars: Vec<_> = vars.iter().flat_map(|var| ["--var", var]).collect();
        let run = home.run(&[&["run", id, "--run-id", id], &vars[..]].concat());
        assert_eq!(run.code, Some(0), "{run:?}");
        stable(|| insta::assert_snapshot!(format!("older_{id}"), home.run(&["show", id]).stdout));
    }
    let after = home.own_files();
    assert!(sources.iter().all(|file| after.contains(file)), "no file of the folder is changed");
}

#[test]
fn what_roles_say_is_rendered_with_what_came_before() {
    let home = home();
    let reviewers = r#"reviewers:=[{"provider":"demo","role":"auditor"}]"#;
    let args =
        ["run", "feature-development", "--run-id", "r", "--var", "input_file=spec.md", "--var", reviewers];
    assert_eq!(home.run(&args).code, Some(0));
    let entries = home.run(&["logs", "r", "--json"]).json();
    let asked = |path: &str| {
        let of_path = entries.iter().filter(|entry| entry["path"] == path);
        let lines: Vec<_> = of_path.map(|entry| entry["text"].as_str().unwrap()).collect();
        lines.join("\n")
    };
    insta::assert_snapshot!(asked("1/plan[0]/draft"), @r#"
    demo: no service is called; the prompt is:
    # Plan

    - spec.md

    Look at what changes.
    1 reviewers will read it: <b>[
      {
        "provider": "demo",
        "role": "auditor"
      }
    ]</b>
    demo: answered
    "#);
    insta::assert_snapshot!(asked("1/plan[0]/committee[0]"), @r#"
    demo: no service is called; the prompt is:
    Audit the draft.
    * Change nothing.

    This is a demo: no service was called. The prompt was:

    # Plan

    - spec.md

    Look at what changes.
    1 reviewers will read it: <b>[
      {
        "provider": "demo",
        "role": "auditor"
      }
    ]</b>
    demo: answered
    "#);
    insta::assert_snapshot!(asked("1/code[0]/run"), @r#"
    demo: no service is called; the prompt is:
    The plan has a score of 9:

    [
      "one",
      "two"
    ]
    demo: answered
    "#);
    insta::assert_snapshot!(asked("1/check[0]/run"), @r#"
    demo: no service is called; the prompt is:
    Check This is a demo: no service was called. The prompt was:

    The plan has a score of 9:

    [
      "one",
      "two"
    ] with spec.md

    - Be strict in iteration 1.
    demo: answered
    "#);
}
