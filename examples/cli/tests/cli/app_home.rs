//! A home in the formats of the desktop app: its files are valid with warnings only, and run unedited.

use std::path::Path;

use super::home::{Home, copy};

const WORKFLOWS: [&str; 3] = ["committee", "feature-development", "nameless"];

fn home() -> Home {
    let home = Home::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/app-home"), &home.path(".orch"));
    home
}

#[test]
fn every_workflow_of_the_app_is_valid_with_warnings_only() {
    let checked = home().run(&[&["validate"][..], &WORKFLOWS].concat());
    assert_eq!((checked.code, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
    insta::assert_snapshot!(checked.stdout);
    // The same are errors for who asks for strictness, those in roles and profiles too.
    let strict = home().run(&["validate", "--strict", "committee"]);
    assert_eq!(strict.code, Some(2));
    for place in ["plan.committee.yml:2:1: error[unknown-key]", "roles/security.md:4:1: error[unknown-key]"] {
        assert!(strict.stdout.contains(place), "{}", strict.stdout);
    }
}

#[test]
fn every_workflow_of_the_app_runs_with_the_demo_provider() {
    let home = home();
    let sources = home.own_files();
    for id in WORKFLOWS {
        let run = home.run(&["run", id, "--run-id", id, "--provider", "demo"]);
        assert_eq!(run.code, Some(0), "{id}: {run:?}");
        let shown = &home.run(&["show", id, "--json"]).json()[0];
        assert_eq!(shown["status"], "completed", "{id}");
        let text = shown.to_string();
        assert!(text.contains(r#""provider":"demo""#), "{text}");
        let is_called = |agent: &&str| text.contains(&format!(r#""provider":"{agent}""#));
        assert_eq!(["claude-code", "codex", "gemini", "grok"].into_iter().find(is_called), None, "{text}");
        // It is recorded with the run: a rerun has the same.
        let again = home.run(&["rerun", id, "--run-id", &format!("{id}-again")]);
        assert_eq!(again.code, Some(0), "{id}: {again:?}");
    }
    let after = home.own_files();
    assert!(sources.iter().all(|file| after.contains(file)), "no file of the home is changed");
}

#[test]
fn a_readme_is_not_a_role_and_other_folders_of_roles_can_be_named() {
    let home = home();
    home.write("shared/auditor.md", "Audit.");
    home.write("shared/README.md", "Not a role.");
    let listed = home.run(&["roles", "--json", "--roles", "shared"]).json();
    let ids: Vec<_> = listed.iter().map(|role| role["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["auditor", "security"]);
    let missing = home.run(&["roles", "--roles", "nowhere"]);
    assert_ne!(missing.code, Some(0));
    assert!(missing.stderr.contains("nowhere"), "{}", missing.stderr);
}

#[test]
fn a_stage_without_provider_is_told_which_one_it_gets_and_what_to_write() {
    let home = Home::new();
    home.write(".orch/workflows/plain.workflow.yml", "workflow:\n  stages: [plan]\nplan: simple\n");
    let checked = home.run(&["validate", "plain"]);
    assert_eq!(checked.code, Some(2));
    for part in
        ["`plan` names no provider and gets `command`, the default provider", "write `provider: NAME`"]
    {
        assert!(checked.stdout.contains(part), "{}", checked.stdout);
    }
    assert_eq!(home.run(&["run", "plain", "--provider", "demo"]).code, Some(0));
    let unknown = home.run(&["run", "plain", "--provider", "dem"]);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("did you mean `demo`?"), "{}", unknown.stderr);
    let misspelt = home.run(&["run", "plian"]);
    assert!(misspelt.stderr.contains("did you mean `plain`?"), "{}", misspelt.stderr);
}
